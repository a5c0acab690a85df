// SPDX-License-Identifier: Apache-2.0
#include "compiler/llvm/register_buffers.h"

#include <set>

#include "compiler/llvm/nest_plan.h"
#include "compiler/passes/build_schedule.h"
#include "compiler/tile_ir/index_map.h"

namespace tilewise::compiler {
namespace {

// Code grows with both: the vectors of a nest, and its operations times its vectors.
constexpr int64_t kMostIterations = 8;
constexpr int64_t kMostCost = 256;

class Chooser {
 public:
  Chooser(TileProgram& program, const Target& target) : program_(program), target_(target) {}

  void run() {
    for (const auto& buffer : program_.buffers) {
      const int64_t bytes = buffer->elements * storage_bytes(buffer->kind);
      // The other half of the registers is left to what the loop's body computes.
      buffer->in_registers = 2 * bytes <= int64_t{target_.vector_registers} * target_.vector_bytes;
    }
    for (const auto& schedule : program_.schedules) visit(*schedule, &Chooser::exclude);
    for (const auto& schedule : program_.schedules) visit(*schedule, &Chooser::unroll);
    lay_out();
  }

 private:
  void visit(Schedule& schedule, void (Chooser::*action)(Item&)) {
    for (const auto& item : schedule.items) {
      (this->*action)(*item);
      for (const auto& region : item->regions) visit(*region, action);
    }
  }

  // Buffers whose addresses a function gets, or a loop computes.
  void exclude(Item& item) {
    if (item.kind == Item::Kind::dot || item.kind == Item::Kind::copy ||
        item.kind == Item::Kind::clear) {
      for (const BufferView* view : {&item.a, &item.b, &item.c, &item.pairs}) {
        if (view->buffer) view->buffer->in_registers = false;
      }
    }
    if (item.kind != Item::Kind::nest) return;
    // Elements at computed indices.
    for (const Root& root : item.roots) {
      if (root.kind == Root::Kind::gather) root.views[1].buffer->in_registers = false;
    }
    const NestPlan plan = plan_nest(program_, item, target_);
    // SROA of LLVM 22 puts the parts of a stack slot together where its last part is written, which
    // here is not behind the others.
    for (const Root& root : item.roots) {
      if (is_reversed_scan(root) && plan.vector_dim == item.axis)
        for (const BufferView& view : root.views) view.buffer->in_registers = false;
    }
    const int64_t iterations = plan.iterations();
    if (iterations <= kMostIterations && iterations * plan.cost <= kMostCost) return;
    for (Buffer* buffer : buffers_of(item)) buffer->in_registers = false;
  }

  void unroll(Item& item) {
    if (item.kind != Item::Kind::nest) return;
    for (const Buffer* buffer : buffers_of(item)) item.unrolled |= buffer->in_registers;
  }

  std::set<Buffer*> buffers_of(const Item& nest) {
    std::set<Buffer*> found;
    std::set<const Value*> seen;
    std::vector<const Value*> todo;
    for (const Root& root : nest.roots) {
      for (const BufferView& view : root.views) {
        if (view.buffer) found.insert(view.buffer);
      }
      for (const Value* input : root.inputs()) todo.push_back(input);
    }
    while (!todo.empty()) {
      const Value* value = todo.back();
      todo.pop_back();
      if (!seen.insert(value).second) continue;
      if (is_read_by(program_, nest, value)) {
        found.insert(program_.views.at(value).buffer);
      } else if (is_expression(value)) {
        for (const Value* operand : value->definition->operands) todo.push_back(operand);
      }
    }
    return found;
  }

  void lay_out() {
    program_.scratch_bytes = 0;
    for (const auto& buffer : program_.buffers) {
      if (!buffer->in_registers) place_buffer(program_, *buffer);
    }
  }

  TileProgram& program_;
  const Target& target_;
};

}  // namespace

void choose_register_buffers(TileProgram& program, const Target& target) {
  Chooser(program, target).run();
}

}  // namespace tilewise::compiler
