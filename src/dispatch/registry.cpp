// SPDX-License-Identifier: Apache-2.0
#include "dispatch/registry.h"

#include <ATen/Context.h>
#include <c10/util/Exception.h>

#include <deque>
#include <unordered_set>

#include "dispatch/composite.h"
#include "dispatch/previous_kernel.h"

namespace tilewise::dispatch {
namespace {

constexpr c10::DispatchKey kBackendKeys[kBackends] = {c10::DispatchKey::CPU,
                                                      c10::DispatchKey::CUDA};
constexpr c10::DispatchKey kAutogradKeys[kBackends] = {c10::DispatchKey::AutogradCPU,
                                                       c10::DispatchKey::AutogradCUDA};

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

constexpr int kNoNumber = -1;

// Whether `candidate` takes `functional`'s arguments, then only out= ones. At position `number` it
// takes a number where `functional` takes a tensor.
bool is_same_operator(const c10::FunctionSchema& functional, const c10::FunctionSchema& candidate,
                      int number = kNoNumber) {
  const auto& expected = functional.arguments();
  const auto& actual = candidate.arguments();
  if (actual.size() < expected.size()) return false;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (expected[i].name() != actual[i].name()) return false;
    const bool replaced = static_cast<int>(i) == number;
    if (replaced ? actual[i].type()->kind() != c10::TypeKind::NumberType
                 : *expected[i].type() != *actual[i].type())
      return false;
  }
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

std::unordered_set<c10::OperatorName>& taken_over() {
  static std::unordered_set<c10::OperatorName> names;
  return names;
}

// What registers kernels of ours at a key. Never destroyed: deregistering would run after the
// dispatcher's own destruction at exit.
torch::Library& library(c10::DispatchKey key) {
  static auto& libraries = *new std::map<c10::DispatchKey, torch::Library>;
  const auto found = libraries.find(key);
  if (found != libraries.end()) return found->second;
  return libraries
      .emplace(key, torch::Library(torch::Library::IMPL, "aten", key, __FILE__, __LINE__))
      .first->second;
}

void take_over(const c10::OperatorHandle& handle, const FormBinding& binding, Form form,
               const Registration& registration) {
  const bool has_node = registration.with_autograd != nullptr;
  TORCH_CHECK(has_node || !is_decomposed_by_autograd(handle),
              "tilewise: aten::", overload_name(handle.operator_name()),
              " has no derivative formula of its own (CompositeImplicitAutograd) and must not be "
              "taken over");
  static int next_id = 0;
  const int id = next_id++;
  TORCH_INTERNAL_ASSERT(id < kMaxOverloads);
  taken_over().insert(handle.operator_name());
  for (int backend = 0; backend < kBackends; ++backend) {
    const bool is_gpu = static_cast<Backend>(backend) == Backend::gpu;
    if (is_gpu ? !at::hasCUDA() : registration.gpu_only) continue;
    const bool has_kernel = handle.hasComputedKernelForDispatchKey(kBackendKeys[backend]);
    // _add_relu exists on CPUs only.
    if (!has_kernel && registration.kernel_without_scope == nullptr) continue;
    OverloadEntry& entry = binding.entries[backend];
    TORCH_CHECK(entry.handle == nullptr,
                "tilewise: two registrations claim aten::", overload_name(handle.operator_name()));
    entry.name = overload_name(handle.operator_name());
    entry.backend = static_cast<Backend>(backend);
    entry.form = form;
    entry.id = id;
    entry.handle = &handle;
    entry.previous = has_kernel ? computed_kernel(handle, kBackendKeys[backend])
                                : registration.kernel_without_scope();
    const std::string full = "aten::" + entry.name;
    library(kBackendKeys[backend]).impl(full.c_str(), binding.make_function());
    if (has_node) library(kAutogradKeys[backend]).impl(full.c_str(), registration.with_autograd());
    add_entry(entry);
  }
}

const c10::OperatorHandle& find_operator(std::string_view name) {
  const std::string full(name);
  const size_t dot = full.find('.');
  const std::string overload = dot == std::string::npos ? "" : full.substr(dot + 1);
  auto found = c10::Dispatcher::singleton().findSchema({"aten::" + full.substr(0, dot), overload});
  TORCH_CHECK(found.has_value(), "tilewise: this PyTorch has no operator aten::", full);
  return *keep(*found);
}

// "add" -> "add_", "__lshift__" -> "__ilshift__", as Python names them.
std::string inplace_name(const std::string& base) {
  return base.starts_with("__") ? "__i" + base.substr(2) : base + "_";
}

// Calls `take(overload)` for the overloads of the form `form` that belong to the same kernel as
// `declared`, with a number at position `number`, until it returns true.
template <class Take>
void visit_siblings(const c10::OperatorHandle& declared, Form form, int number, Take&& take) {
  const std::string base = declared.operator_name().name.substr(6);
  const auto range =
      overloads_by_base().equal_range(form == Form::inplace ? inplace_name(base) : base);
  for (auto it = range.first; it != range.second; ++it) {
    auto candidate = c10::Dispatcher::singleton().findSchema(it->second);
    if (!candidate || form_of(candidate->schema()) != form) continue;
    if (!is_same_operator(declared.schema(), candidate->schema(), number)) continue;
    // A form that PyTorch itself decomposes reaches another one, which is ours.
    if (is_decomposed_by_autograd(*candidate)) continue;
    if (take(*candidate)) return;
  }
}

void install_registration(const Registration& registration) {
  const c10::OperatorHandle& declared = find_operator(registration.name);
  const Form form = form_of(declared.schema());
  const FormBinding& binding = registration.forms[static_cast<size_t>(form)];
  TORCH_CHECK(binding.make_function != nullptr, "tilewise: aten::", registration.name,
              " is of a form that its registration does not offer");
  take_over(declared, binding, form, registration);
  if (form != Form::functional || !registration.derive_forms) return;
  for (const Form other : {Form::inplace, Form::out}) {
    const FormBinding& other_binding = registration.forms[static_cast<size_t>(other)];
    if (other_binding.make_function == nullptr) continue;
    visit_siblings(declared, other, kNoNumber, [&](const c10::OperatorHandle& overload) {
      take_over(*keep(overload), other_binding, other, registration);
      return true;
    });
  }
}

// After all registrations: the overloads with a number that none of them has named.
void install_with_numbers(const Registration& registration) {
  if (!registration.derive_forms) return;
  const c10::OperatorHandle& declared = find_operator(registration.name);
  for (int number = 0; number < 2; ++number)
    for (const Form form : {Form::functional, Form::inplace, Form::out}) {
      const FormBinding& binding = registration.with_number[number][static_cast<size_t>(form)];
      if (binding.make_function == nullptr) continue;
      visit_siblings(declared, form, number, [&](const c10::OperatorHandle& overload) {
        if (taken_over().count(overload.operator_name()) != 0) return false;
        take_over(*keep(overload), binding, form, registration);
        return true;
      });
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

Registration::Registration(const char* operator_name, FormBindings bindings, bool derive,
                           KernelMaker without_scope, bool on_gpu, FormBindings first_is_number,
                           FormBindings second_is_number)
    : name(operator_name),
      forms(bindings),
      derive_forms(derive),
      kernel_without_scope(without_scope),
      gpu_only(on_gpu),
      with_number{first_is_number, second_is_number} {
  registrations().push_back(this);
}

CompositeRegistration::CompositeRegistration(const char* operator_name, FormBinding functional,
                                             FunctionMaker autograd_function)
    : Registration(operator_name, {functional}, /*derive_forms=*/false) {
  with_autograd = autograd_function;
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
    for (const Registration* registration : registrations()) install_registration(*registration);
    for (const Registration* registration : registrations()) install_with_numbers(*registration);
  });
}

}  // namespace tilewise::dispatch
