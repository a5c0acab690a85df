// SPDX-License-Identifier: Apache-2.0
// f32 to bf16: the bits of the upper half, rounded to nearest even.
#include <algorithm>
#include <bit>
#include <cmath>

#include "compiler/llvm/lane_ops.h"

namespace tilewise::compiler {
namespace {

// Results of these operations are among their operands from `first` to `last`, or whole numbers
// next to them; and the whole numbers next to a bf16 number are bf16 numbers.
struct Selection {
  std::string_view name;
  int first;
  int last;
};

constexpr Selection kSelections[] = {
    // keep-sorted
    {"arith.maximumf", 0, 1}, {"arith.maxnumf", 0, 1}, {"arith.minimumf", 0, 1},
    {"arith.minnumf", 0, 1},  {"arith.select", 1, 2},  {"math.ceil", 0, 0},
    {"math.floor", 0, 0},     {"math.round", 0, 0},    {"math.roundeven", 0, 0},
    {"math.trunc", 0, 0},     {"tt.broadcast", 0, 0},  {"tt.clampf", 0, 2},
    {"tt.expand_dims", 0, 0},
};

constexpr std::string_view kExternSelections[] = {
    // keep-sorted
    "__nv_ceilf", "__nv_floorf", "__nv_rintf", "__nv_roundf", "__nv_truncf",
};

const Selection* find_selection(const Operation& op) {
  static constexpr Selection kFirst{"", 0, 0};
  const auto* known = std::find_if(std::begin(kSelections), std::end(kSelections),
                                   [&](const Selection& row) { return op.is(row.name); });
  if (known != std::end(kSelections)) return known;
  if (!op.is("tt.extern_elementwise")) return nullptr;
  const auto* name = std::find(std::begin(kExternSelections), std::end(kExternSelections),
                               std::string_view(op.word("symbol")));
  return name != std::end(kExternSelections) ? &kFirst : nullptr;
}

// The product with -1 changes a sign in Triton's language, whose minus subtracts from 0.
bool is_sign_operation(const Operation& op) {
  if (op.is("arith.mulf")) {
    const Operation* factor = op.operand(1)->definition;
    return factor != nullptr && factor->is("arith.constant") && constant_is_splat(*factor) &&
           constant_float(*factor) == -1.0;
  }
  if (op.is("tt.extern_elementwise"))
    return op.word("symbol") == "__nv_copysignf" || op.word("symbol") == "__nv_fabsf";
  return op.is("arith.negf") || op.is("math.absf") || op.is("math.copysign");
}

}  // namespace

// An f32 tile whose elements are bf16 numbers, so that narrowing them needs no rounding.
bool LaneOps::holds_bfloats(const Value& value, int depth) {
  constexpr int kDeepest = 8;  // Selections share operands: without a limit, 2^n paths.
  if (value.definition == nullptr || depth > kDeepest) return false;
  const Operation& op = *value.definition;
  if (op.is("arith.extf") || op.is("tt.fp_to_fp"))
    return op.operand(0)->type.kind == ScalarKind::bf16;
  if (op.is("arith.constant")) {
    if (!constant_is_splat(op)) return false;
    const auto number = static_cast<float>(constant_float(op));
    return (std::bit_cast<uint32_t>(number) & 0xFFFF) == 0;
  }
  if (op.is("arith.uitofp") || op.is("arith.sitofp"))
    return bit_width(op.operand(0)->type.kind) <= 8;
  if (is_sign_operation(op)) return holds_bfloats(*op.operand(0), depth + 1);
  const Selection* selection = find_selection(op);
  if (selection == nullptr) return false;
  for (int i = selection->first; i <= selection->last; ++i)
    if (!holds_bfloats(*op.operand(i), depth + 1)) return false;
  return true;
}

// Of f32 lanes, one after the other, which LLVM sees through where they have just been widened.
std::string LaneOps::upper_half_of_bits(const std::string& x, int lanes) {
  const std::string bits = llvm_type(ScalarKind::i32, lanes);
  const std::string raw = bitcast(x, ScalarKind::f32, ScalarKind::i32, lanes);
  const std::string upper =
      b_.assign("lshr " + bits + " " + raw + ", " + integer_constant(16, ScalarKind::i32, lanes));
  return b_.assign("trunc " + bits + " " + upper + " to " + llvm_type(ScalarKind::i16, lanes));
}

// The upper (1) or lower (0) halves of f32 lanes by one shuffle of two registers.
std::string LaneOps::shuffle_halves(const std::string& x, int lanes, int side) {
  const std::string both = llvm_type(ScalarKind::i16, 2 * lanes);
  const std::string raw =
      b_.assign("bitcast " + llvm_type(ScalarKind::f32, lanes) + " " + x + " to " + both);
  std::string indices;
  for (int lane = 0; lane < lanes; ++lane) {
    indices += (lane > 0 ? ", i32 " : "i32 ") + std::to_string(2 * lane + side);
  }
  return b_.assign("shufflevector " + both + " " + raw + ", " + both + " poison, <" +
                   std::to_string(lanes) + " x i32> <" + indices + ">");
}

bool LaneOps::can_shuffle_halves(int lanes) const {
  const int vector_lanes = module_.target().vector_bytes / 2;
  return module_.target().has_word_shuffles() && lanes % vector_lanes == 0;
}

// Lanes of which holds_bfloats is true.
std::string LaneOps::narrow_exactly(const Value& value, const std::string& x, int lanes) {
  const bool is_sign = value.definition != nullptr && is_sign_operation(*value.definition);
  return is_sign || !can_shuffle_halves(lanes) ? upper_half_of_bits(x, lanes)
                                               : shuffle_halves(x, lanes, 1);
}

// On 16 bits, which is all that is left of it where the result is narrowed again.
bool LaneOps::emit_sign_of_bfloat(const Operation& op, const Operands& x, int lanes,
                                  std::string& result) {
  if (!is_sign_operation(op) || op.result()->type.kind != ScalarKind::f32 ||
      !holds_bfloats(*op.operand(0)))
    return false;
  const std::string sign = integer_constant(-0x8000, ScalarKind::i16, lanes);
  const std::string rest = integer_constant(0x7FFF, ScalarKind::i16, lanes);
  const auto apply = [&](const char* instruction, const std::string& a, const std::string& b) {
    return b_.assign(std::string(instruction) + " " + llvm_type(ScalarKind::i16, lanes) + " " + a +
                     ", " + b);
  };
  std::string half = upper_half_of_bits(x[0], lanes);
  if (op.is("arith.negf") || op.is("arith.mulf")) {
    half = apply("xor", half, sign);
  } else {
    half = apply("and", half, rest);
    if (x.size() > 1) half = apply("or", half, apply("and", upper_half_of_bits(x[1], lanes), sign));
  }
  result = convert_float(half, ScalarKind::bf16, ScalarKind::f32, lanes);
  return true;
}

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
std::string LaneOps::round_halves_to_bfloat(const std::string& x, int lanes) {
  const std::string floats = llvm_type(ScalarKind::f32, lanes);
  const std::string shorts = llvm_type(ScalarKind::i16, lanes);
  const std::string upper = shuffle_halves(x, lanes, 1);
  const std::string odd =
      b_.assign("and " + shorts + " " + upper + ", " + integer_constant(1, ScalarKind::i16, lanes));
  const std::string lower =
      intrinsic("uadd.sat", ScalarKind::i16, lanes, {shuffle_halves(x, lanes, 0), odd});
  const std::string is_more = b_.assign("icmp ugt " + shorts + " " + lower + ", " +
                                        integer_constant(-0x8000, ScalarKind::i16, lanes));
  const std::string one =
      b_.assign("zext " + llvm_type(ScalarKind::i1, lanes) + " " + is_more + " to " + shorts);
  const std::string rounded = b_.assign("add " + shorts + " " + upper + ", " + one);
  const std::string is_nan = b_.assign("fcmp uno " + floats + " " + x + ", " + x);
  return select(is_nan, integer_constant(0x7FC0, ScalarKind::i16, lanes), rounded, ScalarKind::i16,
                lanes);
}

// By vcvtne2ps2bf16, which takes denormals for zeros and keeps the bits of a NaN: where a lane is
// one of these, all go the long way. One core narrows 64 numbers in 1.8 ns, 1.4 of them this
// instruction; on the halves it takes 4.1.
std::string LaneOps::round_by_instruction(const std::string& value, int lanes) {
  const int half = module_.vector_bytes() / 4;  // lanes of one register
  constexpr int kNanOrDenormal = 0xA1;          // vfpclassps: quiet, denormal, signaling
  const std::string floats = llvm_type(ScalarKind::f32, half);
  const std::string flags = llvm_type(ScalarKind::i1, half);
  const std::string bfloats = "<" + std::to_string(2 * half) + " x bfloat>";
  const std::string bits = std::to_string(8 * module_.vector_bytes());
  const std::string narrow = "@llvm.x86.avx512bf16.cvtne2ps2bf16." + bits;
  const std::string classify = "@llvm.x86.avx512.fpclass.ps." + bits;
  module_.declare("declare " + bfloats + " " + narrow + "(" + floats + ", " + floats + ")");
  module_.declare("declare " + flags + " " + classify + "(" + floats + ", i32)");
  module_.declare("declare i1 @llvm.expect.i1(i1, i1)");
  const std::string start = b_.fresh_label("narrow");
  const std::string special = b_.fresh_label("narrow_special");
  const std::string done = b_.fresh_label("narrowed");
  b_.line("br label %" + start);
  b_.label(start);
  // Lanes that are masked off may be poison, on which nothing may branch.
  const std::string x = b_.assign("freeze " + llvm_type(ScalarKind::f32, lanes) + " " + value);
  std::vector<std::string> parts;
  std::string is_special;
  for (int first = 0; first < lanes; first += 2 * half) {
    std::string halves[2];
    for (int side = 0; side < 2; ++side) {
      halves[side] = slice(x, ScalarKind::f32, lanes, first + side * half, half);
      const std::string is_one =
          b_.assign("call " + flags + " " + classify + "(" + floats + " " + halves[side] +
                    ", i32 " + std::to_string(kNanOrDenormal) + ")");
      is_special =
          is_special.empty() ? is_one : b_.assign("or " + flags + " " + is_special + ", " + is_one);
    }
    const std::string pair = b_.assign("call " + bfloats + " " + narrow + "(" + floats + " " +
                                       halves[1] + ", " + floats + " " + halves[0] + ")");
    parts.push_back(b_.assign("bitcast " + bfloats + " " + pair + " to " +
                              llvm_type(ScalarKind::i16, 2 * half)));
  }
  const std::string fast = concatenate(parts, ScalarKind::i16, 2 * half);
  const std::string mask = "i" + std::to_string(half);
  const std::string set = b_.assign("bitcast " + flags + " " + is_special + " to " + mask);
  const std::string any = b_.assign("icmp ne " + mask + " " + set + ", 0");
  const std::string rarely = b_.assign("call i1 @llvm.expect.i1(i1 " + any + ", i1 false)");
  b_.line("br i1 " + rarely + ", label %" + special + ", label %" + done);
  b_.label(special);
  const std::string slow = round_halves_to_bfloat(x, lanes);
  b_.line("br label %" + done);
  b_.label(done);
  return b_.assign("phi " + llvm_type(ScalarKind::i16, lanes) + " [ " + fast + ", %" + start +
                   " ], [ " + slow + ", %" + special + " ]");
}

std::string LaneOps::round_to_bfloat(const std::string& x, int lanes) {
  if (!can_shuffle_halves(lanes)) return round_bits_to_bfloat(x, lanes);
  return module_.target().has_bf16_dot ? round_by_instruction(x, lanes)
                                       : round_halves_to_bfloat(x, lanes);
}

}  // namespace tilewise::compiler
