// SPDX-License-Identifier: Apache-2.0
// Elementwise operations for a number of lanes (1: scalars), the same code for tiles, scalars of
// the kernel and combine regions. Operands and results are LLVM values of exactly that many lanes.
//
// Numeric contract: f16 and bf16 compute in f32 and round once per operation, to nearest even.
// Integers wrap; what LLVM leaves undefined is defined here: division by zero divides by one,
// INT_MIN / -1 wraps, shifts by the width or more give 0 (or the sign). f32 and f64 sums and
// products may contract to fused multiply-adds, as Triton does on GPUs; nothing is reassociated.
#pragma once

#include <string>
#include <vector>

#include "compiler/llvm/text_builder.h"
#include "compiler/ttir/ir.h"

namespace tilewise::compiler {

enum class Rounding : uint8_t { nearest_even, toward_zero };

class LaneOps {
 public:
  LaneOps(TextBuilder& builder, ModuleText& module) : b_(builder), module_(module) {}

  // The results of an elementwise operation.
  std::vector<std::string> emit(const Operation& op, const std::vector<std::string>& operands,
                                int lanes);

  // A combine region's results for the accumulators and the new values.
  std::vector<std::string> combine(const Block& region, const std::vector<std::string>& left,
                                   const std::vector<std::string>& right, int lanes);

  std::string convert_float(const std::string& value, ScalarKind from, ScalarKind to, int lanes,
                            Rounding rounding = Rounding::nearest_even);
  // Between floats, or between signed integers.
  std::string convert(const std::string& value, ScalarKind from, ScalarKind to, int lanes);
  std::string bitcast(const std::string& value, ScalarKind from, ScalarKind to, int lanes);
  std::string splat(const std::string& scalar, ScalarKind kind, int lanes);
  std::string unsigned_minimum(const std::string& value, int64_t bound, ScalarKind kind, int lanes);
  // Lane i of the result is lane from[i] of the value.
  std::string shuffle(const std::string& value, ScalarKind kind, int lanes,
                      const std::vector<int>& from);
  // `count` of the lanes, from `first` on, as a vector.
  std::string slice(const std::string& value, ScalarKind kind, int lanes, int first, int count);
  // One vector of all, which have `lanes` lanes each; their number is a power of 2.
  std::string concatenate(std::vector<std::string> parts, ScalarKind kind, int lanes);
  std::string select(const std::string& condition, const std::string& yes, const std::string& no,
                     ScalarKind kind, int lanes);

 private:
  using Operands = std::vector<std::string>;

  // emit_apply.cpp
  Operands emit_apply(const Operation& op, const Operands& x, int lanes);
  Operands call_lanes(const std::string& function, const std::vector<ScalarKind>& kinds,
                      const std::vector<Type>& types, const Operands& x, int lanes);
  std::string call_external(const std::string& function, const std::vector<ScalarKind>& kinds,
                            ScalarKind result, const Operands& x, int lanes);
  // emit_integer.cpp
  bool emit_integer(const Operation& op, const Operands& x, int lanes, Operands& results);
  std::string divide(bool is_signed, bool remainder, const std::string& a, const std::string& b,
                     ScalarKind kind, int lanes);
  std::string divide_by_double(bool is_signed, bool remainder, const std::string& a,
                               const std::string& b, ScalarKind kind, int lanes);
  std::string floor_divide(bool up, const std::string& a, const std::string& b, ScalarKind kind,
                           int lanes);
  std::string shift(const char* instruction, const std::string& a, const std::string& amount,
                    ScalarKind kind, int lanes);
  Operands multiply_extended(bool is_signed, const std::string& a, const std::string& b,
                             ScalarKind kind, int lanes);
  // emit_float.cpp
  bool emit_float(const Operation& op, const Operands& x, ScalarKind kind, int lanes,
                  std::string& result);
  std::string extremum(bool maximum, bool propagate_nan, const std::string& a, const std::string& b,
                       ScalarKind kind, int lanes);
  // emit_math.cpp
  bool emit_math(const Operation& op, const Operands& x, ScalarKind kind, int lanes,
                 std::string& result);
  // emit_extern.cpp
  std::string emit_extern(const Operation& op, const Operands& x, int lanes);
  bool count_bits(std::string_view symbol, const std::string& x, ScalarKind kind, int lanes,
                  std::string& result);
  bool emit_extern_integer(const Operation& op, const Operands& x, int lanes, std::string& result);
  // emit_bfloat.cpp
  static bool holds_bfloats(const Value& value, int depth = 0);
  std::string narrow_exactly(const Value& value, const std::string& x, int lanes);
  bool emit_sign_of_bfloat(const Operation& op, const Operands& x, int lanes, std::string& result);
  std::string upper_half_of_bits(const std::string& x, int lanes);
  std::string shuffle_halves(const std::string& x, int lanes, int side);
  bool can_shuffle_halves(int lanes) const;
  std::string round_to_bfloat(const std::string& x, int lanes);
  std::string round_bits_to_bfloat(const std::string& x, int lanes);
  std::string round_halves_to_bfloat(const std::string& x, int lanes);
  std::string round_by_instruction(const std::string& value, int lanes);
  // emit_cast.cpp
  bool emit_cast(const Operation& op, const Operands& x, int lanes, std::string& result);
  std::string narrow_float(const std::string& value, ScalarKind from, ScalarKind to, int lanes,
                           Rounding rounding);
  std::string round_to_odd(const std::string& value, int lanes);
  // emit_float8.cpp
  std::string widen_float8(const std::string& value, ScalarKind from, int lanes);
  std::string narrow_to_float8(const std::string& value, ScalarKind to, Rounding rounding,
                               int lanes);
  std::string float_to_integer(const std::string& value, ScalarKind from, ScalarKind to,
                               bool is_signed, int lanes);

  std::string intrinsic(const std::string& name, ScalarKind kind, int lanes, const Operands& x,
                        const std::string& extra = "", const std::string& flags = "");
  std::string suffix(ScalarKind kind, int lanes) const;

  TextBuilder& b_;
  ModuleText& module_;
};

}  // namespace tilewise::compiler
