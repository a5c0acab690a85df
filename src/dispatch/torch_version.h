// SPDX-License-Identifier: Apache-2.0
// The one header that knows PyTorch versions. Everything that differs between the releases we build
// against (2.11 and 2.13) is named here; no other file tests TORCH_VERSION_*.
#pragma once

#include <c10/util/ThreadLocalDebugInfo.h>
#include <torch/headeronly/version.h>

#if TORCH_VERSION_MAJOR != 2 || TORCH_VERSION_MINOR < 11
#error "Tilewise needs PyTorch 2.11 or newer: install torch==2.13.0 (`make setup` does)"
#endif

// at::impl::MetaBase's set_output_* carried a list of dimension names until 2.12. A subclass writes
//   void set_output_strided(int64_t i, IntArrayRef sizes, IntArrayRef strides,
//                           TensorOptions options TILEWISE_NAMES_PARAMETER) override
// and forwards with `TILEWISE_NAMES_ARGUMENT` after `options`.
#if TORCH_VERSION_MINOR >= 13
#define TILEWISE_NAMES_PARAMETER
#define TILEWISE_NAMES_ARGUMENT
#else
#define TILEWISE_NAMES_PARAMETER , [[maybe_unused]] ::at::DimnameList names
#define TILEWISE_NAMES_ARGUMENT , names
#endif

// Operators that came later.
#define TILEWISE_HAS_FOREACH_CLONE (TORCH_VERSION_MINOR >= 13)

// Nodes of the autograd graph are counted by intrusive_ptr since 2.13, before by shared_ptr.
#if TORCH_VERSION_MINOR >= 13
#define TILEWISE_MAKE_NODE(Class) c10::make_intrusive<Class>()
#else
#define TILEWISE_MAKE_NODE(Class) \
  std::shared_ptr<Class>(new Class, [](Class* node) { torch::autograd::deleteNode(node); })
#endif

namespace tilewise::dispatch {

// Identifies our slot in the thread-local state that PyTorch hands from a thread to the autograd
// threads that work for it. Since 2.13 a slot is an address; before, a small integer of which
// PyTorch itself uses the low ones.
#if TORCH_VERSION_MINOR >= 13
inline constexpr std::string_view kScopeSlotName = "TILEWISE_SCOPE";
inline const c10::DebugInfoKind kScopeSlot(&kScopeSlotName);
#else
inline constexpr auto kScopeSlot = static_cast<c10::DebugInfoKind>(113);
#endif

}  // namespace tilewise::dispatch
