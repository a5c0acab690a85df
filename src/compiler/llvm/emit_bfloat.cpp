// SPDX-License-Identifier: Apache-2.0
// f32 to bf16: the bits of the upper half, rounded to nearest even.
#include "compiler/llvm/lane_ops.h"

namespace tilewise::compiler {

// On the bits: add half of the last kept place, less one if that is even. Overflow carries into the
// exponent and gives infinity.
std::string LaneOps::round_bits_to_bfloat(const std::string& x, int lanes) {
  const std::string bits = llvm_type(ScalarKind::i32, lanes);
  const std::string floats = llvm_type(ScalarKind::f32, lanes);
  const std::string sixteen = integer_constant(16, ScalarKind::i32, lanes);
  const std::string raw = b_.assign("bitcast " + floats + " " + x + " to " + bits);
  const std::string upper = b_.assign("lshr " + bits + " " + raw + ", " + sixteen);
  const std::string odd =
      b_.assign("and " + bits + " " + upper + ", " + integer_constant(1, ScalarKind::i32, lanes));
  const std::string bias = b_.assign("add " + bits + " " + odd + ", " +
                                     integer_constant(0x7FFF, ScalarKind::i32, lanes));
  const std::string rounded = b_.assign("add " + bits + " " + raw + ", " + bias);
  const std::string kept = b_.assign("lshr " + bits + " " + rounded + ", " + sixteen);
  const std::string is_nan = b_.assign("fcmp uno " + floats + " " + x + ", " + x);
  const std::string nan = integer_constant(0x7FC0, ScalarKind::i32, lanes);
  const std::string result = select(is_nan, nan, kept, ScalarKind::i32, lanes);
  return b_.assign("trunc " + bits + " " + result + " to " + llvm_type(ScalarKind::i16, lanes));
}

// The same on the upper and lower halves apart: two shuffles take the place of shifting, truncating
// and packing vectors of twice the width. The upper half counts up where the lower one is above one
// half, or equal to it and the upper one odd.
std::string LaneOps::round_to_bfloat(const std::string& x, int lanes) {
  const int vector_lanes = module_.target().vector_bytes / 2;
  if (!module_.target().has_word_shuffles() || lanes % vector_lanes != 0) {
    return round_bits_to_bfloat(x, lanes);
  }
  const std::string floats = llvm_type(ScalarKind::f32, lanes);
  const std::string shorts = llvm_type(ScalarKind::i16, lanes);
  const std::string both = llvm_type(ScalarKind::i16, 2 * lanes);
  const std::string raw = b_.assign("bitcast " + floats + " " + x + " to " + both);
  const auto half = [&](int side) {
    std::string indices;
    for (int lane = 0; lane < lanes; ++lane) {
      indices += (lane > 0 ? ", i32 " : "i32 ") + std::to_string(2 * lane + side);
    }
    return b_.assign("shufflevector " + both + " " + raw + ", " + both + " poison, <" +
                     std::to_string(lanes) + " x i32> <" + indices + ">");
  };
  const std::string upper = half(1);
  const std::string odd =
      b_.assign("and " + shorts + " " + upper + ", " + integer_constant(1, ScalarKind::i16, lanes));
  const std::string lower = intrinsic("uadd.sat", ScalarKind::i16, lanes, {half(0), odd});
  const std::string is_more = b_.assign("icmp ugt " + shorts + " " + lower + ", " +
                                        integer_constant(-0x8000, ScalarKind::i16, lanes));
  const std::string one =
      b_.assign("zext " + llvm_type(ScalarKind::i1, lanes) + " " + is_more + " to " + shorts);
  const std::string rounded = b_.assign("add " + shorts + " " + upper + ", " + one);
  const std::string is_nan = b_.assign("fcmp uno " + floats + " " + x + ", " + x);
  return select(is_nan, integer_constant(0x7FC0, ScalarKind::i16, lanes), rounded, ScalarKind::i16,
                lanes);
}

}  // namespace tilewise::compiler
