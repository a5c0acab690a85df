// SPDX-License-Identifier: Apache-2.0
// The pass build_schedule.h at work, one file per concern:
//   build_schedule.cpp    one operation after the other
//   schedule_nests.cpp    which roots share a nest
//   schedule_control.cpp  loops and branches, the tensors that they carry
//   schedule_dot.cpp      products
//   schedule_needed.cpp   which rows and columns of them are needed
//   schedule_regroup.cpp  operations that move elements between lanes
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "compiler/passes/build_schedule.h"

namespace tilewise::compiler {

[[noreturn]] void reject_operation(const Operation& op, const std::string& reason);

class ScheduleBuilder {
 public:
  ScheduleBuilder(Function& function, const UseMap& uses, const Target& target)
      : uses_(uses), target_(target) {
    program_.function = &function;
  }

  TileProgram build();

 private:
  // build_schedule.cpp
  void build_block(Schedule& schedule);
  void build_operation(Operation& op);
  void build_scalar(Operation& op);
  void build_atomic(Operation& op);
  void build_reduction(Operation& op);
  void build_print(Operation& op);
  static bool touches_tensor(const Operation& op);

  // schedule_nests.cpp: the nest that still takes roots. Scalar operations that do not depend on it
  // go before it.
  Item& add_item(Schedule& schedule, Item::Kind kind, Operation* op);
  void close();
  bool may_join(const Root& root, const std::vector<int64_t>& shape, int axis);
  void add_root(Root root, const std::vector<int64_t>& shape, int axis = -1);
  void materialize(const Value* value, const BufferView& view, int position);
  // Calls visit(value) for the expressions under `value` and the values they start from.
  void walk(const Value* value, std::unordered_set<const Value*>& seen,
            const std::function<void(const Value*)>& visit);

  // schedule_regroup.cpp
  BufferView allocate(const Type& type);
  BufferView buffered(const Value* value, int position);
  void build_reshape(Operation& op);
  void build_regroup(Operation& op);
  void build_gather(Operation& op);
  void build_histogram(Operation& op);

  // schedule_control.cpp
  void build_control(Operation& op);
  void allocate_block_arguments(const Region& region);
  BufferView target_of(const Operation& terminator, int i);
  void pass_tensors(Operation& terminator);
  bool reads_buffer(const Value* value, const Buffer* buffer, bool same_nest);

  // schedule_dot.cpp
  void build_dot(Operation& op);
  bool multiplies_pairs(const Operation& op) const;
  BufferView packed(const Value* value, ScalarKind kind, int position, Item::InPlace in_place);
  const Use* single_use(const Value* value) const;
  BufferView buffer_to_update(const Value* result, const Value* source);

  // schedule_needed.cpp
  bool needs_part(const Operation& dot, int dim) const;
  bool is_read_within(const Value* product, const std::vector<const Operation*>& bounds, int dim,
                      std::unordered_set<const Value*>& seen) const;

  TileProgram program_;
  const UseMap& uses_;
  const Target& target_;
  Schedule* current_ = nullptr;
  std::unique_ptr<Item> open_;
  std::unordered_set<const Value*> pending_;  // Results of the open nest.
  int last_load_ = -1;                        // Position in the text; of tensors.
};

}  // namespace tilewise::compiler
