// SPDX-License-Identifier: Apache-2.0
// Who is served: `enable()` for the process, `use()` for a thread and a block. An operator's entry
// asks `current_scope()` on each call; a null answer means stock PyTorch.
#pragma once

#include <c10/util/ThreadLocalDebugInfo.h>

#include <atomic>
#include <bitset>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dispatch/torch_version.h"

namespace tilewise::dispatch {

inline constexpr int kMaxOverloads = 2048;

// Immutable once published, so that readers need no lock.
struct Scope {
  std::bitset<kMaxOverloads> excluded;  // by OverloadEntry::id
  bool strict = false;                  // raise instead of falling back
  bool off = false;                     // `use(False)`-style block: stock PyTorch inside enable()
};

// What travels in PyTorch's thread-local state; PyTorch copies the pointer to its autograd threads.
struct ScopeInfo final : c10::DebugInfoBase {
  explicit ScopeInfo(std::shared_ptr<const Scope> s) : scope(std::move(s)) {}
  std::shared_ptr<const Scope> scope;
};

extern std::atomic<const Scope*> process_scope;  // enable(); scopes live as long as the process
extern std::atomic<int64_t> open_blocks;         // use() blocks now open in any thread

// The scope in force on this thread, or nullptr for stock PyTorch. Costs two relaxed loads when
// no `use()` block is open anywhere.
inline const Scope* current_scope() {
  if (open_blocks.load(std::memory_order_relaxed) != 0) [[unlikely]] {
    if (auto* info = static_cast<ScopeInfo*>(c10::ThreadLocalDebugInfo::get(kScopeSlot)))
      return info->scope->off ? nullptr : info->scope.get();
  }
  return process_scope.load(std::memory_order_acquire);
}

// Makes `scope` the process's (nullptr: disable). Old scopes are kept: a reader may still hold one.
void set_process_scope(std::shared_ptr<const Scope> scope);

// Opens and closes a block on this thread; blocks nest.
void push_scope(std::shared_ptr<const Scope> scope);
void pop_scope();

// A scope that serves `include` (empty: everything) but not `exclude`. A name is an overload
// ("add.Tensor") or an operator ("add", all its overloads). Throws for a name that is not taken
// over.
std::shared_ptr<const Scope> make_scope(const std::vector<std::string>& include,
                                        const std::vector<std::string>& exclude, bool strict);

}  // namespace tilewise::dispatch
