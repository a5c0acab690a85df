// SPDX-License-Identifier: Apache-2.0
#include "compiler/llvm/nest_plan.h"

#include <algorithm>
#include <set>
#include <utility>

#include "compiler/passes/lane_analysis.h"
#include "compiler/tile_ir/index_map.h"
#include "compiler/ttir/op_table.h"

namespace tilewise::compiler {
namespace {

// A function of the math library and a little more.
constexpr int kHeavy = 16;
// exp is the shortest function: 0.18 ns an element on one core of Zen 4, where tanh, erf and log
// take 0.3 to 0.45 and reading and writing 8 bytes in memory takes 0.25.
constexpr int kExponential = 12;
constexpr int kPrefetches = 16;
constexpr int kLight = 2;

int work_of(const Operation& op) {
  return op.is("math.exp") || op.is("math.exp2") ? kExponential : op.info->cost;
}

class Planner {
 public:
  Planner(const TileProgram& program, const Item& nest, const Target& target)
      : program_(program), nest_(nest), target_(target), analysis_(program) {}

  NestPlan plan() {
    choose_vector_dimension();
    choose_loops();
    return std::move(plan_);
  }

 private:
  // The dimension along which most elements of memory lie side by side; the last one if there are
  // several. Scans take theirs only if it is better than others: see Note [Scans along lanes].
  void choose_vector_dimension() {
    using Key = std::pair<const Value*, IndexMap>;
    const IndexMap identity = nest_identity(nest_);
    std::vector<int64_t> score(nest_.shape.size(), 0);
    std::set<Key> seen;
    std::vector<Key> todo;
    auto add_access = [&](const Value* tensor, const IndexMap& map, auto stride_along) {
      int64_t elements = 1;
      for (size_t d = 0; d < map.size(); ++d) elements *= map[d] >= 0 ? tensor->type.shape[d] : 1;
      for (size_t d = 0; d < map.size(); ++d) {
        if (map[d] >= 0 && stride_along(static_cast<int>(d)) == 1) score[map[d]] += elements;
      }
    };
    for (const Root& root : nest_.roots) {
      for (const Value* input : root.inputs()) todo.push_back({input, identity});
      if (root.kind == Root::Kind::store) {
        const Value* pointer = root.op->operand(0);
        add_access(pointer, identity,
                   [&](int d) { return analysis_.stride(pointer, d).value_or(0); });
      }
      if (root.kind == Root::Kind::materialize) {
        add_access(root.value, identity, [&](int d) { return root.views[0].strides[d]; });
      }
    }
    while (!todo.empty()) {
      const Key key = todo.back();
      todo.pop_back();
      const auto& [value, map] = key;
      if (!value->type.is_tensor || !seen.insert(key).second) continue;
      if (is_read_by(program_, nest_, value)) {
        const BufferView& view = program_.views.at(value);
        add_access(value, map, [&](int d) { return view.strides[d]; });
        continue;
      }
      if (!is_expression(value)) continue;
      const Operation& op = *value->definition;
      if (is_class(op, OpClass::load)) {
        const Value* pointer = op.operand(0);
        add_access(pointer, map, [&](int d) { return analysis_.stride(pointer, d).value_or(0); });
      }
      for (int i = 0; i < op.operand_count(); ++i) {
        todo.push_back({op.operand(i), operand_map(op, i, map)});
      }
    }
    bool one_lane = false;
    for (const Root& root : nest_.roots) {
      if (root.kind == Root::Kind::scan) scan_ = root.op;
      one_lane |= root.is_sequential();
    }
    for (int d = static_cast<int>(nest_.shape.size()) - 1; !one_lane && d >= 0; --d) {
      if (nest_.shape[d] == 1 || (scan_ && d == nest_.axis)) continue;
      if (plan_.vector_dim < 0 || score[d] > score[plan_.vector_dim]) plan_.vector_dim = d;
    }
    if (scan_ && !one_lane && nest_.shape[static_cast<size_t>(nest_.axis)] > 1 &&
        (plan_.vector_dim < 0 ||
         (score[nest_.axis] > score[plan_.vector_dim] && combination_cost(*scan_) < kHeavy))) {
      plan_.vector_dim = nest_.axis;
    }
    plan_.lanes = choose_lanes();
  }

  static int combination_cost(const Operation& scan) {
    int cost = 0;
    for (const auto& op : scan.regions[0].blocks[0]->operations) cost += op->info->cost;
    return cost;
  }

  // Enough lanes for four independent chains of operations (two on machines with 16 registers), so
  // that latencies overlap, but few: LLVM's time grows with the width of its vectors.
  int choose_lanes() {
    int widest = 1;
    int narrowest = 0;
    std::set<const Value*> seen;
    std::vector<const Value*> todo;
    for (const Root& root : nest_.roots) {
      for (const Value* input : root.inputs()) todo.push_back(input);
    }
    while (!todo.empty()) {
      const Value* value = todo.back();
      todo.pop_back();
      if (!value->type.is_tensor || !seen.insert(value).second) continue;
      const bool in_memory = is_read_by(program_, nest_, value);
      bool is_address = value->type.kind == ScalarKind::i1;
      if (is_integer(value->type.kind) || value->type.kind == ScalarKind::pointer) {
        bool affine = !in_memory;
        for (int d = 0; d < value->type.rank(); ++d)
          affine &= analysis_.stride(value, d).has_value();
        is_address |= affine || value->type.kind == ScalarKind::pointer;
      }
      if (!is_address && analysis_.dependence(value)) {
        const int bytes = storage_bytes(value->type.kind);
        widest = std::max(widest, bytes);
        narrowest = narrowest == 0 ? bytes : std::min(narrowest, bytes);
      }
      if (in_memory || !is_expression(value)) continue;
      const Operation& op = *value->definition;
      plan_.cost += op.info->cost;
      if (!is_address && is_class(op, OpClass::elementwise)) {
        plan_.work += work_of(op);
        if (op.is("arith.extf")) plan_.widening += work_of(op);
      }
      for (const Value* operand : op.operands) todo.push_back(operand);
    }
    plan_.converts = narrowest != 0 && narrowest != widest;
    if (plan_.vector_dim < 0) return 1;
    // Each doubling of the lanes is another step of a scan along them; the chains of its steps
    // overlap from one register to the next, but for the last one's.
    const bool along_scan = scan_ && plan_.vector_dim == nest_.axis;
    if (along_scan) {
      for (const Value* operand : scan_->operands)
        widest = std::max(widest, storage_bytes(operand->type.kind));
    }
    // Long polynomials have more constants than registers are left; eight chains share a reload.
    // gelu of bf16, cycles per vector of Zen 4: 38, 33, 29, 26 with 1, 2, 4, 8.
    plan_.prefetches = plan_.work >= kPrefetches;
    const bool is_heavy = plan_.cost >= kHeavy;
    const int chains = along_scan ? 1 : target_.vector_registers < 32 ? 2 : is_heavy ? 8 : 4;
    int lanes = std::min(is_heavy ? 128 : 64, std::max(1, chains * target_.vector_bytes / widest));
    const int64_t extent = nest_.shape[static_cast<size_t>(plan_.vector_dim)];
    while (lanes > extent || extent % lanes != 0) lanes /= 2;
    return std::max(lanes, 1);
  }

  void choose_loops() {
    std::vector<int> order;
    const int vector_dim = plan_.vector_dim;
    const bool axis_last = nest_.axis >= 0 && nest_.axis != vector_dim;
    for (int d = 0; d < static_cast<int>(nest_.shape.size()); ++d) {
      const bool last = d == vector_dim || (axis_last && d == nest_.axis);
      if (!last && nest_.shape[d] > 1) order.push_back(d);
    }
    if (vector_dim >= 0) order.push_back(vector_dim);
    if (axis_last) order.push_back(nest_.axis);
    for (int d : order) {
      plan_.loops.push_back({d, nest_.shape[d], d == vector_dim ? plan_.lanes : 1});
      if (d == vector_dim) plan_.vector_level = static_cast<int>(plan_.loops.size());
      if (d == nest_.axis) plan_.axis_level = static_cast<int>(plan_.loops.size());
    }
  }

  const TileProgram& program_;
  const Item& nest_;
  const Target& target_;
  LaneAnalysis analysis_;
  const Operation* scan_ = nullptr;
  NestPlan plan_;
};

}  // namespace

int64_t NestPlan::iterations() const {
  int64_t count = 1;
  for (const NestLoop& loop : loops) count *= (loop.extent + loop.step - 1) / loop.step;
  return count;
}

bool NestPlan::is_light() const { return work - widening <= kLight; }

NestPlan plan_nest(const TileProgram& program, const Item& nest, const Target& target) {
  return Planner(program, nest, target).plan();
}

IndexMap nest_identity(const Item& nest) {
  IndexMap map = identity_map(nest.shape);
  if (nest.axis >= 0) map[static_cast<size_t>(nest.axis)] = nest.axis;
  return map;
}

bool is_reversed_scan(const Root& root) {
  return root.kind == Root::Kind::scan && root.op->word("reverse", "false") == "true";
}

bool is_computed_in(const TileProgram& program, const Item& nest, const Value* value) {
  if (!is_expression(value)) return false;
  for (const Root& root : nest.roots) {
    if (root.kind == Root::Kind::materialize && root.value == value &&
        root.views[0].buffer == program.views.at(value).buffer) {
      return true;
    }
  }
  return false;
}

bool is_read_by(const TileProgram& program, const Item& nest, const Value* value) {
  return program.views.contains(value) && !is_computed_in(program, nest, value);
}

}  // namespace tilewise::compiler
