// SPDX-License-Identifier: Apache-2.0
// Elementary functions as text of LLVM functions, because LLVM alone would call libm once per lane.
// A module that uses one gets, once each: math_declarations(), and every text by its name.
//
//   std::string name;
//   module += math_function(MathOp::exp, FloatType::f32, 16, target, name);
//   body += "%y = call <16 x float> @" + name + "(<16 x float> %x)\n";
//
// The functions are free of side effects, hold for all inputs (NaN, infinities, signed zeros,
// denormals), and state their error in units in the last place beside their definitions. sqrt, abs,
// floor, ceil, trunc, rint, fma and copysign are intrinsics of LLVM and not here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "compiler/llvm/float_type.h"
#include "compiler/target.h"

namespace tilewise::compiler {

enum class MathOp : uint8_t {
  // keep-sorted
  acos,
  acosh,
  asin,
  asinh,
  atan,
  atan2,
  atanh,
  cos,
  cosh,
  erf,
  erfc,
  exp,
  exp2,
  expm1,
  fmod,
  log,
  log10,
  log1p,
  log2,
  pow,
  rsqrt,
  sin,
  sinh,
  tan,
  tanh,
};

const char* math_op_name(MathOp op);                        // "exp"
bool math_op_from_name(std::string_view name, MathOp& op);  // false: there is none of that name.
int math_op_arity(MathOp op);                               // 2 for atan2, fmod and pow, else 1.

// The text of `internal alwaysinline TYPE @NAME(TYPE, ...)`, TYPE being llvm_vector_name(type,
// lanes), together with what it calls, and in `name` its name without the @, for example
// "tw_exp_v16f32" (lanes == 1: "tw_exp_f32"). Only f32 and f64: narrower ones compute in f32.
// Any lanes >= 1; equal arguments give equal text and names.
std::string math_function(MathOp op, FloatType type, int lanes, const Target& target,
                          std::string& name);

// Declarations of the functions that any of the texts may call; unused ones cost nothing.
std::string math_declarations(const Target& target);

}  // namespace tilewise::compiler
