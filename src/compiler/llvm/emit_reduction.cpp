// SPDX-License-Identifier: Apache-2.0
// Reductions and scans. The accumulators are vectors of the nest's lanes in stack slots, which LLVM
// keeps in registers. Along the vector dimension the lanes are combined at the end, halves with
// halves; the order is fixed, so equal inputs give equal results.
//
// Note [Scans along lanes]: where the lanes run along a scan's axis, the lanes of one register are
// scanned in log2(lanes) steps, each of which combines with the lane 1, 2, 4, ... before; then what
// the registers before gave, the same in all lanes, is combined with all of them. Only this last
// step waits for the register before. A running sum of f64 takes 1.2 cycles of Zen 4 an element
// instead of 4, the latency of an addition. Operands keep their order; associativity is taken for
// granted, as Triton does.
#include "compiler/llvm/nest_emitter.h"
#include "compiler/llvm/reduction_identity.h"

namespace tilewise::compiler {

void NestEmitter::begin_reductions() {
  for (Accumulator& accumulator : accumulators_) {
    const Operation& op = *accumulator.root->op;
    if (accumulator.slots.empty()) {
      for (const Value* operand : op.operands) {
        accumulator.slots.push_back(b_.slot(llvm_type(operand->type.kind, lanes_)));
      }
    }
    accumulator.left_out.reset();
    const auto identity = reduction_identity(op, lanes_);
    accumulator.has_identity = identity && (accumulator.root->kind == Root::Kind::reduce ||
                                            scans_along_lanes(accumulator));
    if (!accumulator.has_identity) continue;
    const std::string type = llvm_type(op.operand(0)->type.kind, lanes_);
    b_.line("store " + type + " " + *identity + ", ptr " + accumulator.slots[0]);
  }
}

void NestEmitter::accumulate(Accumulator& accumulator) {
  const Operation& op = *accumulator.root->op;
  const Block& region = *op.regions[0].blocks[0];
  std::vector<std::string> old;
  std::vector<std::string> now;
  for (int i = 0; i < op.operand_count(); ++i) {
    const std::string type = llvm_type(op.operand(i)->type.kind, lanes_);
    old.push_back(b_.assign("load " + type + ", ptr " + accumulator.slots[i]));
    const TileValue& value = evaluate(op.operand(i), identity_);
    now.push_back(lanes_ == 1 ? value.text : as_vector(value));
  }
  const bool along_lanes = scans_along_lanes(accumulator);
  if (along_lanes) now = scan_lanes(*accumulator.root, std::move(now));
  std::vector<std::string> combined = ops_.combine(region, old, now, lanes_);
  for (int i = 0; i < op.operand_count(); ++i) {
    const std::string type = llvm_type(op.operand(i)->type.kind, lanes_);
    if (!accumulator.has_identity) {
      // The first element has nothing to be combined with; LLVM peels this iteration or blends.
      const std::string& counter = scope(axis_level_).index;
      const NestLoop& loop = loops_[static_cast<size_t>(axis_level_) - 1];
      const std::string first =
          std::to_string(is_reversed_scan(*accumulator.root) ? loop.extent - loop.step : 0);
      const std::string is_first = b_.assign("icmp eq i64 " + counter + ", " + first);
      combined[i] = b_.assign("select i1 " + is_first + ", " + type + " " + now[i] + ", " + type +
                              " " + combined[i]);
    }
    const std::string carried =
        along_lanes
            ? ops_.shuffle(combined[i], op.operand(i)->type.kind, lanes_,
                           std::vector<int>(static_cast<size_t>(lanes_),
                                            is_reversed_scan(*accumulator.root) ? 0 : lanes_ - 1))
            : combined[i];
    b_.line("store " + type + " " + carried + ", ptr " + accumulator.slots[i]);
    if (accumulator.root->kind == Root::Kind::scan) {
      write_view(accumulator.root->views[i], identity_, combined[i], lanes_);
    }
  }
}

// The scan of one register's lanes.
std::vector<std::string> NestEmitter::scan_lanes(const Root& root,
                                                 std::vector<std::string> values) {
  const Operation& scan = *root.op;
  const Block& region = *scan.regions[0].blocks[0];
  for (int step = 1; step < lanes_; step *= 2) {
    std::vector<int> from;
    std::string has_earlier;  // Lanes that have one `step` before them.
    for (int lane = 0; lane < lanes_; ++lane) {
      const int earlier = is_reversed_scan(root) ? lane + step : lane - step;
      const bool exists = earlier >= 0 && earlier < lanes_;
      from.push_back(exists ? earlier : lane);
      has_earlier += (lane ? ", i1 " : "<i1 ") + std::string(exists ? "true" : "false");
    }
    std::vector<std::string> earlier;
    for (size_t i = 0; i < values.size(); ++i)
      earlier.push_back(ops_.shuffle(values[i], scan.operands[i]->type.kind, lanes_, from));
    const std::vector<std::string> combined = ops_.combine(region, earlier, values, lanes_);
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = ops_.select(has_earlier + ">", combined[i], values[i],
                              scan.operands[i]->type.kind, lanes_);
  }
  return values;
}

void NestEmitter::finish_reductions() {
  for (Accumulator& accumulator : accumulators_) {
    if (accumulator.root->kind == Root::Kind::reduce) finish_reduction(accumulator);
  }
}

std::string NestEmitter::constant_text(const LaneConstant& constant, ScalarKind kind, int lanes) {
  return is_float(kind) ? float_constant(constant.number, kind, lanes)
                        : integer_constant(constant.integer, kind, lanes);
}

void NestEmitter::finish_reduction(Accumulator& accumulator) {
  const Operation& op = *accumulator.root->op;
  const Block& region = *op.regions[0].blocks[0];
  const size_t count = op.operands.size();
  std::vector<std::string> values;
  for (size_t i = 0; i < count; ++i) {
    values.push_back(b_.assign("load " + llvm_type(op.operands[i]->type.kind, lanes_) + ", ptr " +
                               accumulator.slots[i]));
  }
  int lanes = lanes_;
  if (nest_.axis == vector_dim_) {
    while (lanes > 1) {
      const int half = lanes / 2;
      std::vector<std::string> parts[2];
      for (size_t i = 0; i < count; ++i) {
        const ScalarKind kind = op.operands[i]->type.kind;
        for (int side = 0; side < 2; ++side) {
          parts[side].push_back(ops_.slice(values[i], kind, lanes, side * half, half));
        }
      }
      values = ops_.combine(region, parts[0], parts[1], half);
      lanes = half;
    }
  }
  if (accumulator.left_out && !rest_limit_.empty()) {
    const ScalarKind kind = op.operands[0]->type.kind;
    const std::string constant = constant_text(*accumulator.left_out, kind, lanes);
    const std::string some_left =
        b_.assign("icmp slt i64 " + rest_limit_ + ", " +
                  std::to_string(loops_[static_cast<size_t>(axis_level_) - 1].extent));
    const std::string with = ops_.combine(region, values, {constant}, lanes)[0];
    const std::string type = llvm_type(kind, lanes);
    values[0] = b_.assign("select i1 " + some_left + ", " + type + " " + with + ", " + type + " " +
                          values[0]);
  }
  IndexMap map = identity_;
  map.erase(map.begin() + nest_.axis);
  for (size_t i = 0; i < count; ++i) {
    const Value* result = op.results[i].get();
    if (result->type.is_tensor) {
      write_view(accumulator.root->views[i], map, values[i], lanes);
    } else {
      kernel_.set_scalar(result, values[i]);
    }
  }
}

}  // namespace tilewise::compiler
