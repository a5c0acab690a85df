// SPDX-License-Identifier: Apache-2.0
// Writes the body of one LLVM function over vectors as C++ expressions, so that a formula reads as
// it does in a book:
//
//   VectorWriter writer("tw_square_v16f32", FloatType::f32, 16, 1, target);
//   VectorValue x = writer.argument(0);
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
struct VectorValue {
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

  VectorValue argument(int index);
  VectorValue number(const VectorValue& like, double value);    // Rounded to the type of `like`.
  VectorValue integer(const VectorValue& like, int64_t value);  // As wide as `like`.
  bool has_fma() const { return target_.has_fma; }

  // y * 2^n rounded once, for any whole n, given as a float: an instruction of some targets.
  bool has_scale(const VectorValue& y) const;
  VectorValue scale(const VectorValue& y, const VectorValue& n);

  // libm's results for the lanes where `condition` holds, in a cold function of its own that is
  // called only if one does. The other lanes have no meaning. At most once.
  VectorValue call_libm_if_any(const VectorValue& condition, std::string_view function);

  // The same of a formula, which is given the function's two arguments.
  VectorValue call_if_any(const VectorValue& condition,
                          VectorValue (*formula)(const VectorValue&, const VectorValue&));

  // The whole function computed by libm, lane by lane.
  VectorValue call_libm(std::string_view function);

  // Returns `result`; gives the text of the function and of its cold companion.
  std::string finish(const VectorValue& result);

  // For the operations below.
  VectorValue emit(VectorValue::Kind kind, const std::string& instruction);
  std::string type_of(VectorValue::Kind kind) const;
  std::string intrinsic_suffix(VectorValue::Kind kind) const;  // "v16f32"

 private:
  std::string signature(const std::string& name) const;
  VectorValue call_companion_if_any(const VectorValue& condition, const std::string& body);
  std::string lane_calls(std::string_view function, std::string& result);

  std::string name_;
  VectorValue::Kind kind_;
  int lanes_;
  int arguments_;
  const Target& target_;
  int next_ = 0;
  std::string body_;
  std::string companion_;
};

// Floats and integers; a double stands for a constant of the other operand's type.
VectorValue operator+(const VectorValue& a, const VectorValue& b);
VectorValue operator-(const VectorValue& a, const VectorValue& b);
VectorValue operator*(const VectorValue& a, const VectorValue& b);
VectorValue operator/(const VectorValue& a, const VectorValue& b);
VectorValue operator+(const VectorValue& a, double b);
VectorValue operator-(const VectorValue& a, double b);
VectorValue operator-(double a, const VectorValue& b);
VectorValue operator*(const VectorValue& a, double b);
VectorValue operator/(double a, const VectorValue& b);
VectorValue operator-(const VectorValue& a);  // Changes the sign bit, of a zero or NaN too.

// Integers; & and | also of truth values. The right shift copies the sign bit.
VectorValue operator&(const VectorValue& a, const VectorValue& b);
VectorValue operator|(const VectorValue& a, const VectorValue& b);
VectorValue operator^(const VectorValue& a, const VectorValue& b);
VectorValue operator<<(const VectorValue& a, int bits);
VectorValue operator>>(const VectorValue& a, int bits);
VectorValue operator&(const VectorValue& a, int64_t b);
VectorValue operator+(const VectorValue& a, int64_t b);
VectorValue operator-(const VectorValue& a, int64_t b);
VectorValue operator-(int64_t a, const VectorValue& b);

// a * b + c rounded once, or twice on a target without fused multiply-add.
VectorValue fma(const VectorValue& a, const VectorValue& b, const VectorValue& c);
VectorValue fma(const VectorValue& a, double b, const VectorValue& c);
VectorValue fma(const VectorValue& a, double b, double c);
VectorValue fma(const VectorValue& a, const VectorValue& b, double c);
VectorValue abs(const VectorValue& a);
VectorValue sqrt(const VectorValue& a);
VectorValue trunc(const VectorValue& a);
VectorValue copysign(const VectorValue& magnitude, const VectorValue& sign);

// False if an operand is NaN, but for is_nan.
VectorValue less(const VectorValue& a, double b);
VectorValue less(const VectorValue& a, const VectorValue& b);
VectorValue greater(const VectorValue& a, double b);
VectorValue equal(const VectorValue& a, double b);
VectorValue not_equal(const VectorValue& a, const VectorValue& b);
VectorValue is_nan(const VectorValue& a);
VectorValue is_set(const VectorValue& integer);  // Not zero.
VectorValue select(const VectorValue& condition, const VectorValue& yes, const VectorValue& no);
VectorValue select(const VectorValue& condition, double yes, const VectorValue& no);
VectorValue select(const VectorValue& condition, const VectorValue& yes, double no);

// The bounded value; NaN stays NaN.
VectorValue at_least(const VectorValue& a, double bound);
VectorValue at_most(const VectorValue& a, double bound);

VectorValue bits(const VectorValue& a);       // The integer with the bits of a float.
VectorValue from_bits(const VectorValue& a);  // And back.
VectorValue widen(const VectorValue& a);      // f32 to f64.
VectorValue narrow(const VectorValue& a);     // f64 to f32, rounded to nearest.

// coefficients[0] + x * (coefficients[1] + ...), by Horner's scheme.
VectorValue polynomial(const VectorValue& x, const double* coefficients, int count);
template <size_t N>
VectorValue polynomial(const VectorValue& x, const double (&coefficients)[N]) {
  return polynomial(x, coefficients, static_cast<int>(N));
}

}  // namespace tilewise::compiler
