// SPDX-License-Identifier: Apache-2.0
#include "compiler/passes/scalarize_loop_offsets.h"

#include <algorithm>

#include "compiler/passes/uses.h"
#include "compiler/ttir/op_table.h"

namespace tilewise::compiler {
namespace {

class LoopOffsets {
 public:
  explicit LoopOffsets(Function& function) : function_(function) {}

  void run() {
    for (Operation* op : all_operations(function_)) {
      if (!op->is("scf.for")) continue;
      for (size_t i = 0; i < op->results.size(); ++i) rewrite(*op, i);
    }
    number_operations(function_);
  }

 private:
  static std::unique_ptr<Operation> make(const char* name, std::vector<Value*> operands, Type type,
                                         const Operation& like) {
    auto op = std::make_unique<Operation>();
    op->name = name;
    op->info = find_op(name);
    op->operands = std::move(operands);
    op->location = like.location;
    auto result = std::make_unique<Value>();
    result->name = std::string(name) + ".of_loop";
    result->type = std::move(type);
    result->definition = op.get();
    op->results.push_back(std::move(result));
    return op;
  }

  static Value* insert(Block& block, size_t at, std::unique_ptr<Operation> op) {
    op->parent = &block;
    Value* result = op->result();
    block.operations.insert(block.operations.begin() + static_cast<ptrdiff_t>(at), std::move(op));
    return result;
  }

  static size_t position(const Operation& op) {
    auto& operations = op.parent->operations;
    return static_cast<size_t>(std::find_if(operations.begin(), operations.end(),
                                            [&](auto& other) { return other.get() == &op; }) -
                               operations.begin());
  }

  void replace_uses(const Value* old, Value* now) {
    for (Operation* op : all_operations(function_)) {
      std::replace(op->operands.begin(), op->operands.end(), const_cast<Value*>(old), now);
    }
  }

  // The scalar that all lanes of `value` are: behind a splat, or a splat constant (made here,
  // before `user`). Null if there is none.
  Value* uniform_scalar(Value* value, Operation& user) {
    Operation* op = value->definition;
    if (!op) return nullptr;
    if (op->is("tt.splat")) return op->operand(0);
    if (!op->is("arith.constant") || !constant_is_splat(*op)) return nullptr;
    auto constant = make("arith.constant", {}, value->type.scalar(), user);
    constant->attributes["value"] = {
        Attribute::Kind::literal, std::to_string(constant_integer(*op)), {}, {}, ""};
    return insert(*user.parent, position(user), std::move(constant));
  }

  void rewrite(Operation& loop, size_t i) {
    Block& body = *loop.regions[0].blocks[0];
    Value* carried = body.arguments[i + 1].get();
    const Type type = carried->type;
    if (!type.is_tensor) return;
    Operation& yield = *body.terminator();
    Operation* update = yield.operand(static_cast<int>(i))->definition;
    if (!update || update->parent != &body) return;
    const bool pointers = update->is("tt.addptr");
    if (!pointers && !(update->is("arith.addi") && is_integer(type.kind))) return;
    int step = 1;
    if (update->operand(0) != carried) {
      if (pointers || update->operand(1) != carried) return;
      step = 0;
    }
    Value* delta = uniform_scalar(update->operand(step), *update);
    if (!delta) return;

    // Before the loop: the offset starts at 0.
    const Type offset_type = delta->type;
    auto zero = make("arith.constant", {}, offset_type, loop);
    zero->attributes["value"] = {Attribute::Kind::literal, "0", {}, {}, ""};
    Value* start = insert(*loop.parent, position(loop), std::move(zero));
    Value* base = loop.operand(static_cast<int>(i) + 3);

    // In the body: the old tensor is base + offset, the offset moves on.
    Type splat_type = offset_type;
    splat_type.is_tensor = true;
    splat_type.shape = type.shape;
    const char* add = pointers ? "tt.addptr" : "arith.addi";
    auto offset = std::make_unique<Value>();
    offset->name = carried->name + ".offset";
    offset->type = offset_type;
    offset->block = &body;
    offset->index = static_cast<int>(i) + 1;
    Value* splat = insert(body, 0, make("tt.splat", {offset.get()}, splat_type, loop));
    Value* tensor = insert(body, 1, make(add, {base, splat}, type, loop));
    replace_uses(carried, tensor);
    Value* moved = insert(body, position(yield),
                          make("arith.addi", {offset.get(), delta}, offset_type, *update));
    yield.operands[i] = moved;
    loop.operands[i + 3] = start;

    // Behind the loop: the tensor is base + the last offset.
    auto last = std::make_unique<Value>();
    last->name = loop.results[i]->name + ".offset";
    last->type = offset_type;
    last->definition = &loop;
    last->index = static_cast<int>(i);
    const size_t behind = position(loop) + 1;
    Value* last_splat =
        insert(*loop.parent, behind, make("tt.splat", {last.get()}, splat_type, loop));
    Value* last_tensor =
        insert(*loop.parent, behind + 1, make(add, {base, last_splat}, type, loop));
    replace_uses(loop.results[i].get(), last_tensor);
    loop.results[i] = std::move(last);
    body.arguments[i + 1] = std::move(offset);
  }

  Function& function_;
};

}  // namespace

void scalarize_loop_offsets(Function& function) { LoopOffsets(function).run(); }

}  // namespace tilewise::compiler
