// SPDX-License-Identifier: Apache-2.0
// Every environment variable that libtilewise reads, read once per process.
//
//   TILEWISE_CACHE_DIR     folder of the artifact store (else $XDG_CACHE_HOME/tilewise, else
//                          ~/.cache/tilewise)
//   TILEWISE_KERNELS_DIR   folder of the Triton sources (else found beside libtilewise.so)
//   TILEWISE_COMPILE       wait | cached: what a launch without a binary does
//   TILEWISE_LOG           comma list of fallback, cache, launch, compile: printed to stderr
//   TILEWISE_CPU_TARGET    CPU target to compile for instead of the running chip's best, which must
//                          run it (compiler/target.h)
#pragma once

#include <string>

namespace tilewise {

struct Settings {
  std::string cache_dir;
  std::string kernels_dir;  // Empty if no folder of kernels was found.
  std::string compile_mode;
  std::string log;
  std::string cpu_target;  // Empty: the running chip.
};

const Settings& settings();

}  // namespace tilewise
