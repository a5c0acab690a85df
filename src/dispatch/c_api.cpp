// SPDX-License-Identifier: Apache-2.0
// What Python calls, through ctypes: C functions without exceptions. A function that can fail
// returns 0 on success and else a text in `*error`, to be freed with `tilewise_free`. Tables come
// as lines of tab-separated fields.
#include <c10/util/Exception.h>

#include <sstream>

#include "base/c_string.h"
#include "dispatch/registry.h"
#include "dispatch/scope.h"

#define TILEWISE_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

using namespace tilewise::dispatch;  // NOLINT: this file is the C face of that namespace

template <class F>
int guarded(char** error, F&& body) {
  try {
    body();
    return 0;
  } catch (const c10::Error& e) {
    *error = tilewise::to_c_string(e.what_without_backtrace());
  } catch (const std::exception& e) {
    *error = tilewise::to_c_string(e.what());
  }
  return 1;
}

std::vector<std::string> split_lines(const char* text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);)
    if (!line.empty()) lines.push_back(line);
  return lines;
}

const char* backend_name(Backend backend) { return backend == Backend::cpu ? "cpu" : "cuda"; }

using ScopeHandle = std::shared_ptr<const Scope>;

}  // namespace

TILEWISE_EXPORT int tilewise_install(char** error) {
  return guarded(error, [] { install(); });
}

// `include` and `exclude`: one name a line. The scope is kept until tilewise_release_scope.
TILEWISE_EXPORT int tilewise_make_scope(const char* include, const char* exclude, int strict,
                                        void** scope, char** error) {
  return guarded(error, [&] {
    *scope = new ScopeHandle(make_scope(split_lines(include), split_lines(exclude), strict != 0));
  });
}

// A scope in which stock PyTorch serves everything.
TILEWISE_EXPORT void* tilewise_make_stock_scope() {
  auto scope = std::make_shared<Scope>();
  scope->off = true;
  return new ScopeHandle(std::move(scope));
}

TILEWISE_EXPORT void tilewise_release_scope(void* scope) {
  delete static_cast<ScopeHandle*>(scope);
}

// nullptr: disable.
TILEWISE_EXPORT void tilewise_set_process_scope(void* scope) {
  set_process_scope(scope == nullptr ? nullptr : *static_cast<ScopeHandle*>(scope));
}

TILEWISE_EXPORT void tilewise_push_scope(void* scope) {
  push_scope(*static_cast<ScopeHandle*>(scope));
}

TILEWISE_EXPORT void tilewise_pop_scope() { pop_scope(); }

// A reason may quote a compiler; in a table it is one line, cut where nobody reads on.
static std::string one_line(std::string reason) {
  constexpr size_t kLongest = 200;
  if (reason.size() > kLongest) reason.resize(kLongest);
  for (char& c : reason)
    if (c == '\n' || c == '\t') c = ' ';
  return reason;
}

// Lines: name, backend, served, then reason and count of each fallback.
TILEWISE_EXPORT char* tilewise_operator_counters() {
  std::ostringstream out;
  for (const OverloadEntry* entry : entries()) {
    out << entry->name << '\t' << backend_name(entry->backend) << '\t'
        << entry->served.load(std::memory_order_relaxed);
    for (const auto& [reason, count] : entry->fallbacks())
      out << '\t' << one_line(reason) << '\t' << count;
    out << '\n';
  }
  return tilewise::to_c_string(out.str());
}

TILEWISE_EXPORT void tilewise_reset_counters() {
  for (OverloadEntry* entry : entries()) entry->reset();
}
