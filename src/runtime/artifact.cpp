// SPDX-License-Identifier: Apache-2.0
#include "runtime/artifact.h"

#include <charconv>
#include <cstdio>

#include "runtime/text_lines.h"

namespace tilewise::runtime {
namespace {

constexpr std::string_view kKinds[] = {"none", "elf", "cubin", "hsaco"};

std::string seconds_text(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6f", seconds);
  return text;
}

template <class Number>
bool parse_number(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

bool parse_kind(std::string_view text, PayloadKind& kind) {
  for (uint32_t i = 1; i < std::size(kKinds); ++i) {
    if (kKinds[i] == text) {
      kind = static_cast<PayloadKind>(i);
      return true;
    }
  }
  return false;
}

bool parse_field(std::string_view key, std::string_view value, Artifact& artifact) {
  if (key == "kind") return parse_kind(value, artifact.kind);
  if (key == "entry") return artifact.entry = value, true;
  if (key == "num_warps") return parse_number(value, artifact.num_warps);
  if (key == "shared_bytes") return parse_number(value, artifact.shared_bytes);
  if (key == "scratch_bytes") return parse_number(value, artifact.scratch_bytes);
  if (key == "global_scratch_bytes") return parse_number(value, artifact.global_scratch_bytes);
  if (key == "profile_scratch_bytes") return parse_number(value, artifact.profile_scratch_bytes);
  if (key == "frontend_seconds") return parse_number(value, artifact.frontend_seconds);
  if (key == "lowering_seconds") return parse_number(value, artifact.lowering_seconds);
  if (key == "assemble_seconds") return parse_number(value, artifact.assemble_seconds);
  return true;
}

}  // namespace

std::string metadata_text(const Artifact& artifact) {
  std::string text;
  const auto line = [&text](std::string_view key, std::string_view value) {
    text.append(key).append("=").append(value).append("\n");
  };
  line("kind", kKinds[static_cast<uint32_t>(artifact.kind)]);
  line("entry", artifact.entry);
  line("num_warps", std::to_string(artifact.num_warps));
  line("shared_bytes", std::to_string(artifact.shared_bytes));
  line("scratch_bytes", std::to_string(artifact.scratch_bytes));
  line("global_scratch_bytes", std::to_string(artifact.global_scratch_bytes));
  line("profile_scratch_bytes", std::to_string(artifact.profile_scratch_bytes));
  line("frontend_seconds", seconds_text(artifact.frontend_seconds));
  line("lowering_seconds", seconds_text(artifact.lowering_seconds));
  line("assemble_seconds", seconds_text(artifact.assemble_seconds));
  return text;
}

bool parse_metadata(std::string_view text, Artifact& artifact) {
  bool good = true;
  for_each_line(text, [&](std::string_view line) {
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos ||
        !parse_field(line.substr(0, equals), line.substr(equals + 1), artifact)) {
      good = false;
    }
  });
  return good && !artifact.entry.empty() && artifact.kind != PayloadKind::none;
}

}  // namespace tilewise::runtime
