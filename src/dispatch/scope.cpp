// SPDX-License-Identifier: Apache-2.0
#include "dispatch/scope.h"

#include <c10/util/Exception.h>

#include <mutex>

#include "dispatch/registry.h"

namespace tilewise::dispatch {

std::atomic<const Scope*> process_scope{nullptr};
std::atomic<int64_t> open_blocks{0};

void set_process_scope(std::shared_ptr<const Scope> scope) {
  // A call in another thread may still read the scope it loaded: scopes are never freed. One is
  // 260 bytes and enable() is called a handful of times.
  static std::mutex mutex;
  static std::vector<std::shared_ptr<const Scope>> published;
  const std::lock_guard lock(mutex);
  process_scope.store(scope.get(), std::memory_order_release);
  if (scope) published.push_back(std::move(scope));
}

void push_scope(std::shared_ptr<const Scope> scope) {
  c10::ThreadLocalDebugInfo::_push(kScopeSlot, std::make_shared<ScopeInfo>(std::move(scope)));
  open_blocks.fetch_add(1, std::memory_order_relaxed);
}

void pop_scope() {
  c10::ThreadLocalDebugInfo::_pop(kScopeSlot);
  open_blocks.fetch_sub(1, std::memory_order_relaxed);
}

namespace {

// Marks the entries that `name` selects; says whether there was one.
bool select(const std::string& name, std::bitset<kMaxOverloads>& selected) {
  bool found = false;
  for (const OverloadEntry* entry : entries()) {
    if (entry->id < 0) continue;
    if (entry->name == name || entry->name.substr(0, entry->name.find('.')) == name) {
      selected.set(static_cast<size_t>(entry->id));
      found = true;
    }
  }
  return found;
}

}  // namespace

std::shared_ptr<const Scope> make_scope(const std::vector<std::string>& include,
                                        const std::vector<std::string>& exclude, bool strict) {
  auto scope = std::make_shared<Scope>();
  scope->strict = strict;
  std::bitset<kMaxOverloads> included;
  for (const auto& name : include)
    TORCH_CHECK_VALUE(
        select(name, included), "tilewise: include names '", name,
        "', which Tilewise does not take over; `python -m tilewise ops` lists what it does");
  if (!include.empty()) scope->excluded = ~included;
  for (const auto& name : exclude)
    TORCH_CHECK_VALUE(
        select(name, scope->excluded), "tilewise: exclude names '", name,
        "', which Tilewise does not take over; `python -m tilewise ops` lists what it does");
  return scope;
}

}  // namespace tilewise::dispatch
