// SPDX-License-Identifier: Apache-2.0
#include "compiler/llvm/lane_ops.h"

#include <numeric>
#include <unordered_map>

#include "compiler/ttir/op_table.h"

namespace tilewise::compiler {

std::string LaneOps::splat(const std::string& scalar, ScalarKind kind, int lanes) {
  if (lanes == 1) return scalar;
  if (is_constant_text(scalar)) return splat_constant(scalar, kind, lanes);
  const std::string type = llvm_type(kind, lanes);
  const std::string first = b_.assign("insertelement " + type + " poison, " + llvm_type(kind, 1) +
                                      " " + scalar + ", i64 0");
  return b_.assign("shufflevector " + type + " " + first + ", " + type + " poison, <" +
                   std::to_string(lanes) + " x i32> zeroinitializer");
}

std::string LaneOps::shuffle(const std::string& value, ScalarKind kind, int lanes,
                             const std::vector<int>& from) {
  const std::string type = llvm_type(kind, lanes);
  std::string indices;
  for (int lane : from) indices += (indices.empty() ? "i32 " : ", i32 ") + std::to_string(lane);
  return b_.assign("shufflevector " + type + " " + value + ", " + type + " poison, <" +
                   std::to_string(from.size()) + " x i32> <" + indices + ">");
}

std::string LaneOps::slice(const std::string& value, ScalarKind kind, int lanes, int first,
                           int count) {
  if (count == lanes) return value;
  if (count == 1) {
    return b_.assign("extractelement " + llvm_type(kind, lanes) + " " + value + ", i64 " +
                     std::to_string(first));
  }
  std::vector<int> from(static_cast<size_t>(count));
  std::iota(from.begin(), from.end(), first);
  return shuffle(value, kind, lanes, from);
}

std::string LaneOps::concatenate(std::vector<std::string> parts, ScalarKind kind, int lanes) {
  for (; parts.size() > 1; lanes *= 2) {
    std::string indices;
    for (int lane = 0; lane < 2 * lanes; ++lane)
      indices += (lane > 0 ? ", i32 " : "i32 ") + std::to_string(lane);
    std::vector<std::string> pairs;
    for (size_t i = 0; i + 1 < parts.size(); i += 2)
      pairs.push_back(b_.assign("shufflevector " + llvm_type(kind, lanes) + " " + parts[i] + ", " +
                                llvm_type(kind, lanes) + " " + parts[i + 1] + ", <" +
                                std::to_string(2 * lanes) + " x i32> <" + indices + ">"));
    parts = std::move(pairs);
  }
  return parts.front();
}

std::string LaneOps::select(const std::string& condition, const std::string& yes,
                            const std::string& no, ScalarKind kind, int lanes) {
  const std::string type = llvm_type(kind, lanes);
  return b_.assign("select " + llvm_type(ScalarKind::i1, lanes) + " " + condition + ", " + type +
                   " " + yes + ", " + type + " " + no);
}

// "v16f32", as intrinsics are overloaded.
std::string LaneOps::suffix(ScalarKind kind, int lanes) const {
  std::string scalar = is_float(kind) && !is_float8(kind) && kind != ScalarKind::bf16
                           ? "f" + std::to_string(bit_width(kind))
                           : "i" + std::to_string(bit_width(kind));
  return lanes == 1 ? scalar : "v" + std::to_string(lanes) + scalar;
}

std::string LaneOps::intrinsic(const std::string& name, ScalarKind kind, int lanes,
                               const Operands& x, const std::string& extra,
                               const std::string& flags) {
  const std::string type = llvm_type(kind, lanes);
  const std::string full = "@llvm." + name + "." + suffix(kind, lanes);
  std::string parameters;
  std::string arguments;
  for (const std::string& operand : x) {
    parameters += (parameters.empty() ? "" : ", ") + type;
    arguments += (arguments.empty() ? "" : ", ") + type + " " + operand;
  }
  if (!extra.empty()) {
    parameters += ", i1";
    arguments += ", " + extra;
  }
  module_.declare("declare " + type + " " + full + "(" + parameters + ")");
  return b_.assign("call " + flags + type + " " + full + "(" + arguments + ")");
}

std::vector<std::string> LaneOps::emit(const Operation& op,
                                       const std::vector<std::string>& operands, int lanes) {
  Operands results;
  std::string result;
  if (op.is("arith.select")) {
    return {select(operands[0], operands[1], operands[2], op.result()->type.kind, lanes)};
  }
  if (op.is("tilewise.apply")) return emit_apply(op, operands, lanes);
  if (emit_cast(op, operands, lanes, result)) return {result};
  if (emit_integer(op, operands, lanes, results)) return results;
  if (emit_sign_of_bfloat(op, operands, lanes, result)) return {result};
  if (op.is("tt.extern_elementwise")) return {emit_extern(op, operands, lanes)};

  // Floating point. Narrow types compute in f32.
  const ScalarKind kind = op.operand(0)->type.kind;
  const bool narrow = bit_width(kind) < 32;
  const ScalarKind compute = narrow ? ScalarKind::f32 : kind;
  Operands x = operands;
  if (narrow) {
    for (std::string& operand : x) operand = convert_float(operand, kind, compute, lanes);
  }
  if (emit_float(op, x, compute, lanes, result) || emit_math(op, x, compute, lanes, result)) {
    if (narrow && op.result()->type.kind == kind) {
      result = convert_float(result, compute, kind, lanes);
    }
    return {result};
  }
  throw CompileError(op.location,
                     op.name + " is not supported for " + to_string(op.operand(0)->type));
}

std::vector<std::string> LaneOps::combine(const Block& region, const std::vector<std::string>& left,
                                          const std::vector<std::string>& right, int lanes) {
  std::unordered_map<const Value*, std::string> names;
  for (size_t i = 0; i < left.size(); ++i) {
    names[region.arguments[i].get()] = left[i];
    names[region.arguments[left.size() + i].get()] = right[i];
  }
  auto texts = [&](const Operation& op) {
    std::vector<std::string> result;
    for (const Value* operand : op.operands) {
      auto found = names.find(operand);
      if (found != names.end()) {
        result.push_back(found->second);
        continue;
      }
      // Constants may be hoisted out of the region.
      const Operation* constant = operand->definition;
      if (!constant || !constant->is("arith.constant")) {
        throw CompileError(op.location, "a combine region that uses values from outside");
      }
      const ScalarKind kind = operand->type.kind;
      result.push_back(is_float(kind) ? float_constant(constant_float(*constant), kind, lanes)
                                      : integer_constant(constant_integer(*constant), kind, lanes));
    }
    return result;
  };
  for (const auto& op : region.operations) {
    if (is_class(*op, OpClass::terminator)) return texts(*op);
    if (is_class(*op, OpClass::constant)) continue;
    const std::vector<std::string> results = emit(*op, texts(*op), lanes);
    for (size_t i = 0; i < results.size(); ++i) names[op->result(static_cast<int>(i))] = results[i];
  }
  return {};
}

}  // namespace tilewise::compiler
