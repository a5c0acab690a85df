// SPDX-License-Identifier: Apache-2.0
// Tile IR -> LLVM assembly: the kernel's function, its loop over programs, scalars and control
// flow. Loop nests are emitted by nest_emitter.h.
#pragma once

#include <set>
#include <string>
#include <unordered_map>

#include "compiler/llvm/dot_kernel.h"
#include "compiler/llvm/lane_ops.h"
#include "compiler/llvm/memory_ops.h"
#include "compiler/llvm/text_builder.h"
#include "compiler/passes/uses.h"
#include "compiler/tile_ir/nodes.h"

namespace tilewise::compiler {

class KernelEmitter {
 public:
  // What the function needs beside itself goes to `module`.
  KernelEmitter(const TileProgram& program, const UseMap& uses, ModuleText& module);

  // The text of the kernel's function, called `entry`.
  std::string emit_kernel(const std::string& entry);
  // The text of a function of scalars, for tilewise.apply.
  std::string emit_scalar_function();

  // --- For nests.
  TextBuilder& builder() { return builder_; }
  ModuleText& module() { return module_; }
  LaneOps& lane_ops() { return lane_ops_; }
  MemoryOps& memory_ops() { return memory_ops_; }
  const TileProgram& program() const { return program_; }
  const UseMap& uses() const { return uses_; }
  const Target& target() const { return module_.target(); }

  const std::string& scalar(const Value* value) const;
  void set_scalar(const Value* value, const std::string& text) { scalars_[value] = text; }
  // The address of a buffer's first element.
  std::string buffer_address(const Buffer& buffer);
  // Whether a nest that was emitted before writes the buffer.
  bool is_written(const Buffer& buffer) const { return written_.contains(buffer.id); }
  // A tile for a product: in its buffer or where it was loaded from.
  struct DotOperand {
    std::string pointer;
    std::string row_bytes;
    // i64; rows or columns from there on are zeros. Empty: not known.
    std::string rows_end = "";
    std::string columns_end = "";
  };
  DotOperand& dot_operand(const Buffer& buffer) { return dot_operands_[buffer.id]; }
  void emit_assertion(const Operation& op, const std::string& condition);
  // Prints one value of a tl.device_print; `index` holds the lane's indices.
  void emit_print(const Operation& op, int operand, const std::string& value,
                  const std::vector<std::string>& index);
  // atomicrmw or cmpxchg of one lane; returns the old value.
  std::string emit_atomic(const Operation& op, const std::string& pointer, const std::string& value,
                          const std::string& replacement);

 private:
  void emit_arguments();
  void emit_schedule(const Schedule& schedule);
  void emit_item(const Item& item);
  void emit_operation(const Operation& op);
  void emit_program_query(const Operation& op);
  void emit_scalar_memory(const Operation& op);
  void emit_unsplat(const Operation& op);
  void emit_scalar_print(const Operation& op);
  void emit_branch(const Operation& op);
  void pass_block_arguments(const Block& target, const Operation& op, int first, int count);
  void emit_for(const Item& item);
  void emit_if(const Item& item);
  void emit_while(const Item& item);
  void emit_call(const Item& item);
  void emit_return(const Operation& op);
  void emit_blocks(const std::vector<std::unique_ptr<Schedule>>& schedules);
  void emit_dot(const Item& item);
  DotOperand dot_operand(const BufferView& view, int64_t rows, int64_t columns, int64_t batch);
  void emit_copy(const Item& item);
  void emit_clear(const Item& item);
  std::string message_text(const std::string& text);
  std::string emit_atomic_bfloat(const std::string& pointer, const std::string& value);

  // Scalars that change in a loop live in stack slots.
  std::string slot_for(const Value* value);
  void load_slot(const Value* value, const std::string& slot);
  void store_slot(const Value* value, const std::string& slot, const Value* source);

  const TileProgram& program_;
  const UseMap& uses_;
  ModuleText& module_;
  std::string body_;
  TextBuilder builder_;
  LaneOps lane_ops_;
  MemoryOps memory_ops_;
  std::unordered_map<const Value*, std::string> scalars_;
  std::unordered_map<const Block*, std::string> labels_;
  std::unordered_map<const Operation*, std::string> call_ends_;  // Labels behind calls.
  std::unordered_map<const Value*, std::string> slots_;
  std::set<int> buffers_;  // Those whose address is computed in the entry.
  std::set<int> written_;
  std::unordered_map<int, std::string> register_buffers_;
  std::unordered_map<int, DotOperand> dot_operands_;  // By the buffer; without: in the buffer.
  std::string buffer_text_;
};

}  // namespace tilewise::compiler
