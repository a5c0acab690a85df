// SPDX-License-Identifier: Apache-2.0
#include "compiler/llvm/kernel_emitter.h"

#include "base/check.h"
#include "compiler/llvm/nest_emitter.h"
#include "compiler/llvm/plain_dot_kernel.h"
#include "compiler/ttir/op_table.h"

namespace tilewise::compiler {

KernelEmitter::KernelEmitter(const TileProgram& program, const UseMap& uses, ModuleText& module)
    : program_(program),
      uses_(uses),
      module_(module),
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
std::string KernelEmitter::emit_kernel(const std::string& entry) {
  emit_arguments();
  // The three indices count along, since a division costs as much as a small program.
  builder_.text(R"(  %wide.x = zext i32 %grid.x to i64
  %wide.y = zext i32 %grid.y to i64
  %first.x = urem i64 %first, %wide.x
  %first.yz = udiv i64 %first, %wide.x
  %first.y = urem i64 %first.yz, %wide.y
  %first.z = udiv i64 %first.yz, %wide.y
  %start.x = trunc i64 %first.x to i32
  %start.y = trunc i64 %first.y to i32
  %start.z = trunc i64 %first.z to i32
  br label %program.start
program.start:
  br label %program.head
program.head:
  %program = phi i64 [ %first, %program.start ], [ %program.after, %program.next ]
  %program.x = phi i32 [ %start.x, %program.start ], [ %next.x, %program.next ]
  %program.y = phi i32 [ %start.y, %program.start ], [ %next.y, %program.next ]
  %program.z = phi i32 [ %start.z, %program.start ], [ %next.z, %program.next ]
  %program.more = icmp slt i64 %program, %last
  br i1 %program.more, label %program.body, label %program.end
program.body:
)");
  emit_blocks(program_.schedules);
  builder_.text(R"(program.next:
  %program.after = add nsw i64 %program, 1
  %step.x = add i32 %program.x, 1
  %wraps.x = icmp eq i32 %step.x, %grid.x
  %next.x = select i1 %wraps.x, i32 0, i32 %step.x
  %carry.x = zext i1 %wraps.x to i32
  %step.y = add i32 %program.y, %carry.x
  %wraps.y = icmp eq i32 %step.y, %grid.y
  %next.y = select i1 %wraps.y, i32 0, i32 %step.y
  %carry.y = zext i1 %wraps.y to i32
  %next.z = add i32 %program.z, %carry.y
  br label %program.head
)");
  builder_.label("program.end");
  if (memory_ops_.has_streaming_stores() && module_.target().triple.starts_with("x86_64")) {
    module_.declare("declare void @llvm.x86.sse.sfence()");
    builder_.line("call void @llvm.x86.sse.sfence()");
  }
  builder_.line("ret void");

  return "define void @" + entry +
         "(ptr noalias readonly %args, ptr noalias readonly %grid, i64 %first, i64 %last, "
         "ptr noalias align 64 %scratch) #0 {\nentry:\n" +
         builder_.entry() + buffer_text_ + body_ + "}\n";
}

std::string KernelEmitter::emit_scalar_function() {
  const Function& function = *program_.function;
  std::string parameters;
  for (const auto& argument : function.arguments()) {
    const std::string name = "%argument" + std::to_string(argument->index);
    set_scalar(argument.get(), name);
    parameters += (parameters.empty() ? "" : ", ") + llvm_type(argument->type.kind, 1) + " " + name;
  }
  emit_blocks(program_.schedules);
  return "define internal " + scalar_result_type(function.results) + " @" + function.name + "(" +
         parameters + ") alwaysinline #0 {\nentry:\n" + builder_.entry() + body_ + "}\n";
}

// The blocks of a region, from its first one on.
void KernelEmitter::emit_blocks(const std::vector<std::unique_ptr<Schedule>>& schedules) {
  for (const auto& schedule : schedules) {
    labels_[schedule->block] = builder_.fresh_label("block");
  }
  builder_.line("br label %" + labels_.at(schedules[0]->block));
  for (const auto& schedule : schedules) {
    builder_.label(labels_.at(schedule->block));
    if (schedule != schedules[0]) {
      for (const auto& argument : schedule->block->arguments) {
        load_slot(argument.get(), slot_for(argument.get()));
      }
    }
    emit_schedule(*schedule);
  }
}

// One 8-byte slot per parameter, values in the low bytes.
void KernelEmitter::emit_arguments() {
  int index = 0;
  for (const auto& argument : program_.function->arguments()) {
    const ScalarKind kind = argument->type.kind;
    if (argument->type.is_tensor || kind == ScalarKind::none) {
      throw CompileError(program_.function->location, "a kernel's parameter is no scalar");
    }
    const std::string address =
        builder_.assign("getelementptr inbounds i64, ptr %args, i64 " + std::to_string(index++));
    set_scalar(argument.get(),
               memory_ops_.load({LaneAddress::Form::contiguous, address, ""}, kind, "", "", 1, 8));
  }
  for (const char* axis : {"x", "y", "z"}) {
    const std::string address = builder_.assign("getelementptr inbounds i32, ptr %grid, i64 " +
                                                std::to_string(axis[0] - 'x'));
    builder_.line("%grid." + std::string(axis) + " = load i32, ptr " + address + ", align 4");
  }
}

std::string KernelEmitter::buffer_address(const Buffer& buffer) {
  if (buffer.in_registers) {
    std::string& slot = register_buffers_[buffer.id];
    if (slot.empty()) {
      slot = builder_.slot("[" + std::to_string(buffer.elements) + " x " +
                           llvm_storage_type(buffer.kind, 1) + "]");
    }
    return slot;
  }
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
    case Item::Kind::operation:
      return emit_operation(*item.op);
    case Item::Kind::nest:
      NestEmitter(*this, item).emit();
      for (const Root& root : item.roots) {
        for (const BufferView& view : root.views) {
          if (view.buffer) written_.insert(view.buffer->id);
        }
      }
      return;
    case Item::Kind::dot:
      return emit_dot(item);
    case Item::Kind::copy:
      return emit_copy(item);
    case Item::Kind::clear:
      return emit_clear(item);
    case Item::Kind::control:
      if (item.op->is("scf.for")) return emit_for(item);
      if (item.op->is("scf.if")) return emit_if(item);
      if (item.op->is("tt.call")) return emit_call(item);
      return emit_while(item);
  }
}

void KernelEmitter::emit_dot(const Item& item) {
  const std::vector<int64_t>& a = item.op->operand(0)->type.shape;
  const std::vector<int64_t>& c = item.op->result()->type.shape;
  const size_t rank = a.size();
  const DotShape shape{.m = static_cast<int>(a[rank - 2]),
                       .n = static_cast<int>(c[rank - 1]),
                       .k = static_cast<int>(a[rank - 1]),
                       .few_columns = item.few_columns};
  const ScalarKind kind = item.c.buffer->kind;
  const bool pairs = item.pairs.buffer != nullptr;
  std::string name;
  std::string pair_name;
  const std::string text = pairs ? bf16_dot_function(shape, target(), name)
                           : kind == ScalarKind::f32
                               ? dot_function(shape, target(), name)
                               : plain_dot_function(shape, kind, target(), name);
  module_.define(name, text);
  module_.declare("declare i64 @llvm.umin.i64(i64, i64)");
  module_.declare("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)");
  if (pairs) {
    const std::string pairing = pair_rows_function(shape, pair_name);
    module_.define(pair_name, pairing);
  }
  const int64_t batches = rank == 3 ? a[0] : 1;
  for (int64_t batch = 0; batch < batches; ++batch) {
    const DotOperand left = dot_operand(item.a, shape.m, shape.k, batch);
    DotOperand right = dot_operand(item.b, shape.k, shape.n, batch);
    const DotOperand result = dot_operand(item.c, shape.m, shape.n, batch);
    std::string k = std::to_string(shape.k);
    if (!left.columns_end.empty() && !right.rows_end.empty()) {
      k = builder_.assign("call i64 @llvm.smax.i64(i64 " + left.columns_end + ", i64 " +
                          right.rows_end + ")");
    }
    std::string m = item.few_rows ? left.rows_end : "";
    std::string n = item.few_columns ? right.columns_end : "";
    if (m.empty()) m = std::to_string(shape.m);
    if (n.empty()) n = std::to_string(shape.n);
    if (pairs) {
      const std::string paired = buffer_address(*item.pairs.buffer);
      builder_.line("call void @" + pair_name + "(ptr " + right.pointer + ", i64 " +
                    right.row_bytes + ", ptr " + paired + ")");
      right.pointer = paired;
    }
    builder_.line("call void @" + name + "(ptr " + left.pointer + ", i64 " + left.row_bytes +
                  ", ptr " + right.pointer + ", ptr " + result.pointer + ", i64 " + m + ", i64 " +
                  n + ", i64 " + k + ")");
  }
}

KernelEmitter::DotOperand KernelEmitter::dot_operand(const BufferView& view, int64_t rows,
                                                     int64_t columns, int64_t batch) {
  auto in_place = dot_operands_.find(view.buffer->id);
  if (in_place != dot_operands_.end()) return in_place->second;
  const ScalarKind kind = view.buffer->kind;
  DotOperand operand{buffer_address(*view.buffer), std::to_string(columns * storage_bytes(kind))};
  const int64_t offset = view.offset + rows * columns * batch;
  if (offset != 0) {
    operand.pointer = builder_.assign("getelementptr inbounds " + llvm_type(kind, 1) + ", ptr " +
                                      operand.pointer + ", i64 " + std::to_string(offset));
  }
  return operand;
}

void KernelEmitter::emit_copy(const Item& item) {
  const int64_t bytes = item.a.buffer->elements * storage_bytes(item.a.buffer->kind);
  module_.declare("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)");
  const std::string to = buffer_address(*item.b.buffer);
  const std::string from = buffer_address(*item.a.buffer);
  builder_.line("call void @llvm.memcpy.p0.p0.i64(ptr " + to + ", ptr " + from + ", i64 " +
                std::to_string(bytes) + ", i1 false)");
}

void KernelEmitter::emit_clear(const Item& item) {
  const int64_t bytes = item.a.buffer->elements * storage_bytes(item.a.buffer->kind);
  module_.declare("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)");
  builder_.line("call void @llvm.memset.p0.i64(ptr " + buffer_address(*item.a.buffer) +
                ", i8 0, i64 " + std::to_string(bytes) + ", i1 false)");
}

}  // namespace tilewise::compiler
