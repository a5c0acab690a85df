// SPDX-License-Identifier: Apache-2.0
// A Triton function that can be launched. Construct it once (static); it lives for the process.
//
//   static const Kernel softmax("normalization/softmax", "softmax_forward");
//
// Two Kernels with the same identity share one id, so a generated kernel may be asked for twice.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tilewise::runtime {

struct KernelIdentity {
  uint32_t id;
  std::string module;  // File under kernels/ without ".py", or the name of a generated kernel.
  std::string function;
  std::string source;  // Empty: the source is the file.

  // "normalization/softmax:softmax_forward", as reports and errors spell it.
  std::string name() const { return module + ":" + function; }
};

class Kernel {
 public:
  // A function of kernels/<module>.py.
  Kernel(std::string_view module, std::string_view function);
  // A generated one: `source` is the whole text of its module. `name` is for people and need not be
  // unique; name, function and source together are the identity.
  Kernel(std::string_view name, std::string_view function, std::string source);

  uint32_t id() const { return identity_->id; }
  const KernelIdentity& identity() const { return *identity_; }

 private:
  const KernelIdentity* identity_;  // Never freed.
};

}  // namespace tilewise::runtime
