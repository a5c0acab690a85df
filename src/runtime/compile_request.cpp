// SPDX-License-Identifier: Apache-2.0
#include "runtime/compile_request.h"

#include <bit>
#include <cstdio>

#include "base/hash.h"
#include "runtime/compiler_client.h"
#include "runtime/compiler_digest.h"
#include "runtime/source_digest.h"

namespace tilewise::runtime {
namespace {

std::string hexadecimal_float(double value) {
  char text[48];
  std::snprintf(text, sizeof text, "%a", value);
  return text;
}

// "*fp32 aligned", "constexpr int 1024": see the header.
std::string parameter_text(ArgumentKind kind, unsigned detail, const uint64_t*& constant) {
  const auto type = [detail] { return std::string(triton_name(static_cast<DType>(detail))); };
  switch (kind) {
    case ArgumentKind::pointer:
      return "*" + type();
    case ArgumentKind::aligned_pointer:
      return "*" + type() + " aligned";
    case ArgumentKind::scalar:
      return type();
    case ArgumentKind::divisible_scalar:
      return type() + " divisible";
    case ArgumentKind::one:
      return "constexpr one";
    case ArgumentKind::constant_int:
      return "constexpr int " + std::to_string(static_cast<int64_t>(*constant++));
    case ArgumentKind::constant_float:
      return "constexpr float " + hexadecimal_float(std::bit_cast<double>(*constant++));
    case ArgumentKind::constant_dtype:
      return "constexpr dtype " + type();
    case ArgumentKind::constant_bool:
      return std::string("constexpr bool ") + (detail ? "1" : "0");
    case ArgumentKind::constant_none:
      return "constexpr none";
    case ArgumentKind::absent:
      break;
  }
  TILEWISE_ASSERT(false, "argument without a kind");
  return "";
}

}  // namespace

CompileRequest make_request(const KernelIdentity& kernel, const ArgumentPack& arguments,
                            const LaunchOptions& options, DeviceKind device,
                            const std::string& target) {
  CompileRequest request;
  std::string& text = request.text;
  const auto line = [&text](const char* key, const std::string& value) {
    text.append(key).append("=").append(value).append("\n");
  };
  line("tilewise_request", "1");
  line("kernel", kernel.module);
  line("function", kernel.function);
  line("target", target);
  const std::string identity = compiler_identity();
  line("compiler", device == DeviceKind::cpu ? identity : identity.substr(0, identity.find(';')));
  if (device == DeviceKind::cpu) line("cpu_compiler", kCompilerDigest);
  line("source_digest", source_digest(kernel));
  if (device != DeviceKind::cpu) {
    line("num_warps", std::to_string(options.num_warps));
    line("num_stages", std::to_string(options.num_stages));
  }
  line("fp_fusion", options.fp_fusion ? "1" : "0");
  // libdevice's functions keep denormals, as ATen's do: Triton's default flushes them.
  if (device == DeviceKind::cuda) line("libdevice_ftz", "0");
  const uint64_t* constant = arguments.constants();
  for (int i = 0; i < arguments.size(); ++i) {
    const auto tag = static_cast<unsigned>(arguments.tag_words()[i / 8] >> (i % 8 * 8)) & 255;
    line("parameter", parameter_text(static_cast<ArgumentKind>(tag >> 4), tag & 15, constant));
  }
  if (!kernel.source.empty()) text.append("source=\n").append(kernel.source);
  request.key = sha256_hex(text);
  return request;
}

}  // namespace tilewise::runtime
