// SPDX-License-Identifier: Apache-2.0
// Writes the body of one LLVM function over vectors as C++ expressions, so that a formula reads as
// it does in a book:
//
//   VectorWriter writer("tw_square_v16f32", FloatType::f32, 16, 1, target);
//   Value x = writer.argument(0);
//   writer.finish(fma(x, x, writer.number(x, 1.0)));
//
// All values have the same number of lanes. Operations follow IEEE 754 without fast-math flags:
// nothing is contracted or reassociated but what is written as fma().
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "compiler/llvm/float_type.h"
#include "compiler/target.h"

namespace tilewise::compiler {

class VectorWriter;

// An SSA value or constant. Integers are as wide as the floats they stand for; `truth` is i1.
struct Value {
  enum class Kind : uint8_t { f32, f64, i32, i64, truth };

  VectorWriter* writer;
  Kind kind;
  std::string text;

  bool is_float() const { return kind == Kind::f32 || kind == Kind::f64; }
  bool is_wide() const { return kind == Kind::f64 || kind == Kind::i64; }
};

class VectorWriter {
 public:
  // The function takes `arguments` vectors and returns one.
  VectorWriter(std::string_view name, FloatType type, int lanes, int arguments,
               const Target& target);

  Value argument(int index);
  Value number(const Value& like, double value);    // Rounded to the type of `like`.
  Value integer(const Value& like, int64_t value);  // As wide as `like`.
  bool has_fma() const { return has_fma_; }

  // y * 2^n rounded once, for any whole n, given as a float: an instruction of some targets.
  bool has_scale(const Value& y) const;
  Value scale(const Value& y, const Value& n);

  // libm's results for the lanes where `condition` holds, in a cold function of its own that is
  // called only if one does. The other lanes have no meaning. At most once.
  Value call_libm_if_any(const Value& condition, std::string_view function);

  // The whole function computed by libm, lane by lane.
  Value call_libm(std::string_view function);

  // Returns `result`; gives the text of the function and of its cold companion.
  std::string finish(const Value& result);

  // For the operations below.
  Value emit(Value::Kind kind, const std::string& instruction);
  std::string type_of(Value::Kind kind) const;
  std::string intrinsic_suffix(Value::Kind kind) const;  // "v16f32"

 private:
  std::string signature(const std::string& name) const;
  std::string lane_calls(std::string_view function, std::string& result);

  std::string name_;
  Value::Kind kind_;
  int lanes_;
  int arguments_;
  bool has_fma_;
  bool has_scalef_;
  int next_ = 0;
  std::string body_;
  std::string companion_;
};

// Floats and integers; a double stands for a constant of the other operand's type.
Value operator+(const Value& a, const Value& b);
Value operator-(const Value& a, const Value& b);
Value operator*(const Value& a, const Value& b);
Value operator/(const Value& a, const Value& b);
Value operator+(const Value& a, double b);
Value operator-(const Value& a, double b);
Value operator-(double a, const Value& b);
Value operator*(const Value& a, double b);
Value operator/(double a, const Value& b);
Value operator-(const Value& a);  // Changes the sign bit, of a zero or NaN too.

// Integers; & and | also of truth values. The right shift copies the sign bit.
Value operator&(const Value& a, const Value& b);
Value operator|(const Value& a, const Value& b);
Value operator^(const Value& a, const Value& b);
Value operator<<(const Value& a, int bits);
Value operator>>(const Value& a, int bits);
Value operator&(const Value& a, int64_t b);
Value operator+(const Value& a, int64_t b);
Value operator-(const Value& a, int64_t b);
Value operator-(int64_t a, const Value& b);

// a * b + c rounded once, or twice on a target without fused multiply-add.
Value fma(const Value& a, const Value& b, const Value& c);
Value fma(const Value& a, double b, const Value& c);
Value fma(const Value& a, double b, double c);
Value fma(const Value& a, const Value& b, double c);
Value abs(const Value& a);
Value sqrt(const Value& a);
Value trunc(const Value& a);
Value copysign(const Value& magnitude, const Value& sign);

// False if an operand is NaN, but for is_nan.
Value less(const Value& a, double b);
Value less(const Value& a, const Value& b);
Value greater(const Value& a, double b);
Value equal(const Value& a, double b);
Value not_equal(const Value& a, const Value& b);
Value is_nan(const Value& a);
Value is_set(const Value& integer);  // Not zero.
Value select(const Value& condition, const Value& yes, const Value& no);
Value select(const Value& condition, double yes, const Value& no);
Value select(const Value& condition, const Value& yes, double no);

// The bounded value; NaN stays NaN.
Value at_least(const Value& a, double bound);
Value at_most(const Value& a, double bound);

Value bits(const Value& a);       // The integer with the bits of a float.
Value from_bits(const Value& a);  // And back.
Value widen(const Value& a);      // f32 to f64.
Value narrow(const Value& a);     // f64 to f32, rounded to nearest.

// coefficients[0] + x * (coefficients[1] + ...), by Horner's scheme.
Value polynomial(const Value& x, const double* coefficients, int count);
template <size_t N>
Value polynomial(const Value& x, const double (&coefficients)[N]) {
  return polynomial(x, coefficients, static_cast<int>(N));
}

}  // namespace tilewise::compiler
