// SPDX-License-Identifier: Apache-2.0
#include "ops/fusion/fused_function.h"

#include <c10/core/DefaultDtype.h>
#include <c10/util/Exception.h>

#include <charconv>
#include <sstream>
#include <unordered_map>

#include "dispatch/refusal.h"

namespace tilewise::ops {
namespace {

// Replaced as a whole by each definition and never freed: readers need no lock. Definitions number
// in the tens.
using Table = std::unordered_map<std::string_view, FusedFunction*>;

std::atomic<const Table*> table{new Table};
std::mutex table_mutex;  // writers
std::atomic<FusedResolver> resolver{nullptr};

FusedFunction* find(std::string_view name) {
  const Table& known = *table.load(std::memory_order_acquire);
  const auto found = known.find(name);
  return found == known.end() ? nullptr : found->second;
}

std::vector<std::string> words(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> list;
  for (std::string word; stream >> word;) list.push_back(word);
  return list;
}

size_t to_number(std::string_view text) {
  size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  TORCH_CHECK(error == std::errc() && end == text.data() + text.size(),
              "tilewise: a definition holds '", text, "' where a number belongs");
  return number;
}

// The function in a generated kernel: parameters sorted as the generator passes them, tensors
// first, around the one of the definition.
codegen::ScalarFunction sorted_function(const FusedDefinition& definition, uint64_t numbers) {
  std::string first, last, call;
  for (size_t i = 0; i < definition.parameters; ++i) {
    const std::string name = "parameter_" + std::to_string(i);
    (((numbers >> i) & 1) != 0 ? last : first) += name + ", ";
    call += (call.empty() ? "" : ", ") + name;
  }
  std::string parameters = first + last;
  if (!parameters.empty()) parameters.resize(parameters.size() - 2);
  const std::string entry = "fused_" + definition.title;
  return {"", entry, "",
          definition.source + "\n\n\n@triton.jit\ndef " + entry + "(" + parameters +
              "):\n    return " + definition.function + "(" + call + ")"};
}

}  // namespace

FusedDefinition parse_definition(std::string_view text) {
  FusedDefinition result;
  const size_t source = text.find("\nsource=\n");
  TORCH_CHECK(source != std::string_view::npos, "tilewise: a definition without source");
  result.source = text.substr(source + 9);
  std::istringstream head{std::string(text.substr(0, source))};
  for (std::string line; std::getline(head, line);) {
    const size_t equals = line.find('=');
    const std::string key = line.substr(0, equals);
    const std::string value = line.substr(equals + 1);
    if (key == "name") {
      result.name = value;
    } else if (key == "title") {
      result.title = value;
    } else if (key == "function") {
      result.function = value;
    } else if (key == "parameters") {
      result.parameters = to_number(value);
    } else if (key == "compute") {
      result.compute = value;
    } else if (key == "results") {
      result.results = words(value);
    } else if (key == "arguments") {
      for (const std::string& word : words(value))
        result.arguments.push_back({word[0], to_number(std::string_view(word).substr(1))});
    }
  }
  TORCH_CHECK(result.parameters <= 64 && !result.results.empty() && !result.name.empty(),
              "tilewise: an incomplete definition of '", result.name, "'");
  return result;
}

FusedFunction::FusedFunction(FusedDefinition definition) : definition_(std::move(definition)) {
  for (int backend = 0; backend < dispatch::kBackends; ++backend) {
    entries_[backend].name = "tilewise::" + definition_.title;
    entries_[backend].backend = static_cast<dispatch::Backend>(backend);
    dispatch::add_entry(entries_[backend]);
  }
}

PointwiseFunction& FusedFunction::kernels(uint64_t numbers) {
  const auto search = [&]() -> Pattern* {
    for (Pattern* pattern = patterns_.load(std::memory_order_acquire); pattern != nullptr;
         pattern = const_cast<Pattern*>(pattern->next))
      if (pattern->numbers == numbers) return pattern;
    return nullptr;
  };
  if (Pattern* found = search()) return found->function;
  const std::lock_guard lock(mutex_);
  if (Pattern* found = search()) return found->function;
  auto* pattern = new Pattern{numbers, PointwiseFunction(sorted_function(definition_, numbers)),
                              patterns_.load(std::memory_order_relaxed)};
  patterns_.store(pattern, std::memory_order_release);
  return pattern->function;
}

void define_fused_function(FusedDefinition definition) {
  const std::lock_guard lock(table_mutex);
  if (find(definition.name) != nullptr) return;
  auto* function = new FusedFunction(std::move(definition));
  auto* next = new Table(*table.load(std::memory_order_relaxed));
  next->emplace(function->definition().name, function);
  table.store(next, std::memory_order_release);
}

FusedFunction& fused_function(std::string_view name) {
  if (FusedFunction* found = find(name)) return *found;
  const FusedResolver ask = resolver.load(std::memory_order_acquire);
  TORCH_CHECK(ask != nullptr, "tilewise: no fused function is called '", name, "'");
  std::string failure;
  const int failed = ask(std::string(name).c_str(), &failure);
  FusedFunction* const found = find(name);
  TORCH_CHECK_NOT_IMPLEMENTED(failed == 0 && found != nullptr, failure);
  return *found;
}

void set_fused_resolver(FusedResolver value) { resolver.store(value, std::memory_order_release); }

at::ScalarType promote(at::ScalarType common, const std::string& word) {
  const int column = common == at::kBool                             ? 0
                     : at::isIntegralType(common, /*includeBool=*/0) ? 1
                     : at::isFloatingType(common)                    ? 2
                                                                     : -1;
  if (column < 0) throw dispatch::Refusal{"dtype without a Triton type"};
  switch (word[static_cast<size_t>(column)]) {
    case 'b':
      return at::kBool;
    case 'i':
      return column == 1 ? common : at::kLong;
    case 'f':
      return column == 2 ? common : c10::get_default_dtype_as_scalartype();
    default:
      throw dispatch::Refusal{"function is not defined for this dtype"};
  }
}

}  // namespace tilewise::ops
