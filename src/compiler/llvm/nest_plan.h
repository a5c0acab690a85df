// SPDX-License-Identifier: Apache-2.0
// The loops of a nest, before any code: which dimension the vector registers run along, how many
// lanes a step takes, in which order the loops stand.
//
//   nest [4, 1000] of f32, both operands contiguous along 1, AVX-512
//     -> loops: dim 0 (4 steps of 1), dim 1 (15.6 steps of 64 lanes)
#pragma once

#include <cstdint>
#include <vector>

#include "compiler/target.h"
#include "compiler/tile_ir/index_map.h"
#include "compiler/tile_ir/nodes.h"

namespace tilewise::compiler {

struct NestLoop {
  int dim;
  int64_t extent;
  int step;  // The number of lanes in the vector loop, 1 in others.
};

struct NestPlan {
  int vector_dim = -1;
  int lanes = 1;
  int vector_level = 0;         // 0: there is no vector loop.
  int axis_level = 0;           // Of the nest's reductions and scans.
  int cost = 0;                 // Of one lane, in additions.
  int work = 0;                 // The same without addresses, masks and loads.
  int widening = 0;             // Of the work, conversions to wider floats.
  bool converts = false;        // Elements have more than one size.
  bool prefetches = false;      // See Note [Long nests prefetch] in nest_emitter.h.
  std::vector<NestLoop> loops;  // loops[level - 1], outermost first.

  // How often the innermost body runs.
  int64_t iterations() const;
  // An addition and a selection for each element at most, so that loads run far ahead. See Note
  // [Which cache a page's line is for] in nest_emitter.h.
  bool is_light() const;
};

NestPlan plan_nest(const TileProgram& program, const Item& nest, const Target& target);

// The map of a nest's whole shape. A reduction along a dimension of extent 1 still has its loop.
IndexMap nest_identity(const Item& nest);

// A scan from the last element to the first.
bool is_reversed_scan(const Root& root);

// A nest that materializes a tensor evaluates it; others read its buffer.
bool is_computed_in(const TileProgram& program, const Item& nest, const Value* value);

// True if the nest reads the value from its buffer.
bool is_read_by(const TileProgram& program, const Item& nest, const Value* value);

}  // namespace tilewise::compiler
