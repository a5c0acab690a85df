// SPDX-License-Identifier: Apache-2.0
// Conversions of lanes.
#include "compiler/llvm/lane_ops.h"

namespace tilewise::compiler {
// f32 or f64 to a narrower type that LLVM knows. Towards zero: where the nearest number is larger
// than the value, the one before it.
std::string LaneOps::narrow_float(const std::string& value, ScalarKind from, ScalarKind to,
                                  int lanes, Rounding rounding) {
  const std::string source = llvm_type(from, lanes);
  const std::string narrow =
      b_.assign("fptrunc " + source + " " + value + " to " + llvm_type(to, lanes));
  if (rounding == Rounding::nearest_even) return narrow;
  const ScalarKind bits_kind = to == ScalarKind::f32 ? ScalarKind::i32 : ScalarKind::i16;
  const std::string bits = llvm_type(bits_kind, lanes);
  const std::string back =
      b_.assign("fpext " + llvm_type(to, lanes) + " " + narrow + " to " + source);
  const std::string too_large =
      b_.assign("fcmp ogt " + source + " " + intrinsic("fabs", from, lanes, {back}) + ", " +
                intrinsic("fabs", from, lanes, {value}));
  const std::string raw = bitcast(narrow, to, bits_kind, lanes);
  const std::string before =
      b_.assign("sub " + bits + " " + raw + ", " + integer_constant(1, bits_kind, lanes));
  return bitcast(select(too_large, before, raw, bits_kind, lanes), bits_kind, to, lanes);
}

// f64 to an f32 that a second rounding, to 8 bits, takes where one rounding would: what is not
// exact gets an odd last bit.
std::string LaneOps::round_to_odd(const std::string& value, int lanes) {
  const std::string doubles = llvm_type(ScalarKind::f64, lanes);
  const std::string bits = llvm_type(ScalarKind::i32, lanes);
  const std::string lower =
      narrow_float(value, ScalarKind::f64, ScalarKind::f32, lanes, Rounding::toward_zero);
  const std::string back =
      b_.assign("fpext " + llvm_type(ScalarKind::f32, lanes) + " " + lower + " to " + doubles);
  const std::string inexact = b_.assign("fcmp one " + doubles + " " + back + ", " + value);
  const std::string raw = bitcast(lower, ScalarKind::f32, ScalarKind::i32, lanes);
  const std::string odd =
      b_.assign("or " + bits + " " + raw + ", " + integer_constant(1, ScalarKind::i32, lanes));
  return bitcast(select(inexact, odd, raw, ScalarKind::i32, lanes), ScalarKind::i32,
                 ScalarKind::f32, lanes);
}

std::string LaneOps::convert_float(const std::string& value, ScalarKind from, ScalarKind to,
                                   int lanes, Rounding rounding) {
  if (from == to) return value;
  if (is_float8(from)) {
    return convert_float(widen_float8(value, from, lanes), ScalarKind::f32, to, lanes, rounding);
  }
  if (is_float8(to)) {
    const std::string x = from == ScalarKind::f64
                              ? round_to_odd(value, lanes)
                              : convert_float(value, from, ScalarKind::f32, lanes);
    return narrow_to_float8(x, to, rounding, lanes);
  }
  const std::string bits = llvm_type(ScalarKind::i32, lanes);
  const std::string shorts = llvm_type(ScalarKind::i16, lanes);
  const std::string floats = llvm_type(ScalarKind::f32, lanes);
  const std::string sixteen = integer_constant(16, ScalarKind::i32, lanes);
  if (from == ScalarKind::bf16) {  // The upper half of an f32.
    const std::string wide = b_.assign("zext " + shorts + " " + value + " to " + bits);
    const std::string upper = b_.assign("shl " + bits + " " + wide + ", " + sixteen);
    return convert_float(b_.assign("bitcast " + bits + " " + upper + " to " + floats),
                         ScalarKind::f32, to, lanes, rounding);
  }
  if (to == ScalarKind::bf16) {
    const std::string x = convert_float(value, from, ScalarKind::f32, lanes, rounding);
    if (rounding == Rounding::nearest_even) return round_to_bfloat(x, lanes);
    const std::string raw = b_.assign("bitcast " + floats + " " + x + " to " + bits);
    const std::string upper = b_.assign("lshr " + bits + " " + raw + ", " + sixteen);
    const std::string is_nan = b_.assign("fcmp uno " + floats + " " + x + ", " + x);
    const std::string nan = integer_constant(0x7FC0, ScalarKind::i32, lanes);
    const std::string result = select(is_nan, nan, upper, ScalarKind::i32, lanes);
    return b_.assign("trunc " + bits + " " + result + " to " + shorts);
  }
  // Between f16 and f64 through f32, as PyTorch does: x86 has no instruction for it.
  if ((from == ScalarKind::f16 && to == ScalarKind::f64) ||
      (from == ScalarKind::f64 && to == ScalarKind::f16)) {
    return convert_float(convert_float(value, from, ScalarKind::f32, lanes, rounding),
                         ScalarKind::f32, to, lanes, rounding);
  }
  if (bit_width(to) < bit_width(from)) return narrow_float(value, from, to, lanes, rounding);
  return b_.assign("fpext " + llvm_type(from, lanes) + " " + value + " to " + llvm_type(to, lanes));
}

std::string LaneOps::convert(const std::string& value, ScalarKind from, ScalarKind to, int lanes) {
  if (from == to) return value;
  if (is_float(from)) return convert_float(value, from, to, lanes);
  const char* instruction = bit_width(to) > bit_width(from) ? "sext " : "trunc ";
  return b_.assign(instruction + llvm_type(from, lanes) + " " + value + " to " +
                   llvm_type(to, lanes));
}

std::string LaneOps::bitcast(const std::string& value, ScalarKind from, ScalarKind to, int lanes) {
  const std::string source = llvm_type(from, lanes);
  const std::string target = llvm_type(to, lanes);
  if (source == target) return value;
  return b_.assign("bitcast " + source + " " + value + " to " + target);
}

// LLVM leaves values out of range undefined. Narrow integers go through i32 and wrap as PyTorch's
// CPU kernels do; freeze keeps what is still out of range an ordinary number.
std::string LaneOps::float_to_integer(const std::string& value, ScalarKind from, ScalarKind to,
                                      bool is_signed, int lanes) {
  std::string x = value;
  if (bit_width(from) < 32) {
    x = convert_float(value, from, ScalarKind::f32, lanes);
    from = ScalarKind::f32;
  }
  const int width = bit_width(to);
  ScalarKind wide = width < 32 ? ScalarKind::i32 : to;
  if (!is_signed && width == 32) wide = ScalarKind::i64;
  const bool plain_unsigned = !is_signed && width == 64;
  const std::string whole =
      b_.assign(std::string(plain_unsigned ? "fptoui " : "fptosi ") + llvm_type(from, lanes) + " " +
                x + " to " + llvm_type(wide, lanes));
  const std::string frozen = b_.assign("freeze " + llvm_type(wide, lanes) + " " + whole);
  if (wide == to) return frozen;
  return b_.assign("trunc " + llvm_type(wide, lanes) + " " + frozen + " to " +
                   llvm_type(to, lanes));
}

bool LaneOps::emit_cast(const Operation& op, const Operands& x, int lanes, std::string& result) {
  if (op.operand_count() != 1 || op.results.size() != 1) return false;
  const ScalarKind from = op.operand(0)->type.kind;
  const ScalarKind to = op.result()->type.kind;
  const std::string source = llvm_type(from, lanes);
  const std::string target = llvm_type(to, lanes);
  auto convert = [&](const char* instruction) {
    result =
        source == target
            ? x[0]
            : b_.assign(std::string(instruction) + " " + source + " " + x[0] + " to " + target);
    return true;
  };
  if (op.is("arith.extsi")) return convert("sext");
  if (op.is("arith.extui")) return convert("zext");
  if (op.is("arith.trunci")) return convert("trunc");
  if (op.is("arith.index_cast")) return convert(bit_width(to) < bit_width(from) ? "trunc" : "sext");
  if (op.is("tt.int_to_ptr")) return convert("inttoptr");
  if (op.is("tt.ptr_to_int")) return convert("ptrtoint");
  if (op.is("arith.bitcast") || op.is("tt.bitcast")) {
    result = bitcast(x[0], from, to, lanes);
    return true;
  }
  if (op.is("arith.extf") || op.is("arith.truncf") || op.is("tt.fp_to_fp")) {
    const std::string rounding = op.word("rounding", "rtne");
    const bool toward_zero = rounding == "rtz" || rounding == "0";
    if (from == ScalarKind::f32 && to == ScalarKind::bf16 && holds_bfloats(*op.operand(0))) {
      result = narrow_exactly(*op.operand(0), x[0], lanes);
      return true;
    }
    result = convert_float(x[0], from, to, lanes,
                           toward_zero ? Rounding::toward_zero : Rounding::nearest_even);
    return true;
  }
  if (op.is("arith.fptosi") || op.is("arith.fptoui")) {
    result = float_to_integer(x[0], from, to, op.is("arith.fptosi"), lanes);
    return true;
  }
  if (op.is("arith.sitofp") || op.is("arith.uitofp")) {
    const ScalarKind through = to == ScalarKind::f64 ? ScalarKind::f64 : ScalarKind::f32;
    if (from == ScalarKind::i1 && to == ScalarKind::bf16) {
      const int64_t one = op.is("arith.uitofp") ? 0x3F80 : -0x4080;  // 1 or -1 as bf16.
      result = select(x[0], integer_constant(one, ScalarKind::i16, lanes),
                      integer_constant(0, ScalarKind::i16, lanes), ScalarKind::i16, lanes);
      return true;
    }
    const std::string wide = b_.assign(std::string(op.is("arith.sitofp") ? "sitofp " : "uitofp ") +
                                       source + " " + x[0] + " to " + llvm_type(through, lanes));
    result = convert_float(wide, through, to, lanes);
    return true;
  }
  return false;
}

}  // namespace tilewise::compiler
