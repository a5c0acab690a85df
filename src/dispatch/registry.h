// SPDX-License-Identifier: Apache-2.0
// The operators that Tilewise takes over. A family file under src/ops/ makes a static Registration;
// `install()` finds the overloads in PyTorch's own schemas, keeps the kernels that served them and
// registers ours at the backend keys. Counters live in the entries.
#pragma once

#include <ATen/core/boxing/KernelFunction.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "dispatch/scope.h"

namespace tilewise::dispatch {

// Which of an operator's forms an overload is; read off its schema.
enum class Form : uint8_t { functional, inplace, out };

// Backend keys that are taken over. ROCm's PyTorch uses CUDA's key, so `gpu` is HIP there.
enum class Backend : uint8_t { cpu, gpu };
inline constexpr int kBackends = 2;

inline Backend backend_of(c10::DispatchKeySet ks) {
  return ks.has_backend(c10::BackendComponent::CUDABit) ? Backend::gpu : Backend::cpu;
}

// One overload at one backend key: what to call when it is not served, and what was counted.
struct OverloadEntry {
  std::string name;  // "add.Tensor", "add_.Tensor", "add.out", "relu"
  Backend backend = Backend::cpu;
  Form form = Form::functional;
  int id = -1;  // same for both backends of an overload; -1 for an operator of our own
  const c10::OperatorHandle* handle = nullptr;
  c10::KernelFunction previous;
  std::atomic<int64_t> served{0};

  // Counts a fallback. `reason` must have static storage duration or be interned.
  void count_fallback(const char* reason);
  std::map<std::string, int64_t> fallbacks() const;
  void reset();

 private:
  mutable std::mutex mutex_;
  std::map<std::string, int64_t> fallbacks_;  // guarded by mutex_
};

using FunctionMaker = torch::CppFunction (*)();

// Registers one form of an operator at both backends; instantiated by the ops framework.
struct FormBinding {
  OverloadEntry* entries = nullptr;       // [kBackends]
  FunctionMaker make_function = nullptr;  // nullptr where the form is not offered
};

using KernelMaker = c10::KernelFunction (*)();
using FormBindings = std::array<FormBinding, 3>;  // by Form

// A static object for each operator that a family file declares.
struct Registration {
  // `name`: the overload in its functional form ("add.Tensor"), or the only form it has
  // ("fill_.Scalar"). With `derive_forms`, the in-place and out= overloads of the same kernel are
  // taken over as well, and the overloads in which a number replaces the first or second tensor,
  // unless another registration names them.
  Registration(const char* name, FormBindings forms, bool derive_forms,
               KernelMaker kernel_without_scope = nullptr, bool gpu_only = false,
               FormBindings first_is_number = {}, FormBindings second_is_number = {});
  const char* name;
  FormBindings forms;
  bool derive_forms;
  KernelMaker kernel_without_scope;  // what serves without us where PyTorch has no kernel
  bool gpu_only;                     // an operator that exists for GPUs alone (cuDNN's spelling)
  FormBindings with_number[2];       // by the number's position
  // What serves at the autograd keys, for an operator that autograd decomposes otherwise.
  FunctionMaker with_autograd = nullptr;
};

// Takes the operators over for every backend that this PyTorch has. Called once, by the C API; the
// operators then do what they did before until a scope is in force. Throws for a name without
// schema and for an operator that autograd decomposes (CompositeImplicit), whose gradients would be
// lost.
void install();

// Counts an operator of our own, which took nothing over. `entry` lives for the process.
void add_entry(OverloadEntry& entry);

// Every installed or added entry, in the order of their appearance.
std::vector<OverloadEntry*> entries();

}  // namespace tilewise::dispatch
