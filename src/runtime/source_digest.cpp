// SPDX-License-Identifier: Apache-2.0
#include "runtime/source_digest.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>
#include <stdexcept>

#include "base/hash.h"
#include "base/settings.h"
#include "runtime/text_lines.h"

namespace tilewise::runtime {
namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  if (!file) throw std::runtime_error("cannot read the kernel source " + path.string());
  return content.str();
}

std::string_view word(std::string_view& text) {
  const size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
  const size_t end = std::min(text.find_first_of(" \t,;#(\r", begin), text.size());
  const std::string_view found = text.substr(begin, end - begin);
  text.remove_prefix(end);
  return found;
}

// Text of every file reached, by its path: an ordered map makes the digest independent of the order
// of imports.
class SourceClosure {
 public:
  explicit SourceClosure(fs::path root) : root_(std::move(root)) {}

  void add_file(const fs::path& path) {
    const std::string name = path.lexically_relative(root_).generic_string();
    if (const auto [position, is_new] = files_.try_emplace(name); is_new) {
      position->second = read_file(path);
      scan(position->second, path.parent_path());
    }
  }

  // Follows "import a.b [as c], d" and "from a.b import c". A line inside a string is followed too:
  // one dependency too many costs a compilation, one too few a wrong kernel.
  void scan(std::string_view source, const fs::path& folder) {
    for_each_line(source, [&](std::string_view line) {
      const std::string_view keyword = word(line);
      if (keyword == "from") {
        add_module(word(line), folder);
      } else if (keyword == "import") {
        for (std::string_view rest = line;;) {
          add_module(word(rest), folder);
          const size_t comma = rest.find(',');
          if (comma == std::string_view::npos) break;
          rest.remove_prefix(comma + 1);
        }
      }
    });
  }

  std::string digest() const {
    Sha256 hash;
    for (const auto& [name, content] : files_) {
      hash.update(name + "\n" + std::to_string(content.size()) + "\n");
      hash.update(content);
    }
    return to_hex(hash.finish());
  }

 private:
  // A module that is not under kernels/ (triton, math) is none of ours.
  void add_module(std::string_view dotted, const fs::path& folder) {
    if (dotted.empty()) return;
    fs::path base = root_;
    if (dotted.front() == '.') {
      base = folder;
      for (dotted.remove_prefix(1); !dotted.empty() && dotted.front() == '.';) {
        base = base.parent_path();
        dotted.remove_prefix(1);
      }
    }
    std::string relative(dotted);
    std::replace(relative.begin(), relative.end(), '.', '/');
    const fs::path path = relative.empty() ? base : base / relative;
    std::error_code error;
    if (fs::path file = path; fs::is_regular_file(file += ".py", error)) {
      add_file(file);
    } else if (fs::is_directory(path, error) && !fs::equivalent(path, root_, error)) {
      // "from common import a": which files the names are is not worth parsing, so all of them.
      for (const auto& entry : fs::directory_iterator(path)) {
        if (entry.path().extension() == ".py") add_file(entry.path());
      }
    }
  }

  const fs::path root_;
  std::map<std::string, std::string> files_;
};

}  // namespace

std::string source_digest(const KernelIdentity& kernel, const std::string& kernels_dir) {
  SourceClosure closure{fs::path(kernels_dir)};
  if (!kernel.source.empty()) {
    if (!kernels_dir.empty()) closure.scan(kernel.source, fs::path(kernels_dir));
    return sha256_hex(closure.digest() + kernel.source);
  }
  if (kernels_dir.empty()) {
    throw std::runtime_error(
        "the folder of Triton kernels was not found beside libtilewise.so; set "
        "TILEWISE_KERNELS_DIR to it");
  }
  closure.add_file(fs::path(kernels_dir) / (kernel.module + ".py"));
  return closure.digest();
}

std::string source_digest(const KernelIdentity& kernel) {
  static std::mutex mutex;
  static auto& known = *new std::map<std::string, std::string>;
  // A generated source is digested once per compilation, which is once per specialization.
  if (!kernel.source.empty()) return source_digest(kernel, settings().kernels_dir);
  const std::lock_guard lock(mutex);
  std::string& digest = known[kernel.module];
  if (digest.empty()) digest = source_digest(kernel, settings().kernels_dir);
  return digest;
}

}  // namespace tilewise::runtime
