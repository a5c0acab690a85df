// SPDX-License-Identifier: Apache-2.0
#include "base/settings.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>

namespace tilewise {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::string find_cache_dir() {
  if (std::string dir = environment("TILEWISE_CACHE_DIR"); !dir.empty()) return dir;
  if (std::string dir = environment("XDG_CACHE_HOME"); !dir.empty()) return dir + "/tilewise";
  if (std::string home = environment("HOME"); !home.empty()) return home + "/.cache/tilewise";
  return "";  // The store is then in memory only and says so.
}

// A wheel has tilewise/lib/libtilewise.so and tilewise/kernels; a build folder or an editable
// install sits some levels below the repository, which holds kernels/ at its top.
std::string find_kernels_dir() {
  if (std::string dir = environment("TILEWISE_KERNELS_DIR"); !dir.empty()) return dir;
  Dl_info info;
  if (dladdr(reinterpret_cast<const void*>(&find_kernels_dir), &info) == 0) return "";
  std::error_code error;
  auto folder = std::filesystem::absolute(info.dli_fname, error).parent_path();
  for (int level = 0; level < 5 && folder.has_relative_path(); ++level) {
    const auto candidate = folder / "kernels";
    if (std::filesystem::is_directory(candidate, error)) return candidate.string();
    folder = folder.parent_path();
  }
  return "";
}

}  // namespace

const Settings& settings() {
  static const Settings loaded = {
      .cache_dir = find_cache_dir(),
      .kernels_dir = find_kernels_dir(),
      .compile_mode = environment("TILEWISE_COMPILE"),
      .log = environment("TILEWISE_LOG"),
      .cpu_target = environment("TILEWISE_CPU_TARGET"),
  };
  return loaded;
}

}  // namespace tilewise
