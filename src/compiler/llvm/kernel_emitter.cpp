// SPDX-License-Identifier: Apache-2.0
#include "compiler/llvm/kernel_emitter.h"

#include <cstdio>

#include "base/check.h"
#include "compiler/llvm/nest_emitter.h"
#include "compiler/ttir/op_table.h"

namespace tilewise::compiler {

KernelEmitter::KernelEmitter(const TileProgram& program, const UseMap& uses, const Target& target)
    : program_(program),
      uses_(uses),
      module_(target),
      builder_(&body_),
      lane_ops_(builder_, module_),
      memory_ops_(builder_, module_, lane_ops_) {}

const std::string& KernelEmitter::scalar(const Value* value) const {
  auto found = scalars_.find(value);
  TILEWISE_ASSERT(found != scalars_.end(), "%" + value->name + " was not computed");
  return found->second;
}

// One function that runs programs first..last-1 of the linear grid, so that what does not depend on
// the program is computed once.
std::string KernelEmitter::emit(const std::string& entry) {
  emit_arguments();
  const std::string counter = builder_.slot("i64");
  builder_.line("store i64 %first, ptr " + counter);
  builder_.line("br label %program.head");
  builder_.label("program.head");
  builder_.line("%program = load i64, ptr " + counter);
  const std::string more = builder_.assign("icmp slt i64 %program, %last");
  builder_.line("br i1 " + more + ", label %program.body, label %program.end");
  builder_.label("program.body");
  builder_.text(R"(  %wide.x = zext i32 %grid.x to i64
  %wide.y = zext i32 %grid.y to i64
  %index.x = urem i64 %program, %wide.x
  %index.yz = udiv i64 %program, %wide.x
  %index.y = urem i64 %index.yz, %wide.y
  %index.z = udiv i64 %index.yz, %wide.y
  %program.x = trunc i64 %index.x to i32
  %program.y = trunc i64 %index.y to i32
  %program.z = trunc i64 %index.z to i32
)");
  for (size_t i = 0; i < program_.schedules.size(); ++i) {
    labels_[program_.schedules[i]->block] = "block" + std::to_string(i);
  }
  builder_.line("br label %block0");
  for (const auto& schedule : program_.schedules) {
    builder_.label(labels_.at(schedule->block));
    if (schedule != program_.schedules.front()) {
      for (const auto& argument : schedule->block->arguments) {
        load_slot(argument.get(), slot_for(argument.get()));
      }
    }
    emit_schedule(*schedule);
  }
  builder_.label("program.next");
  builder_.line("%program.after = add nsw i64 %program, 1");
  builder_.line("store i64 %program.after, ptr " + counter);
  builder_.line("br label %program.head");
  builder_.label("program.end");
  builder_.line("ret void");

  const Target& target = module_.target();
  const std::string bits = std::to_string(target.vector_bytes * 8);
  return "target triple = \"" + target.triple + "\"\n" + module_.text() + "define void @" + entry +
         "(ptr noalias readonly %args, ptr noalias readonly %grid, i64 %first, i64 %last, "
         "ptr noalias align 64 %scratch) #0 {\nentry:\n" +
         builder_.entry() + buffer_text_ + body_ + "}\nattributes #0 = { nounwind \"target-cpu\"=\"" + target.cpu +
         "\" \"target-features\"=\"" + target.features + "\" \"prefer-vector-width\"=\"" + bits +
         "\" \"min-legal-vector-width\"=\"" + bits + "\" }\n";
}

// One 8-byte slot per parameter, values in the low bytes.
void KernelEmitter::emit_arguments() {
  int index = 0;
  for (const auto& argument : program_.function->arguments()) {
    const ScalarKind kind = argument->type.kind;
    if (argument->type.is_tensor || kind == ScalarKind::none) {
      throw CompileError(program_.function->location, "a kernel's parameter is no scalar");
    }
    const std::string address = builder_.assign("getelementptr inbounds i64, ptr %args, i64 " +
                                                std::to_string(index++));
    set_scalar(argument.get(), memory_ops_.load({LaneAddress::Form::contiguous, address, ""}, kind,
                                                "", "", 1, 8));
  }
  for (const char* axis : {"x", "y", "z"}) {
    const std::string address = builder_.assign("getelementptr inbounds i32, ptr %grid, i64 " +
                                                std::to_string(axis[0] - 'x'));
    builder_.line("%grid." + std::string(axis) + " = load i32, ptr " + address + ", align 4");
  }
}

std::string KernelEmitter::buffer_address(const Buffer& buffer) {
  if (buffer.offset == 0) return "%scratch";
  const std::string name = "%buffer" + std::to_string(buffer.id);
  if (buffers_.insert(buffer.id).second) {
    buffer_text_ += "  " + name + " = getelementptr inbounds i8, ptr %scratch, i64 " +
                    std::to_string(buffer.offset) + "\n";
  }
  return name;
}

void KernelEmitter::emit_schedule(const Schedule& schedule) {
  for (const auto& item : schedule.items) emit_item(*item);
}

void KernelEmitter::emit_item(const Item& item) {
  switch (item.kind) {
    case Item::Kind::operation: return emit_operation(*item.op);
    case Item::Kind::nest: return NestEmitter(*this, item).emit();
    case Item::Kind::dot: return emit_dot(item);
    case Item::Kind::copy: return emit_copy(item);
    case Item::Kind::control:
      if (item.op->is("scf.for")) return emit_for(item);
      if (item.op->is("scf.if")) return emit_if(item);
      return emit_while(item);
  }
}

void KernelEmitter::emit_operation(const Operation& op) {
  switch (op.info->op_class) {
    case OpClass::program: return emit_program_query(op);
    case OpClass::load:
    case OpClass::store:
    case OpClass::atomic: return emit_scalar_memory(op);
    case OpClass::terminator: return emit_branch(op);
    case OpClass::shape: return emit_unsplat(op);
    case OpClass::constant: {
      const ScalarKind kind = op.result()->type.kind;
      std::string text;
      if (op.is("ub.poison")) {
        text = kind == ScalarKind::pointer ? "null" : is_float(kind) ? float_constant(0, kind, 1)
                                                                     : integer_constant(0, kind, 1);
      } else {
        text = is_float(kind) ? float_constant(constant_float(op), kind, 1)
                              : integer_constant(constant_integer(op), kind, 1);
      }
      return set_scalar(op.result(), text);
    }
    case OpClass::effect:
      if (op.is("tt.assert")) emit_assertion(op, scalar(op.operand(0)));
      return;  // Barriers order the threads of a GPU; a program runs on one here.
    default: break;
  }
  if (op.is("tt.addptr")) {
    const std::string element = llvm_storage_type(op.result()->type.pointee, 1);
    set_scalar(op.result(), builder_.assign("getelementptr " + element + ", ptr " +
                                            scalar(op.operand(0)) + ", " +
                                            llvm_type(op.operand(1)->type.kind, 1) + " " +
                                            scalar(op.operand(1))));
    return;
  }
  std::vector<std::string> operands;
  for (const Value* operand : op.operands) operands.push_back(scalar(operand));
  const std::vector<std::string> results = lane_ops_.emit(op, operands, 1);
  for (size_t i = 0; i < results.size(); ++i) set_scalar(op.result(static_cast<int>(i)), results[i]);
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
    if (is_float(kind)) throw CompileError(op.location, "compare-and-swap of floats");
    const std::string pair = builder_.assign("cmpxchg ptr " + pointer + ", " + type + " " + value +
                                             ", " + type + " " + replacement + " acq_rel acquire");
    return builder_.assign("extractvalue { " + type + ", i1 } " + pair + ", 0");
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

void KernelEmitter::emit_assertion(const Operation& op, const std::string& condition) {
  const std::string message = op.word("message") + " (" + op.location.text() + ")";
  std::string bytes;
  for (unsigned char c : message) {
    char hex[4];
    std::snprintf(hex, sizeof hex, "\\%02X", c);
    bytes += hex;
  }
  const std::string name = module_.global("[" + std::to_string(message.size() + 1) + " x i8] c\"" +
                                          bytes + "\\00\"");
  module_.declare("declare void @tilewise_assert_fail(ptr)");
  const std::string fails = builder_.fresh_label("fails");
  const std::string holds = builder_.fresh_label("holds");
  builder_.line("br i1 " + condition + ", label %" + holds + ", label %" + fails);
  builder_.label(fails);
  builder_.line("call void @tilewise_assert_fail(ptr " + name + ")");
  builder_.line("br label %" + holds);
  builder_.label(holds);
}

void KernelEmitter::emit_dot(const Item& item) {
  const std::vector<int64_t>& a = item.op->operand(0)->type.shape;
  const std::vector<int64_t>& c = item.op->result()->type.shape;
  const size_t rank = a.size();
  const DotShape shape{static_cast<int>(a[rank - 2]), static_cast<int>(c[rank - 1]),
                       static_cast<int>(a[rank - 1])};
  std::string name;
  const std::string text = dot_function(shape, module_.target(), name);
  module_.define(name, text);
  const int64_t batches = rank == 3 ? a[0] : 1;
  auto matrix = [&](const BufferView& view, int64_t elements, int64_t batch) {
    const std::string base = buffer_address(*view.buffer);
    const int64_t offset = view.offset + elements * batch;
    if (offset == 0) return base;
    return builder_.assign("getelementptr inbounds float, ptr " + base + ", i64 " +
                           std::to_string(offset));
  };
  for (int64_t batch = 0; batch < batches; ++batch) {
    const std::string left = matrix(item.a, int64_t{shape.m} * shape.k, batch);
    const std::string right = matrix(item.b, int64_t{shape.k} * shape.n, batch);
    const std::string result = matrix(item.c, int64_t{shape.m} * shape.n, batch);
    builder_.line("call void @" + name + "(ptr " + left + ", ptr " + right + ", ptr " + result +
                  ")");
  }
}

void KernelEmitter::emit_copy(const Item& item) {
  const int64_t bytes = item.a.buffer->elements * storage_bytes(item.a.buffer->kind);
  module_.declare("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)");
  const std::string to = buffer_address(*item.b.buffer);
  const std::string from = buffer_address(*item.a.buffer);
  builder_.line("call void @llvm.memcpy.p0.p0.i64(ptr " + to + ", ptr " + from + ", i64 " +
                std::to_string(bytes) + ", i1 false)");
}

}  // namespace tilewise::compiler
