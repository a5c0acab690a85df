// SPDX-License-Identifier: Apache-2.0
// What reductions and scans keep while they walk, and the kernel arguments that describe where they
// walk.
#pragma once

#include "ops/framework/dimensions.h"
#include "ops/framework/launch.h"

namespace tilewise::ops {

struct Accumulator {
  enum Type : uint8_t {
    none,     // no further accumulator
    compute,  // the computation type of the call
    index,    // holds a position among the reduced elements: 32 bits, or 64 if needed
    i32,
    i64,
  };
  Type type = none;
  // The neutral element, a Python literal; "lowest" and "highest" of the type.
  const char* identity = "0";
};

// The Python literal of the neutral element.
const char* identity_literal(const char* identity, DType type);

DType accumulator_type(Accumulator::Type type, DType compute, bool has_wide_index);

using DimensionList = c10::SmallVector<Dimension, 8>;  // outermost first

int64_t numel(const DimensionList& dimensions);

// A size, of which only the divisibility matters. (A 1 would become a constexpr, for nothing.)
void add_size(runtime::ArgumentPack& pack, int64_t value);

// Sizes of the dimensions [from, to), counted from the innermost.
void add_sizes(runtime::ArgumentPack& pack, const DimensionList& dimensions, size_t from,
               size_t to);

// A view's strides, innermost first.
void add_strides(runtime::ArgumentPack& pack, const DimensionList& dimensions, size_t view);

}  // namespace tilewise::ops
