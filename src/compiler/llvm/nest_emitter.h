// SPDX-License-Identifier: Apache-2.0
// One loop nest: chooses the vector dimension and width, emits the loops, evaluates the roots'
// expressions lane by lane. Every value is computed in the outermost loop that it depends on.
//
// Note [Masks become loop bounds]: of a mask like `offs < n` it is known how many lanes from the
// first on it lets through. So the vector loop runs in up to three parts: whole chunks where all
// such masks hold, chunks where they are evaluated, and the rest, where they are all false (left
// out if no root has an effect there). A condition that is uniform along the vector dimension makes
// the bound 0.
//
// Note [Long nests prefetch]: a chunk of long functions fills the processor's window, so that it
// does not come to the next chunk's loads while it waits for this one's. Such a nest asks for its
// inputs' and outputs' lines some chunks ahead. Not in the loops of a kernel: these may walk along
// another dimension. Nests that take less time than their memory does would be slower with it; they
// ask for one line of a page. Sum of (4096, 4096) f32 over rows, one core and two: 3280 and 2050 us
// without, 2500 and 900 with it; with every line 2770 where 2710 were.
//
// Note [Which cache a page's line is for]: in the first cache it has the chip fetch its neighbors,
// which are gone before the loop comes to them. Where the loads run far ahead themselves, that
// costs what the last cache could deliver meanwhile: sum of (1024, 4096) f32 on two cores 97 us,
// with the second cache 90, as without prefetching, and from memory as fast or faster (bf16, (4096,
// 4096): 590 and 515 us). A loop with more to do needs the neighbors: maximum with NaN of (1024,
// 4096) f32 on one core 205 us, with the second cache 250, without 230.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compiler/llvm/kernel_emitter.h"
#include "compiler/llvm/nest_plan.h"
#include "compiler/llvm/tile_value.h"
#include "compiler/passes/lane_analysis.h"
#include "compiler/tile_ir/index_map.h"

namespace tilewise::compiler {

class NestEmitter {
 public:
  NestEmitter(KernelEmitter& kernel, const Item& nest);
  void emit();

  // The value of a tensor of one element, for a nest without dimensions.
  std::string evaluate_single(const Value* value);

 private:
  using Key = std::pair<const Value*, IndexMap>;

  // The body of one loop (level 0: the surroundings of the nest).
  struct Scope {
    std::string text;
    std::string index;  // i64
    std::map<Key, std::unique_ptr<TileValue>> values;
  };

  // A mask, or a comparison in it, that bounds the vector loop.
  struct Bound {
    Key mask;
    bool complete;  // The mask is nothing but the bound and conditions uniform in the loop.
    std::vector<Key> bounds;
    std::vector<Key> conditions;
    std::string limit;
  };

  struct LaneConstant {
    double number = 0;    // Of floats.
    int64_t integer = 0;  // Of integers.
  };

  struct Accumulator {
    const Root* root;
    std::vector<std::string> slots;
    bool has_identity;
    // What the lanes that were left out would have contributed.
    std::optional<LaneConstant> left_out;
  };

  // nest_emitter.cpp: loops
  void emit_loop(size_t level);
  void emit_range(size_t level, const std::string& start, const std::string& end);
  std::string emit_iteration(size_t level, const std::string& counter);
  void emit_vector_loop(size_t level);
  void emit_unrolled(size_t level, std::vector<Bound>& bounds, const std::string& whole,
                     const std::string& end);
  // Notes for known_ that the bounds hold in all lanes, or in none.
  void know(const std::vector<Bound>& bounds, bool holds);
  bool rest_has_effect();
  Scope& scope(int level) { return *scopes_[static_cast<size_t>(level)]; }
  // A scan from the last element to the first.
  static bool is_reversed(const Operation& scan) { return scan.word("reverse", "false") == "true"; }
  bool is_reversed(const NestLoop& loop) const {
    const Root& root = nest_.roots[0];
    return loop.dim == nest_.axis && root.kind == Root::Kind::scan && is_reversed(*root.op);
  }
  bool is_vector_loop(size_t level) const { return static_cast<int>(level) == vector_level_; }

  // read_in_place.cpp
  struct InPlaceTile {
    std::string pointer;    // Of the tile's first element.
    std::string row_bytes;  // i64, from one row to the next.
    std::string covered;    // i1: no lane is masked off.
  };
  std::optional<InPlaceTile> find_in_place();
  void emit_unless_in_place(const InPlaceTile& tile, KernelEmitter::DotOperand& operand);
  void emit_packing();
  // i64: from this index on along the dimension, the load gives zeros. Empty: not known.
  std::string zeros_from(const Operation& load, int dim);
  std::string end_along(const Value* mask, const IndexMap& map, int dim);
  std::optional<std::string> first_lane(const Value* value, const IndexMap& map);
  std::optional<std::string> step_along(const Value* value, const IndexMap& map, int dim);
  std::optional<std::string> last_lane(const Value* value, const IndexMap& map);
  std::optional<std::string> covers_all_lanes(const Value* mask, const IndexMap& map);

  // emit_masks.cpp
  std::vector<Bound> find_bounds();
  void collect_masks(const Value* value, const IndexMap& map, std::vector<Bound>& bounds);
  void add_mask(const Value* mask, const IndexMap& map, bool need_bound,
                std::vector<Bound>& bounds);
  bool split_mask(const Value* mask, const IndexMap& map, Bound& bound);
  bool is_bound(const Value* comparison, const IndexMap& map, bool& swapped);
  std::string limit_of(Bound& bound);
  std::string origin(const Value* value, const IndexMap& map);
  std::string widen(const std::string& text, ScalarKind kind);
  bool has_effect_in_rest(const Root& root);
  bool is_unchanged_in_rest(const Root& root, const Value* value, const IndexMap& map);
  // The constant that the value is in all lanes where the masks are false.
  std::optional<LaneConstant> constant_in_rest(const Value* value, const IndexMap& map);
  std::optional<bool> known_mask(const Value* mask, const IndexMap& map) const;

  // evaluate.cpp
  const TileValue& evaluate(const Value* value, const IndexMap& map);
  TileValue evaluate_new(const Value* value, const IndexMap& map);
  TileValue evaluate_scalar(const Value* value);
  TileValue evaluate_constant(const Operation& op, const IndexMap& map);
  TileValue evaluate_range(const Operation& op, const IndexMap& map);
  TileValue evaluate_elementwise(const Operation& op, int result, const IndexMap& map);
  bool evaluate_affine(const Operation& op, const std::vector<const TileValue*>& x, TileValue& out);
  TileValue evaluate_load(const Operation& op, const IndexMap& map);
  TileValue evaluate_offset(const Operation& op, const IndexMap& map);
  TileValue read_view(const BufferView& view, ScalarKind kind, const IndexMap& map);
  TileValue read_elements(const std::string& base, ScalarKind kind, int64_t offset,
                          const std::vector<int64_t>& strides, const IndexMap& map);
  // Integer arithmetic of scalars in the current text, folding constants.
  std::string add_scalars(const char* instruction, const std::string& a, const std::string& b,
                          ScalarKind kind);
  std::string extend_scalar(const std::string& text, ScalarKind from, ScalarKind to);
  const std::string& as_vector(const TileValue& value);
  LaneAddress address_of(const TileValue& pointer, int lanes);
  // Of the elements of a row-major array; in `level` the loop that the address belongs to.
  LaneAddress element_address(const std::string& base, ScalarKind kind, int64_t offset,
                              const std::vector<int64_t>& strides, const IndexMap& map, int& level);
  int level_of_dim(int dim) const;
  int level_of(const Value* value, const IndexMap& map);
  std::string dim_index(int dim);
  bool is_in_buffer(const Value* value) const;

  // emit_roots.cpp
  void emit_roots();
  void emit_store(const Root& root);
  void emit_materialize(const Root& root, const TileValue& value);
  void emit_atomic(const Root& root);
  void emit_assertion(const Root& root);
  void emit_print(const Root& root);
  void write_view(const BufferView& view, const IndexMap& map, const std::string& value, int lanes);
  void evaluate_inputs(const Root& root);
  // The mask's lanes, empty if all are on; false: all are off.
  bool mask_text(const Value* mask, const IndexMap& map, int lanes, std::string& text);

  // emit_indexed.cpp
  void emit_gather(const Root& root);
  void emit_histogram(const Root& root);

  // emit_reduction.cpp
  void begin_reductions();
  void accumulate(Accumulator& accumulator);
  std::vector<std::string> scan_lanes(const Root& root, std::vector<std::string> values);
  bool scans_along_lanes(const Accumulator& accumulator) const {
    return accumulator.root->kind == Root::Kind::scan && lanes_ > 1 && nest_.axis == vector_dim_;
  }
  void finish_reductions();
  void finish_reduction(Accumulator& accumulator);
  std::string constant_text(const LaneConstant& constant, ScalarKind kind, int lanes);

  KernelEmitter& kernel_;
  TextBuilder& b_;
  LaneOps& ops_;
  MemoryOps& memory_;
  const Item& nest_;
  LaneAnalysis analysis_;
  const IndexMap identity_;
  const NestPlan plan_;
  const int vector_dim_;
  const int vector_level_;
  const int axis_level_;
  const int lanes_;
  const std::vector<NestLoop>& loops_;
  const bool prefetches_;  // See Note [Long nests prefetch].
  std::vector<std::unique_ptr<Scope>> scopes_;
  std::map<Key, bool> known_;  // Masks that are known in the part of the vector loop at hand.
  std::vector<Accumulator> accumulators_;
  std::string rest_limit_;  // Lanes from here on were left out; empty: none were.
};

}  // namespace tilewise::compiler
