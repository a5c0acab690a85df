// SPDX-License-Identifier: Apache-2.0
// Loops and branches. Scalars that they carry live in stack slots, which LLVM turns into registers;
// carried tensors live in scratch, where the schedule's nests have put them.
#include "compiler/llvm/kernel_emitter.h"

namespace tilewise::compiler {

std::string KernelEmitter::slot_for(const Value* value) {
  std::string& slot = slots_[value];
  if (slot.empty() && !value->type.is_tensor) slot = builder_.slot(llvm_type(value->type.kind, 1));
  return slot;
}

void KernelEmitter::load_slot(const Value* value, const std::string& slot) {
  if (value->type.is_tensor) return;
  set_scalar(value, builder_.assign("load " + llvm_type(value->type.kind, 1) + ", ptr " + slot));
}

void KernelEmitter::store_slot(const Value* value, const std::string& slot, const Value* source) {
  if (value->type.is_tensor) return;
  builder_.line("store " + llvm_type(value->type.kind, 1) + " " + scalar(source) + ", ptr " + slot);
}

void KernelEmitter::pass_block_arguments(const Block& target, const Operation& op, int first,
                                         int count) {
  for (int i = 0; i < count; ++i) {
    const Value* argument = target.arguments.at(static_cast<size_t>(i)).get();
    store_slot(argument, slot_for(argument), op.operand(first + i));
  }
}

// Of the kernel's program, of a call, or of a function of scalars.
void KernelEmitter::emit_return(const Operation& op) {
  if (const Operation* call = op.parent->parent) {
    for (int i = 0; i < op.operand_count(); ++i) {
      store_slot(call->result(i), slot_for(call->result(i)), op.operand(i));
    }
    return builder_.line("br label %" + call_ends_.at(call));
  }
  if (program_.function->is_public) return builder_.line("br label %program.next");
  const std::string type = scalar_result_type(program_.function->results);
  if (op.operand_count() == 1) return builder_.line("ret " + type + " " + scalar(op.operand(0)));
  std::string value = "poison";
  for (int i = 0; i < op.operand_count(); ++i) {
    value = builder_.assign("insertvalue " + type + " " + value + ", " +
                            llvm_type(op.operand(i)->type.kind, 1) + " " + scalar(op.operand(i)) +
                            ", " + std::to_string(i));
  }
  builder_.line(op.operand_count() == 0 ? "ret void" : "ret " + type + " " + value);
}

// The blocks of a function with several of them, in place of its call.
void KernelEmitter::emit_call(const Item& item) {
  const std::string end = call_ends_[item.op] = builder_.fresh_label("call.end");
  emit_blocks(item.regions);
  builder_.label(end);
  for (const auto& result : item.op->results) load_slot(result.get(), slot_for(result.get()));
}

// Terminators. Those of regions store what they yield; the region's owner emits the jump.
void KernelEmitter::emit_branch(const Operation& op) {
  if (op.is("tt.return")) return emit_return(op);
  if (op.is("cf.br")) {
    pass_block_arguments(*op.successors[0], op, 0, op.successor_operands[0]);
    return builder_.line("br label %" + labels_.at(op.successors[0]));
  }
  if (op.is("cf.cond_br")) {  // It passes no values (passes/split_edges.h).
    return builder_.line("br i1 " + scalar(op.operand(0)) + ", label %" +
                         labels_.at(op.successors[0]) + ", label %" + labels_.at(op.successors[1]));
  }
  // scf.yield and scf.condition.
  const Operation& owner = *op.parent->parent;
  const bool is_condition = op.is("scf.condition");
  for (int i = is_condition ? 1 : 0; i < op.operand_count(); ++i) {
    const Value* target = nullptr;
    if (is_condition) {
      target = owner.result(i - 1);
    } else if (owner.is("scf.if")) {
      target = owner.result(i);
    } else if (owner.is("scf.for")) {
      target = owner.regions[0].blocks[0]->arguments[static_cast<size_t>(i) + 1].get();
    } else {
      target = owner.regions[0].blocks[0]->arguments[static_cast<size_t>(i)].get();
    }
    store_slot(target, slot_for(target), op.operand(i));
  }
}

void KernelEmitter::emit_for(const Item& item) {
  const Operation& op = *item.op;
  const Block& body = *op.regions[0].blocks[0];
  const std::string type = llvm_type(op.operand(0)->type.kind, 1);
  const Value* counter = body.arguments[0].get();
  store_slot(counter, slot_for(counter), op.operand(0));
  for (size_t i = 1; i < body.arguments.size(); ++i) {
    const Value* argument = body.arguments[i].get();
    store_slot(argument, slot_for(argument), op.operand(static_cast<int>(i) + 2));
  }
  const std::string head = builder_.fresh_label("for.head");
  const std::string inside = builder_.fresh_label("for.body");
  const std::string after = builder_.fresh_label("for.end");
  builder_.line("br label %" + head);
  builder_.label(head);
  for (const auto& argument : body.arguments) load_slot(argument.get(), slot_for(argument.get()));
  const char* predicate = op.attribute("unsignedCmp") ? "ult " : "slt ";
  const std::string more = builder_.assign(std::string("icmp ") + predicate + type + " " +
                                           scalar(counter) + ", " + scalar(op.operand(1)));
  builder_.line("br i1 " + more + ", label %" + inside + ", label %" + after);
  builder_.label(inside);
  emit_schedule(*item.regions[0]);
  const std::string next =
      builder_.assign("add " + type + " " + scalar(counter) + ", " + scalar(op.operand(2)));
  builder_.line("store " + type + " " + next + ", ptr " + slot_for(counter));
  builder_.line("br label %" + head);
  builder_.label(after);
  // The values loaded at the head are those after the last iteration.
  for (size_t i = 1; i < body.arguments.size(); ++i) {
    const Value* argument = body.arguments[i].get();
    if (!argument->type.is_tensor) set_scalar(op.result(static_cast<int>(i) - 1), scalar(argument));
  }
}

void KernelEmitter::emit_if(const Item& item) {
  const Operation& op = *item.op;
  const std::string yes = builder_.fresh_label("then");
  const std::string no = builder_.fresh_label("else");
  const std::string after = builder_.fresh_label("endif");
  const bool has_else = item.regions.size() == 2;
  builder_.line("br i1 " + scalar(op.operand(0)) + ", label %" + yes + ", label %" +
                (has_else ? no : after));
  builder_.label(yes);
  emit_schedule(*item.regions[0]);
  builder_.line("br label %" + after);
  if (has_else) {
    builder_.label(no);
    emit_schedule(*item.regions[1]);
    builder_.line("br label %" + after);
  }
  builder_.label(after);
  for (const auto& result : op.results) load_slot(result.get(), slot_for(result.get()));
}

void KernelEmitter::emit_while(const Item& item) {
  const Operation& op = *item.op;
  const Block& before = *op.regions[0].blocks[0];
  const Block& body = *op.regions[1].blocks[0];
  for (size_t i = 0; i < before.arguments.size(); ++i) {
    const Value* argument = before.arguments[i].get();
    store_slot(argument, slot_for(argument), op.operand(static_cast<int>(i)));
  }
  const std::string head = builder_.fresh_label("while.head");
  const std::string inside = builder_.fresh_label("while.body");
  const std::string after = builder_.fresh_label("while.end");
  builder_.line("br label %" + head);
  builder_.label(head);
  for (const auto& argument : before.arguments) load_slot(argument.get(), slot_for(argument.get()));
  emit_schedule(*item.regions[0]);
  for (const auto& result : op.results) load_slot(result.get(), slot_for(result.get()));
  builder_.line("br i1 " + scalar(before.terminator()->operand(0)) + ", label %" + inside +
                ", label %" + after);
  builder_.label(inside);
  for (size_t i = 0; i < body.arguments.size(); ++i) {
    const Value* argument = body.arguments[i].get();
    if (!argument->type.is_tensor) set_scalar(argument, scalar(op.result(static_cast<int>(i))));
  }
  emit_schedule(*item.regions[1]);
  builder_.line("br label %" + head);
  builder_.label(after);
}

}  // namespace tilewise::compiler
