// SPDX-License-Identifier: Apache-2.0
// An operator that autograd decomposes (CompositeImplicit) can be taken over by functions that make
// the node of the autograd graph themselves: one at each backend's key and one at its autograd key.
#pragma once

#include "dispatch/registry.h"

namespace tilewise::dispatch {

// A static object for each of them. `install()` finds it among the others.
struct CompositeRegistration : Registration {
  CompositeRegistration(const char* name, FormBinding functional, FunctionMaker autograd_function);
};

}  // namespace tilewise::dispatch
