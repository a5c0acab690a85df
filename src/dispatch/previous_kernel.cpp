// SPDX-License-Identifier: Apache-2.0
#include "dispatch/previous_kernel.h"

namespace tilewise::dispatch {
namespace {

// OperatorHandle keeps its entry in a private member. C++ lets an explicit template instantiation
// name private members ([temp.spec]/6): `Reader` below is instantiated with the member's address
// and defines the friend function through which we read it.

template <auto Member>
struct Reader {
  friend const c10::impl::OperatorEntry& entry_of(const c10::OperatorHandle& op) {
    return (op.*Member)->op;
  }
};
const c10::impl::OperatorEntry& entry_of(const c10::OperatorHandle& op);
template struct Reader<&c10::OperatorHandle::operatorDef_>;

}  // namespace

c10::KernelFunction computed_kernel(const c10::OperatorHandle& op, c10::DispatchKey key) {
  return entry_of(op).lookup(c10::DispatchKeySet(key));
}

}  // namespace tilewise::dispatch
