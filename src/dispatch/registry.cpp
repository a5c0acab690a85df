// SPDX-License-Identifier: Apache-2.0
#include "dispatch/registry.h"

#include <ATen/Context.h>
#include <c10/util/Exception.h>

#include <deque>

#include "dispatch/previous_kernel.h"

namespace tilewise::dispatch {
namespace {

constexpr c10::DispatchKey kBackendKeys[kBackends] = {c10::DispatchKey::CPU,
                                                      c10::DispatchKey::CUDA};

std::vector<Registration*>& registrations() {
  static std::vector<Registration*> list;
  return list;
}

struct Entries {
  std::mutex mutex;
  std::vector<OverloadEntry*> list;
};

Entries& all_entries() {
  static auto* const instance = new Entries;
  return *instance;
}

Form form_of(const c10::FunctionSchema& schema) {
  for (const auto& argument : schema.arguments())
    if (argument.is_out()) return Form::out;
  for (const auto& argument : schema.arguments())
    if (argument.alias_info() != nullptr && argument.alias_info()->isWrite()) return Form::inplace;
  return Form::functional;
}

// Whether `candidate` takes `functional`'s arguments, then only out= ones.
bool is_same_operator(const c10::FunctionSchema& functional, const c10::FunctionSchema& candidate) {
  const auto& expected = functional.arguments();
  const auto& actual = candidate.arguments();
  if (actual.size() < expected.size()) return false;
  for (size_t i = 0; i < expected.size(); ++i)
    if (expected[i].name() != actual[i].name() || *expected[i].type() != *actual[i].type())
      return false;
  for (size_t i = expected.size(); i < actual.size(); ++i)
    if (!actual[i].is_out()) return false;
  return true;
}

std::string overload_name(const c10::OperatorName& name) {
  const std::string base = name.name.substr(name.name.find("::") + 2);
  return name.overload_name.empty() ? base : base + "." + name.overload_name;
}

// Every overload of aten, by base name. getAllOpNames walks all ~3000 operators: once.
const std::multimap<std::string, c10::OperatorName>& overloads_by_base() {
  static const auto index = [] {
    std::multimap<std::string, c10::OperatorName> result;
    for (const auto& name : c10::Dispatcher::singleton().getAllOpNames())
      if (name.name.rfind("aten::", 0) == 0) result.emplace(name.name.substr(6), name);
    return result;
  }();
  return index;
}

// Handles are kept for the life of the process: entries point at them.
const c10::OperatorHandle* keep(const c10::OperatorHandle& handle) {
  static std::deque<c10::OperatorHandle> handles;
  return &handles.emplace_back(handle);
}

// Autograd differentiates through the decomposition of such an operator; a kernel of ours below
// autograd would leave gradients at None. Some (silu_backward) have a decomposition and a formula.
bool is_decomposed_by_autograd(const c10::OperatorHandle& handle) {
  return handle.hasKernelForDispatchKey(c10::DispatchKey::CompositeImplicitAutograd) &&
         !handle.hasKernelForDispatchKey(c10::DispatchKey::Autograd);
}

void take_over(torch::Library* libraries[kBackends], const c10::OperatorHandle& handle,
               const FormBinding& binding, Form form, const Registration& registration) {
  TORCH_CHECK(!is_decomposed_by_autograd(handle),
              "tilewise: aten::", overload_name(handle.operator_name()),
              " has no derivative formula of its own (CompositeImplicitAutograd) and must not be "
              "taken over");
  static int next_id = 0;
  const int id = next_id++;
  TORCH_INTERNAL_ASSERT(id < kMaxOverloads);
  for (int backend = 0; backend < kBackends; ++backend) {
    if (libraries[backend] == nullptr) continue;
    if (registration.gpu_only && static_cast<Backend>(backend) == Backend::cpu) continue;
    OverloadEntry& entry = binding.entries[backend];
    TORCH_CHECK(entry.handle == nullptr,
                "tilewise: two registrations claim aten::", overload_name(handle.operator_name()));
    entry.name = overload_name(handle.operator_name());
    entry.backend = static_cast<Backend>(backend);
    entry.form = form;
    entry.id = id;
    entry.handle = &handle;
    const bool is_new = registration.kernel_without_scope != nullptr &&
                        !handle.hasComputedKernelForDispatchKey(kBackendKeys[backend]);
    entry.previous = is_new ? registration.kernel_without_scope()
                            : computed_kernel(handle, kBackendKeys[backend]);
    libraries[backend]->impl(("aten::" + entry.name).c_str(), binding.make_function());
    add_entry(entry);
  }
}

void install_registration(torch::Library* libraries[kBackends], const Registration& registration) {
  const std::string full = registration.name;
  const size_t dot = full.find('.');
  const std::string base = full.substr(0, dot);
  const std::string overload = dot == std::string::npos ? "" : full.substr(dot + 1);
  auto found = c10::Dispatcher::singleton().findSchema({"aten::" + base, overload});
  TORCH_CHECK(found.has_value(), "tilewise: this PyTorch has no operator aten::", full);
  const c10::OperatorHandle& declared = *keep(*found);
  const Form form = form_of(declared.schema());
  const FormBinding& binding = registration.forms[static_cast<int>(form)];
  TORCH_CHECK(binding.make_function != nullptr, "tilewise: aten::", full,
              " is of a form that its registration does not offer");
  take_over(libraries, declared, binding, form, registration);
  if (form != Form::functional || !registration.derive_forms) return;

  // The in-place and out= forms that PyTorch derives from the same kernel.
  for (const Form other : {Form::inplace, Form::out}) {
    const FormBinding& other_binding = registration.forms[static_cast<int>(other)];
    if (other_binding.make_function == nullptr) continue;
    const auto range = overloads_by_base().equal_range(other == Form::inplace ? base + "_" : base);
    for (auto it = range.first; it != range.second; ++it) {
      auto candidate = c10::Dispatcher::singleton().findSchema(it->second);
      if (!candidate || form_of(candidate->schema()) != other) continue;
      if (!is_same_operator(declared.schema(), candidate->schema())) continue;
      // A form that PyTorch itself decomposes reaches the functional or out= form, which is ours.
      if (is_decomposed_by_autograd(*candidate)) continue;
      take_over(libraries, *keep(*candidate), other_binding, other, registration);
      break;
    }
  }
}

// Overriding a kernel warns once a process ("Overriding a previously registered kernel"). It is
// what we are here for.
class SilentWarnings final : public c10::WarningHandler {
 public:
  void process(const c10::Warning&) override {}
};

}  // namespace

void OverloadEntry::count_fallback(const char* reason) {
  const std::lock_guard lock(mutex_);
  ++fallbacks_[reason];
}

std::map<std::string, int64_t> OverloadEntry::fallbacks() const {
  const std::lock_guard lock(mutex_);
  return fallbacks_;
}

void OverloadEntry::reset() {
  served.store(0, std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  fallbacks_.clear();
}

Registration::Registration(const char* operator_name, FormBinding functional, FormBinding inplace,
                           FormBinding out, bool derive, KernelMaker without_scope, bool on_gpu)
    : name(operator_name),
      forms{functional, inplace, out},
      derive_forms(derive),
      kernel_without_scope(without_scope),
      gpu_only(on_gpu) {
  registrations().push_back(this);
}

void add_entry(OverloadEntry& entry) {
  const std::lock_guard lock(all_entries().mutex);
  all_entries().list.push_back(&entry);
}

std::vector<OverloadEntry*> entries() {
  const std::lock_guard lock(all_entries().mutex);
  return all_entries().list;
}

void install() {
  static std::once_flag once;
  std::call_once(once, [] {
    SilentWarnings silent;
    const c10::WarningUtils::WarningHandlerGuard guard(&silent);
    // Leaked: deregistering would run after the dispatcher's own destruction at exit.
    auto* cpu =
        new torch::Library(torch::Library::IMPL, "aten", c10::DispatchKey::CPU, __FILE__, __LINE__);
    auto* gpu = at::hasCUDA() ? new torch::Library(torch::Library::IMPL, "aten",
                                                   c10::DispatchKey::CUDA, __FILE__, __LINE__)
                              : nullptr;
    torch::Library* libraries[kBackends] = {cpu, gpu};
    for (const Registration* registration : registrations())
      install_registration(libraries, *registration);
  });
}

}  // namespace tilewise::dispatch
