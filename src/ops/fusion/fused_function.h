// SPDX-License-Identifier: Apache-2.0
// Functions that a user fuses into one kernel (`@tilewise.pointwise`). Python describes one once,
// as text; from then on it is known by its name, which holds a digest of what it does. So a name
// found in an exported program or in a compiler's cache means the same in every process.
//
//   name=swish_1f09ab3c     unique; the first argument of tilewise::pointwise
//   title=swish             as reports and errors spell it
//   function=swish          what the source calls it
//   parameters=2
//   compute=bif             see promote()
//   results=bif bff         one word for each output
//   arguments=g0 i1 o0      derivatives only: where each parameter comes from
//   source=                 the rest: imports, or the text of the function and what it calls
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "dispatch/registry.h"
#include "ops/framework/pointwise.h"

namespace tilewise::ops {

// A parameter of a derivative: a gradient of an output, or an input or output of the function.
struct DerivativeArgument {
  char kind;  // 'g', 'i', 'o'
  size_t index;
};

struct FusedDefinition {
  std::string name, title, function, compute, source;
  size_t parameters = 0;
  std::vector<std::string> results;
  std::vector<DerivativeArgument> arguments;
};

// Throws c10::Error for a malformed text, which is a mistake of ours.
FusedDefinition parse_definition(std::string_view text);

class FusedFunction {
 public:
  explicit FusedFunction(FusedDefinition definition);

  const FusedDefinition& definition() const { return definition_; }
  dispatch::OverloadEntry& entry(dispatch::Backend backend) {
    return entries_[static_cast<size_t>(backend)];
  }
  size_t outputs() const { return definition_.results.size(); }

  // The kernels for calls in which the parameters whose bits are set are numbers.
  PointwiseFunction& kernels(uint64_t numbers);

 private:
  struct Pattern {
    uint64_t numbers;
    PointwiseFunction function;
    const Pattern* next;
  };

  const FusedDefinition definition_;
  dispatch::OverloadEntry entries_[dispatch::kBackends];
  std::atomic<Pattern*> patterns_{nullptr};  // grows at its head, so that readers need no lock
  std::mutex mutex_;                         // writers
};

// Makes a function known; a name that is known already stays as it is.
void define_fused_function(FusedDefinition definition);

// The function of that name. One that nobody has defined yet (a derivative, mostly) is asked of the
// resolver; throws c10::Error with its reason if there is none.
FusedFunction& fused_function(std::string_view name);

// Python's side: defines `name`, or hands a reason to tilewise_pointwise_fail. 0 on success.
using FusedResolver = int (*)(const char* name, std::string* failure);
void set_fused_resolver(FusedResolver resolver);

// "b", "i", "f": bool, integer or float in relation to the common type of a call's operands. A word
// of three says what becomes of a common type that is bool, integral, floating; "-" that PyTorch
// shall decide. A float of integers is the default dtype, an integer of bools int64.
// Throws dispatch::Refusal for "-" and for a complex type.
at::ScalarType promote(at::ScalarType common, const std::string& word);

}  // namespace tilewise::ops
