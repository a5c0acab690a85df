// SPDX-License-Identifier: Apache-2.0
// The text that a compiler gets: every input of the compilation and nothing else, so its hash names
// the artifact. Built only when a launch misses.
//
//   tilewise_request=1
//   kernel=normalization/softmax
//   function=softmax_forward
//   target=cuda:90
//   compiler=triton=3.6.0            (and, for CPU targets, ";llvmlite=0.50.0")
//   cpu_compiler=5b1f...             (CPU targets: digest of our compiler's sources)
//   source_digest=9c0e...            (the kernel's file and the kernel files that it imports)
//   num_warps=4                      (GPUs)
//   num_stages=2                     (GPUs)
//   fp_fusion=1
//   parameter=*fp32 aligned          (one line per parameter, in order)
//   parameter=i64
//   parameter=i32 divisible
//   parameter=constexpr one          (a stride of 1)
//   parameter=constexpr int 1024
//   parameter=constexpr float 0x1.8p+1
//   parameter=constexpr dtype fp32
//   parameter=constexpr bool 1
//   parameter=constexpr none
//   source=                          (generated kernels: the rest of the text is the module)
#pragma once

#include <string>

#include "runtime/argument_pack.h"
#include "runtime/kernel.h"
#include "runtime/launch_options.h"

namespace tilewise::runtime {

struct CompileRequest {
  std::string text;
  std::string key;  // SHA-256 of the text, hexadecimal.
};

// Throws std::runtime_error if the kernel's file cannot be read.
CompileRequest make_request(const KernelIdentity& kernel, const ArgumentPack& arguments,
                            const LaunchOptions& options, DeviceKind device,
                            const std::string& target);

}  // namespace tilewise::runtime
