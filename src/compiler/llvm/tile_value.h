// SPDX-License-Identifier: Apache-2.0
// What a nest knows about a tensor's lanes in the chunk at hand.
//
// Note [Address arithmetic does not wrap]: integers that are affine in the lane index (a range plus
// or times something uniform) are kept as first lane and stride. When such an i32 is widened to i64
// or added to a pointer, the sum of lanes is formed in 64 bits. That differs from wrapping i32
// lanes only if a tile's own index range crosses 2^31, which Triton's AxisInfo analysis rules out
// in the same way.
#pragma once

#include <string>

#include "compiler/ttir/types.h"

namespace tilewise::compiler {

struct TileValue {
  enum class Form : uint8_t {
    uniform,  // `text` is the scalar that all lanes are
    affine,   // lane i is text + i * stride; integers and pointers only
    vector,   // `text` is the vector
  };
  Form form = Form::uniform;
  ScalarKind kind = ScalarKind::none;
  ScalarKind pointee = ScalarKind::none;  // Of pointers.
  std::string text;
  std::string stride;          // Of the kind of the integer; of pointers i64, in elements.
  int level = 0;               // The loop whose body holds it; 0: outside of the nest's loops.
  mutable std::string vector;  // The same as a vector, once it was needed.

  bool is_true() const { return form == Form::uniform && text == "true"; }
  bool is_false() const { return form == Form::uniform && text == "false"; }
};

}  // namespace tilewise::compiler
