// SPDX-License-Identifier: Apache-2.0
// Integer arithmetic of lanes.
#include "compiler/llvm/lane_ops.h"

namespace tilewise::compiler {
namespace {

struct Plain {
  const char* name;
  const char* instruction;
};

constexpr Plain kPlain[] = {
    {"arith.addi", "add"}, {"arith.subi", "sub"}, {"arith.muli", "mul"},
    {"arith.andi", "and"}, {"arith.ori", "or"},   {"arith.xori", "xor"},
};

constexpr Plain kIntrinsics[] = {
    {"arith.maxsi", "smax"}, {"arith.maxui", "umax"}, {"arith.minsi", "smin"},
    {"arith.minui", "umin"}, {"math.ctpop", "ctpop"},
};

constexpr Plain kWithFlag[] = {
    // Their flag says that a special case is undefined: it is not.
    {"math.absi", "abs"},
    {"math.ctlz", "ctlz"},
    {"math.cttz", "cttz"},
};

// The constant's value if the operand is the same constant in all lanes.
bool known_constant(const std::string& text, int64_t& value) {
  const size_t space = text.starts_with("splat (") ? text.rfind(' ') + 1 : 0;
  char* end = nullptr;
  value = std::strtoll(text.c_str() + space, &end, 10);
  return is_constant_text(text) && end != text.c_str() + space && (*end == 0 || *end == ')');
}

}  // namespace

bool LaneOps::emit_integer(const Operation& op, const Operands& x, int lanes, Operands& results) {
  const ScalarKind kind = op.operand(0)->type.kind;
  if (!is_integer(kind)) {
    if (!op.is("arith.cmpi")) return false;
  }
  const std::string type = llvm_type(kind, lanes);
  for (const Plain& plain : kPlain) {
    if (op.is(plain.name)) {
      results = {b_.assign(std::string(plain.instruction) + " " + type + " " + x[0] + ", " + x[1])};
      return true;
    }
  }
  for (const Plain& plain : kIntrinsics) {
    if (op.is(plain.name)) {
      results = {intrinsic(plain.instruction, kind, lanes, x)};
      return true;
    }
  }
  for (const Plain& plain : kWithFlag) {
    if (op.is(plain.name)) {
      results = {intrinsic(plain.instruction, kind, lanes, x, "i1 false")};
      return true;
    }
  }
  if (op.is("arith.cmpi")) {
    results = {b_.assign("icmp " + op.word("predicate") + " " + type + " " + x[0] + ", " + x[1])};
  } else if (op.is("arith.divsi") || op.is("arith.remsi")) {
    results = {divide(true, op.is("arith.remsi"), x[0], x[1], kind, lanes)};
  } else if (op.is("arith.divui") || op.is("arith.remui")) {
    results = {divide(false, op.is("arith.remui"), x[0], x[1], kind, lanes)};
  } else if (op.is("arith.ceildivsi") || op.is("arith.floordivsi")) {
    results = {floor_divide(op.is("arith.ceildivsi"), x[0], x[1], kind, lanes)};
  } else if (op.is("arith.shli")) {
    results = {shift("shl", x[0], x[1], kind, lanes)};
  } else if (op.is("arith.shrui")) {
    results = {shift("lshr", x[0], x[1], kind, lanes)};
  } else if (op.is("arith.shrsi")) {
    results = {shift("ashr", x[0], x[1], kind, lanes)};
  } else if (op.is("tt.mulhiui")) {
    results = {multiply_extended(false, x[0], x[1], kind, lanes)[1]};
  } else if (op.is("arith.mului_extended") || op.is("arith.mulsi_extended")) {
    results = multiply_extended(op.is("arith.mulsi_extended"), x[0], x[1], kind, lanes);
  } else {
    return false;
  }
  return true;
}

// x86 has no vector division of integers, and its scalar one traps for a zero divisor and for
// INT_MIN / -1. Up to 32 bits the quotient of doubles is exact after truncation: it is off by at
// most 2^-53 of itself, while a fraction is at least 2^-32 of it away from the next integer.
std::string LaneOps::divide(bool is_signed, bool remainder, const std::string& a,
                            const std::string& b, ScalarKind kind, int lanes) {
  const std::string type = llvm_type(kind, lanes);
  const std::string name = std::string(is_signed ? "s" : "u") + (remainder ? "rem" : "div");
  int64_t constant = 0;
  if (known_constant(b, constant) && constant != 0 && constant != -1) {
    return b_.assign(name + " " + type + " " + a + ", " + b);
  }
  const std::string one = integer_constant(1, kind, lanes);
  const std::string is_zero =
      b_.assign("icmp eq " + type + " " + b + ", " + integer_constant(0, kind, lanes));
  std::string divisor = select(is_zero, one, b, kind, lanes);
  if (lanes > 1 && bit_width(kind) <= 32) {
    return divide_by_double(is_signed, remainder, a, divisor, kind, lanes);
  }
  if (is_signed) {
    // Dividing by 1 instead gives what wraps: INT_MIN, remainder 0.
    const int64_t lowest = INT64_MIN >> (64 - bit_width(kind));
    const std::string at_lowest =
        b_.assign("icmp eq " + type + " " + a + ", " + integer_constant(lowest, kind, lanes));
    const std::string by_minus_one =
        b_.assign("icmp eq " + type + " " + divisor + ", " + integer_constant(-1, kind, lanes));
    const std::string flags = llvm_type(ScalarKind::i1, lanes);
    const std::string overflows = b_.assign("and " + flags + " " + at_lowest + ", " + by_minus_one);
    divisor = select(overflows, one, divisor, kind, lanes);
  }
  return b_.assign(name + " " + type + " " + a + ", " + divisor);
}

std::string LaneOps::divide_by_double(bool is_signed, bool remainder, const std::string& a,
                                      const std::string& b, ScalarKind kind, int lanes) {
  const std::string type = llvm_type(kind, lanes);
  const std::string wide = llvm_type(ScalarKind::f64, lanes);
  const std::string long_type = llvm_type(ScalarKind::i64, lanes);
  const std::string to_double = is_signed ? "sitofp " : "uitofp ";
  const std::string x = b_.assign(to_double + type + " " + a + " to " + wide);
  const std::string y = b_.assign(to_double + type + " " + b + " to " + wide);
  const std::string ratio = b_.assign("fdiv " + wide + " " + x + ", " + y);
  const std::string whole = b_.assign("fptosi " + wide + " " + ratio + " to " + long_type);
  const std::string quotient = b_.assign("trunc " + long_type + " " + whole + " to " + type);
  if (!remainder) return quotient;
  const std::string product = b_.assign("mul " + type + " " + quotient + ", " + b);
  return b_.assign("sub " + type + " " + a + ", " + product);
}

// Rounds towards minus (plus) infinity: corrects the truncated quotient where a remainder is left
// and the exact quotient is negative (positive).
std::string LaneOps::floor_divide(bool up, const std::string& a, const std::string& b,
                                  ScalarKind kind, int lanes) {
  const std::string type = llvm_type(kind, lanes);
  const std::string flags = llvm_type(ScalarKind::i1, lanes);
  const std::string zero = integer_constant(0, kind, lanes);
  const std::string quotient = divide(true, false, a, b, kind, lanes);
  const std::string rest = divide(true, true, a, b, kind, lanes);
  const std::string inexact = b_.assign("icmp ne " + type + " " + rest + ", " + zero);
  const std::string signs = b_.assign("xor " + type + " " + rest + ", " + b);
  const std::string wanted =
      b_.assign(std::string("icmp ") + (up ? "sge " : "slt ") + type + " " + signs + ", " + zero);
  const std::string correct = b_.assign("and " + flags + " " + inexact + ", " + wanted);
  const std::string step = b_.assign("zext " + flags + " " + correct + " to " + type);
  return b_.assign(std::string(up ? "add " : "sub ") + type + " " + quotient + ", " + step);
}

std::string LaneOps::unsigned_minimum(const std::string& value, int64_t bound, ScalarKind kind,
                                      int lanes) {
  return intrinsic("umin", kind, lanes, {value, integer_constant(bound, kind, lanes)});
}

std::string LaneOps::shift(const char* instruction, const std::string& a, const std::string& amount,
                           ScalarKind kind, int lanes) {
  const std::string type = llvm_type(kind, lanes);
  const int width = bit_width(kind);
  int64_t constant = 0;
  if (known_constant(amount, constant) && constant >= 0 && constant < width) {
    return b_.assign(std::string(instruction) + " " + type + " " + a + ", " + amount);
  }
  const std::string last = integer_constant(width - 1, kind, lanes);
  const std::string bounded = intrinsic("umin", kind, lanes, {amount, last});
  const std::string shifted =
      b_.assign(std::string(instruction) + " " + type + " " + a + ", " + bounded);
  if (std::string(instruction) == "ashr") return shifted;
  const std::string valid = b_.assign("icmp ule " + type + " " + amount + ", " + last);
  return select(valid, shifted, integer_constant(0, kind, lanes), kind, lanes);
}

// Low and high half of the product of double width.
LaneOps::Operands LaneOps::multiply_extended(bool is_signed, const std::string& a,
                                             const std::string& b, ScalarKind kind, int lanes) {
  const int width = bit_width(kind);
  const std::string type = llvm_type(kind, lanes);
  // x86 multiplies the even lanes of 32 bits, of which the odd ones, shifted, are another vector:
  // half of the instructions of widening all of them.
  if (!is_signed && width == 32 && lanes % 2 == 0 && module_.target().name.starts_with("x86")) {
    const std::string pairs = llvm_type(ScalarKind::i64, lanes / 2);
    const std::string lower_half = "splat (i64 4294967295)";
    const std::string shift = "splat (i64 32)";
    const auto as_pairs = [&](const std::string& x) {
      return b_.assign("bitcast " + type + " " + x + " to " + pairs);
    };
    const auto combine = [&](const char* op, const std::string& x, const std::string& y) {
      return b_.assign(std::string(op) + " " + pairs + " " + x + ", " + y);
    };
    const auto as_lanes = [&](const std::string& x) {
      return b_.assign("bitcast " + pairs + " " + x + " to " + type);
    };
    const std::string x = as_pairs(a);
    const std::string y = as_pairs(b);
    const std::string even =
        combine("mul", combine("and", x, lower_half), combine("and", y, lower_half));
    const std::string odd = combine("mul", combine("lshr", x, shift), combine("lshr", y, shift));
    const std::string high =
        combine("or", combine("lshr", even, shift), combine("and", odd, "splat (i64 -4294967296)"));
    return {b_.assign("mul " + type + " " + a + ", " + b), as_lanes(high)};
  }
  std::string wide = "i" + std::to_string(width * 2);
  std::string bits = std::to_string(width);
  if (lanes > 1) {
    bits = "splat (" + wide + " " + bits + ")";
    wide = "<" + std::to_string(lanes) + " x " + wide + ">";
  }
  const std::string extend = is_signed ? "sext " : "zext ";
  const std::string x = b_.assign(extend + type + " " + a + " to " + wide);
  const std::string y = b_.assign(extend + type + " " + b + " to " + wide);
  const std::string product = b_.assign("mul " + wide + " " + x + ", " + y);
  const std::string upper = b_.assign("lshr " + wide + " " + product + ", " + bits);
  return {b_.assign("trunc " + wide + " " + product + " to " + type),
          b_.assign("trunc " + wide + " " + upper + " to " + type)};
}

}  // namespace tilewise::compiler
