// SPDX-License-Identifier: Apache-2.0
#include "compiler/passes/materialize_shared.h"

#include <algorithm>
#include <functional>
#include <set>

#include "compiler/passes/build_schedule.h"
#include "compiler/passes/lane_analysis.h"
#include "compiler/tile_ir/index_map.h"
#include "compiler/ttir/op_table.h"

namespace tilewise::compiler {
namespace {

// In additions per lane. Below it, computing again is cheaper than a store and a load of scratch;
// index arithmetic and casts stay below, divisions and functions of the math library are above.
constexpr int kExpensive = 8;

// New nests go just before the item that first needs them; the nests that those need, before them.
constexpr double kJustBefore = 1e-4;

// Note [Transposed loads]
// A tile whose columns lie side by side in memory, needed by a store whose rows do: evaluated lane
// by lane, each vector of the result would read as many lines of memory as it has lanes, and with
// rows at a distance of 4096 bytes all of them share one set of the L1 cache. So the tile is read
// along memory first, into scratch, where the distance of its columns is that of the tile. 2048 x
// 2048 bf16: 4.1 ms before.
class SharedExpressions {
 public:
  SharedExpressions(TileProgram& program, const UseMap& uses)
      : program_(program), uses_(uses), analysis_(program) {}

  void run() {
    for (auto& schedule : program_.schedules) {
      schedule_of_[schedule->block] = schedule.get();
      index_schedule(*schedule);
    }
    // Users before what they use: where a user is materialized decides where its operands are
    // needed.
    std::vector<Operation*> operations = all_operations(*program_.function);
    for (auto op = operations.rbegin(); op != operations.rend(); ++op) {
      if (!is_expression(**op)) continue;
      for (const auto& result : (*op)->results) decide(result.get());
    }
  }

 private:
  struct Need {
    Item* item;    // In the schedule of the value's own block.
    bool in_loop;  // Needed in a loop inside that item.
    Item* nest;    // The nest or operation itself.
  };

  void index_schedule(Schedule& schedule) {
    for (auto& item : schedule.items) {
      for (const Root& root : item->roots) {
        if (root.op) {
          root_items_[root.op].push_back(item.get());
        } else {
          materializing_[root.value].push_back(item.get());
        }
      }
      // The one scalar operation that reads a tensor's lanes; terminators name tensors that roots
      // have put in place.
      if (item->op && item->op->is("tt.unsplat")) root_items_[item->op].push_back(item.get());
      for (auto& region : item->regions) {
        schedule_of_[region->block] = region.get();
        index_schedule(*region);
      }
    }
  }

  // The nests that evaluate the value, as far as decided: all users of `value` come later in the
  // text.
  std::set<Item*> needed_by(const Value* value) {
    std::set<Item*> needed;
    for (Item* item : materializing_[value]) needed.insert(item);
    auto uses = uses_.find(value);
    if (uses == uses_.end()) return needed;
    for (const Use& use : uses->second) {
      if (is_expression(*use.op)) {
        for (const auto& result : use.op->results) {
          const std::set<Item*>& more = needed_[result.get()];
          needed.insert(more.begin(), more.end());
        }
      } else if (!use.op->is("tt.gather") || use.operand == 1) {
        // The elements of a gather's source lie in its buffer.
        for (Item* item : root_items_[use.op]) needed.insert(item);
      }
    }
    return needed;
  }

  Need locate(Item* nest, const Block* block) {
    Need need{nest, false, nest};
    while (need.item->parent->block != block && need.item->parent->owner) {
      need.item = need.item->parent->owner;
      need.in_loop |= !need.item->op->is("scf.if") && !need.item->op->is("tt.call");
    }
    return need;
  }

  int cost(const Value* value) {
    if (!is_expression(value) || program_.views.contains(value)) return 0;
    auto known = costs_.find(value);
    if (known != costs_.end()) return known->second;
    const Operation& op = *value->definition;
    int total = op.info->cost;
    if (is_class(op, OpClass::elementwise) || is_class(op, OpClass::shape)) {
      for (const Value* operand : op.operands) total += cost(operand);
    }
    // Additions and products of integers are mostly index arithmetic, which costs nothing per lane.
    if (op.info->cost <= 1 && is_integer(value->type.kind) && total <= kExpensive) total = 0;
    if (value->type.kind == ScalarKind::pointer) total = 0;
    return costs_[value] = std::min(total, 1000000);
  }

  // The first item, in order, that may overwrite what the load reads before `last` has read it.
  Item* first_overwrite(const Operation& load, Schedule& schedule, const std::vector<Need>& needs) {
    double last = -1;
    bool in_loop = false;
    for (const Need& need : needs) {
      last = std::max(last, need.item->order);
      in_loop |= need.in_loop;
    }
    Item* first = nullptr;
    for (auto& item : schedule.items) {
      if (item->order > last || !item->writes_memory()) continue;
      bool overwrites = false;
      if (item->kind == Item::Kind::nest) {
        for (const Root& root : item->roots) {
          if (!root.writes_memory() || root.position < load.index) continue;
          // Within one nest the load comes first in every lane (see Note [Lanes of a tile race]).
          overwrites |= item->order < last || crosses_lanes(load, *root.op);
        }
      } else {
        overwrites = item->op->index > load.index;
        // A loop that reads and writes: its later iterations read after its earlier ones wrote.
        const bool is_branch = item->op->is("scf.if") || item->op->is("tt.call");
        if (item->order == last) overwrites &= in_loop || is_branch;
      }
      if (overwrites && (!first || item->order < first->order)) first = item.get();
    }
    return first;
  }

  // In-place kernels load and store through equal pointers. Where base pointers are equal but lanes
  // are not (a flip, a rotation in place), a lane would overwrite what another one still has to
  // load.
  static bool crosses_lanes(const Operation& load, const Operation& store) {
    if (load.operand(0) == store.operand(0)) return false;
    const Value* from = base_pointer(load.operand(0));
    return from && from == base_pointer(store.operand(0));
  }

  static const Value* base_pointer(const Value* pointer) {
    while (pointer->definition) {
      const Operation& op = *pointer->definition;
      if (!op.is("tt.addptr") && !is_class(op, OpClass::shape)) return nullptr;
      pointer = op.operand(0);
    }
    return pointer;
  }

  // See Note [Transposed loads].
  bool is_transposed(const Value* value, const std::set<Item*>& nests) {
    const Type& type = value->type;
    if (!is_load(value) || type.rank() != 2 || type.shape[0] == 1 || type.shape[1] == 1)
      return false;
    const Value* pointer = value->definition->operand(0);
    if (analysis_.stride(pointer, 0) != 1 || analysis_.stride(pointer, 1).has_value()) return false;
    for (const Item* nest : nests) {
      if (nest->shape != type.shape || nest->roots.size() != 1) continue;
      const Root& root = nest->roots[0];
      if (root.kind == Root::Kind::store && analysis_.stride(root.op->operand(0), 1) == 1)
        return true;
    }
    return false;
  }

  bool is_load(const Value* value) const { return is_class(*value->definition, OpClass::load); }

  void decide(const Value* value) {
    const std::set<Item*> nests = needed_by(value);
    needed_[value] = nests;
    if (nests.empty() || program_.views.contains(value)) return;
    const Block* block = value->definition->parent;
    Schedule& schedule = *schedule_of_.at(block);

    std::vector<Need> needs;
    bool in_loop = false;
    bool larger = false;
    bool elsewhere = false;
    std::set<Item*> items;
    for (Item* nest : nests) {
      needs.push_back(locate(nest, block));
      // Another block of the function, reached by a branch: after everything of this one.
      if (needs.back().item->parent != &schedule) {
        needs.back().item = schedule.items.back().get();
        elsewhere = true;
      }
      items.insert(needs.back().item);
      in_loop |= needs.back().in_loop;
      int64_t elements = 1;
      for (int64_t extent : nest->shape) elements *= extent;
      larger |= elements > value->type.elements();
    }
    Item* overwrite = nullptr;
    if (is_load(value)) overwrite = first_overwrite(*value->definition, schedule, needs);
    const bool shared = nests.size() > 1 || in_loop || larger;
    const bool transposed = is_transposed(value, nests);
    const bool must = overwrite || (elsewhere && is_load(value)) || transposed;
    if (!must && (!shared || cost(value) < kExpensive)) return;

    Item* first = std::find_if(schedule.items.begin(), schedule.items.end(), [&](const auto& item) {
                    return items.contains(item.get());
                  })->get();
    // A nest of this block and shape that needs the value anyway computes it; else a new nest does.
    const bool fits = first->kind == Item::Kind::nest && first->shape == value->type.shape &&
                      nests.contains(first) && !larger_scan(*first) && !transposed;
    Item* target = first;
    if (!fits || (overwrite && overwrite->order <= first->order)) {
      double before = first->order;
      if (overwrite) before = std::min(before, overwrite->order);
      target = &nest_before(schedule, before, value);
    }
    BufferView view = allocate_buffer(program_, value->type.kind, value->type.shape);
    if (transposed) view.strides = {1, value->type.shape[0]};
    target->roots.insert(
        target->roots.begin(),
        Root{Root::Kind::materialize, nullptr, value, {view}, value->definition->index});
    program_.views[value] = view;
    needed_[value] = {target};
  }

  // Scans walk their axis backwards or lane by lane, atomics too: nothing else goes there.
  static bool larger_scan(const Item& item) {
    for (const Root& root : item.roots) {
      if (root.kind == Root::Kind::scan || root.is_sequential()) return true;
    }
    return false;
  }

  // The items stay sorted: nests of different shapes may have one order, and then it is their
  // places that say which of them runs first.
  Item& nest_before(Schedule& schedule, double before, const Value* value) {
    const double order = before - kJustBefore;
    auto place = schedule.items.begin();
    for (; place != schedule.items.end() && (*place)->order <= order; ++place) {
      Item& item = **place;
      if (item.order == order && item.kind == Item::Kind::nest && item.shape == value->type.shape)
        return item;
    }
    auto item = std::make_unique<Item>();
    item->kind = Item::Kind::nest;
    item->shape = value->type.shape;
    item->order = order;
    item->parent = &schedule;
    return **schedule.items.insert(place, std::move(item));
  }

  TileProgram& program_;
  const UseMap& uses_;
  LaneAnalysis analysis_;
  std::unordered_map<const Block*, Schedule*> schedule_of_;
  std::unordered_map<const Operation*, std::vector<Item*>> root_items_;
  std::unordered_map<const Value*, std::vector<Item*>> materializing_;
  std::unordered_map<const Value*, std::set<Item*>> needed_;
  std::unordered_map<const Value*, int> costs_;
};

}  // namespace

void materialize_shared(TileProgram& program, const UseMap& uses) {
  SharedExpressions(program, uses).run();
}

}  // namespace tilewise::compiler
