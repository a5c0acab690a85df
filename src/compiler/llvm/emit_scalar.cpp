// SPDX-License-Identifier: Apache-2.0
// Scalar operations of a kernel, and what tiles share with them: atomics.
#include "compiler/llvm/kernel_emitter.h"
#include "compiler/llvm/nest_emitter.h"
#include "compiler/ttir/op_table.h"

namespace tilewise::compiler {

void KernelEmitter::emit_operation(const Operation& op) {
  switch (op.info->op_class) {
    case OpClass::program:
      return emit_program_query(op);
    case OpClass::load:
    case OpClass::store:
    case OpClass::atomic:
      return emit_scalar_memory(op);
    case OpClass::terminator:
      return emit_branch(op);
    case OpClass::shape:
      return emit_unsplat(op);
    case OpClass::constant: {
      const ScalarKind kind = op.result()->type.kind;
      std::string text;
      if (op.is("ub.poison")) {
        text = kind == ScalarKind::pointer ? "null"
               : is_float(kind)            ? float_constant(0, kind, 1)
                                           : integer_constant(0, kind, 1);
      } else {
        text = is_float(kind) ? float_constant(constant_float(op), kind, 1)
                              : integer_constant(constant_integer(op), kind, 1);
      }
      return set_scalar(op.result(), text);
    }
    case OpClass::effect:
      if (op.is("tt.assert")) emit_assertion(op, scalar(op.operand(0)));
      if (op.is("tt.print")) emit_scalar_print(op);
      return;  // Barriers order the threads of a GPU; a program runs on one here.
    default:
      break;
  }
  if (op.is("tt.addptr")) {
    const std::string element = llvm_storage_type(op.result()->type.pointee, 1);
    set_scalar(
        op.result(),
        builder_.assign("getelementptr " + element + ", ptr " + scalar(op.operand(0)) + ", " +
                        llvm_type(op.operand(1)->type.kind, 1) + " " + scalar(op.operand(1))));
    return;
  }
  std::vector<std::string> operands;
  for (const Value* operand : op.operands) operands.push_back(scalar(operand));
  const std::vector<std::string> results = lane_ops_.emit(op, operands, 1);
  for (size_t i = 0; i < results.size(); ++i)
    set_scalar(op.result(static_cast<int>(i)), results[i]);
}

void KernelEmitter::emit_program_query(const Operation& op) {
  const char* stem = op.is("tt.get_program_id") ? "%program." : "%grid.";
  set_scalar(op.result(), stem + op.word("axis"));
}

void KernelEmitter::emit_unsplat(const Operation& op) {
  Item nest;
  nest.kind = Item::Kind::nest;
  set_scalar(op.result(), NestEmitter(*this, nest).evaluate_single(op.operand(0)));
}

void KernelEmitter::emit_scalar_memory(const Operation& op) {
  const LaneAddress address{LaneAddress::Form::contiguous, scalar(op.operand(0)), ""};
  auto optional = [&](int i) { return op.operand_count() > i ? scalar(op.operand(i)) : ""; };
  if (is_class(op, OpClass::load)) {
    std::string mask = optional(1);
    set_scalar(op.result(),
               memory_ops_.load(address, op.result()->type.kind, mask, optional(2), 1));
    return;
  }
  if (is_class(op, OpClass::store)) {
    memory_ops_.store(address, op.operand(1)->type.kind, scalar(op.operand(1)), optional(2), 1);
    return;
  }
  const bool is_swap = op.is("tt.atomic_cas");
  const std::string mask = is_swap ? "" : optional(2);
  const ScalarKind kind = op.operand(1)->type.kind;
  const std::string type = llvm_type(kind, 1);
  const std::string result = builder_.slot(type);
  const std::string perform = builder_.fresh_label("atomic");
  const std::string skip = builder_.fresh_label("skip");
  if (!mask.empty()) {
    builder_.line("br i1 " + mask + ", label %" + perform + ", label %" + skip);
    builder_.label(perform);
  }
  const std::string old =
      emit_atomic(op, address.base, scalar(op.operand(1)), is_swap ? scalar(op.operand(2)) : "");
  builder_.line("store " + type + " " + old + ", ptr " + result);
  if (!mask.empty()) {
    builder_.line("br label %" + skip);
    builder_.label(skip);
  }
  if (!op.results.empty()) {
    set_scalar(op.result(), builder_.assign("load " + type + ", ptr " + result));
  }
}

std::string KernelEmitter::emit_atomic(const Operation& op, const std::string& pointer,
                                       const std::string& value, const std::string& replacement) {
  const ScalarKind kind = op.operand(1)->type.kind;
  const std::string type = llvm_type(kind, 1);
  if (op.is("tt.atomic_cas")) {
    // Floats are compared by their bits, as on GPUs.
    const ScalarKind bits_kind = integer_of_width(bit_width(kind));
    const std::string bits = llvm_type(bits_kind, 1);
    const std::string expected = lane_ops_.bitcast(value, kind, bits_kind, 1);
    const std::string desired = lane_ops_.bitcast(replacement, kind, bits_kind, 1);
    const std::string pair =
        builder_.assign("cmpxchg ptr " + pointer + ", " + bits + " " + expected + ", " + bits +
                        " " + desired + " acq_rel acquire");
    const std::string old = builder_.assign("extractvalue { " + bits + ", i1 } " + pair + ", 0");
    return lane_ops_.bitcast(old, bits_kind, kind, 1);
  }
  std::string name = op.word("atomic_rmw_op");
  if (kind == ScalarKind::bf16 && name == "fadd") return emit_atomic_bfloat(pointer, value);
  if (kind == ScalarKind::bf16 || kind == ScalarKind::i1) {
    throw CompileError(op.location, std::string("atomic ") + name + " on " + kind_name(kind));
  }
  if (name == "exch") name = "xchg";
  if (is_float(kind) && (name == "max" || name == "min")) name = "f" + name;
  return builder_.assign("atomicrmw " + name + " ptr " + pointer + ", " + type + " " + value +
                         " acq_rel");
}

// LLVM's own expansion would add with an instruction that flushes denormals.
std::string KernelEmitter::emit_atomic_bfloat(const std::string& pointer,
                                              const std::string& value) {
  constexpr ScalarKind kNarrow = ScalarKind::bf16;
  constexpr ScalarKind kWide = ScalarKind::f32;
  const std::string slot = builder_.slot("i16");
  const std::string again = builder_.fresh_label("again");
  const std::string done = builder_.fresh_label("added");
  const std::string first =
      builder_.assign("load atomic i16, ptr " + pointer + " monotonic, align 2");
  const std::string addend = lane_ops_.convert_float(value, kNarrow, kWide, 1);
  builder_.line("store i16 " + first + ", ptr " + slot);
  builder_.line("br label %" + again);
  builder_.label(again);
  const std::string old = builder_.assign("load i16, ptr " + slot);
  const std::string sum = builder_.assign(
      "fadd float " + lane_ops_.convert_float(old, kNarrow, kWide, 1) + ", " + addend);
  const std::string rounded = lane_ops_.convert_float(sum, kWide, kNarrow, 1);
  const std::string pair = builder_.assign("cmpxchg ptr " + pointer + ", i16 " + old + ", i16 " +
                                           rounded + " acq_rel monotonic");
  const std::string seen = builder_.assign("extractvalue { i16, i1 } " + pair + ", 0");
  const std::string success = builder_.assign("extractvalue { i16, i1 } " + pair + ", 1");
  builder_.line("store i16 " + seen + ", ptr " + slot);
  builder_.line("br i1 " + success + ", label %" + done + ", label %" + again);
  builder_.label(done);
  return old;
}

}  // namespace tilewise::compiler
