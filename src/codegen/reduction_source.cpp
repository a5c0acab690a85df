// SPDX-License-Identifier: Apache-2.0
#include "codegen/reduction_source.h"

#include "codegen/tile_writer.h"

namespace tilewise::codegen {
namespace {

class ReductionWriter : private TileWriter {
 public:
  ReductionWriter(const ReductionFunctions& functions, const ReductionVariant& variant)
      : TileWriter(variant.lanes_are_last), functions_(functions), variant_(variant) {}

  std::string write() {
    write_head(functions_.module, imports(), parameters());
    write_kept(variant_.kept_rank);
    write_lanes();
    for (int i = 0; i < lane_accumulators(); ++i)
      line(numbered("a", i) + " = tl.full(" + tile_shape() + ", " +
           (variant_.is_shifted ? "0" : variant_.identity[static_cast<size_t>(i)]) + ", " +
           accumulator_type(i) + ")");
    if (variant_.is_packed)
      write_packed_loop();
    else
      write_loops();
    write_end();
    return out_.str();
  }

 private:
  int input_views() const { return variant_.is_first ? variant_.inputs : 1; }
  int output_views() const {
    return !variant_.is_last ? 0 : variant_.shares_output_strides ? 1 : variant_.outputs;
  }
  int lane_accumulators() const { return variant_.is_shifted ? 2 : variant_.accumulators; }
  std::string accumulator_type(int i) const {
    return type_expression(variant_.is_shifted ? variant_.compute
                                               : variant_.accumulator[static_cast<size_t>(i)]);
  }
  std::string index_type() const { return variant_.has_wide_index ? "tl.int64" : "tl.int32"; }

  Names imports() const {
    Names list{functions_.combine};
    if (variant_.is_shifted) {
      const ShiftedFunctions& shifted = functions_.shifted;
      list = {shifted.shift, shifted.prepare, shifted.combine, shifted.finish};
    } else if (variant_.is_first)
      list.push_back(functions_.update.empty() ? functions_.prepare : functions_.update);
    if (variant_.is_last) list.push_back(functions_.finish);
    return list;
  }

  Names parameters() const {
    Names list = numbered_list("in", variant_.inputs);
    const auto add = [&list](std::string name) { list.push_back(std::move(name)); };
    for (int i = 0; i < variant_.outputs; ++i) add(numbered("out", i));
    for (int i = 0; i < variant_.prepare_scalars + variant_.finish_scalars; ++i)
      add(numbered("s", i));
    add("kept");
    for (int d = 0; d < kept_sizes(variant_.kept_rank, lanes_are_last_); ++d)
      add(numbered("kept_size", d));
    for (int v = 0; v < input_views(); ++v)
      for (int d = 0; d < variant_.kept_rank; ++d) add(numbered("in", v) + numbered("_kept", d));
    for (int v = 0; v < output_views(); ++v)
      for (int d = 0; d < variant_.kept_rank; ++d) add(numbered("out", v) + numbered("_kept", d));
    add("reduced");
    if (variant_.reduced_rank > 1) add("reduced_outer");
    for (int d = 1; d + 1 < variant_.reduced_rank; ++d) add(numbered("reduced_size", d));
    for (int v = 0; v < input_views(); ++v)
      for (int d = 0; d < variant_.reduced_rank; ++d)
        add(numbered("in", v) + numbered("_reduced", d));
    if (variant_.split != Split::none) add("split_length");
    add("KEPT: tl.constexpr");
    add("LANES: tl.constexpr");
    if (variant_.is_packed) add("INNER: tl.constexpr");
    return list;
  }

  void write_lanes() {
    for (int v = 0; v < input_views(); ++v) {
      const std::string in = numbered("in", v);
      line(in + "_kept = " + offset(in, "_kept", "k", 0, variant_.kept_rank));
    }
    line("lane = tl.arange(0, LANES)");
    if (variant_.is_packed) {
      line("lane_inner = lane % INNER");
      line("lane_outer = lane // INNER");
      line("lane_mask = lane_inner < reduced");
    }
    const std::string index = variant_.is_packed ? "lane_inner" : "lane";
    for (int v = 0; v < input_views(); ++v)
      line(numbered("in", v) + "_lane = " + index + ".to(tl.int64) * " + numbered("in", v) +
           "_reduced0");
  }

  // Where a loop over a reduced dimension begins and ends: at the split's bounds, or at its own.
  void write_range(const std::string& dimension, const std::string& size, bool is_split) {
    if (!is_split) {
      line(dimension + "_first = 0");
      line(dimension + "_last = " + size);
      return;
    }
    // In the size's own type: the product may need 64 bits.
    line(dimension + "_first = tl.program_id(1).to(" + size + ".dtype) * split_length");
    line(dimension + "_last = tl.minimum(" + dimension + "_first + split_length, " + size + ")");
  }

  void write_loops() {
    const bool nested = variant_.reduced_rank > 1;
    if (nested) write_range("outer", "reduced_outer", variant_.split == Split::outer);
    if (variant_.is_shifted) write_shift(nested);
    if (nested) {
      line("for o in range(outer_first, outer_last):");
      ++depth_;
      write_decomposition("tl.cast(o, tl.int64)", "o", "reduced_size", 1, variant_.reduced_rank);
    }
    for (int v = 0; v < input_views(); ++v) {
      const std::string in = numbered("in", v);
      line(in + "_base = " + results(in + "_kept") + " + " + lanes(in + "_lane") +
           (nested ? " + (" + offset(in, "_reduced", "o", 1, variant_.reduced_rank) + ")" : ""));
    }
    if (!variant_.is_shifted) write_range("inner", "reduced", variant_.split == Split::inner);
    const std::string mask = lanes_are_last_ || variant_.kept_is_full ? "" : results("kept_mask");
    if (variant_.unroll > 1) {
      const std::string step = "LANES * " + std::to_string(variant_.unroll);
      line("full = inner_first + (inner_last - inner_first) // (" + step + ") * (" + step + ")");
      line("for start in range(inner_first, full, " + step + "):");
      ++depth_;
      for (int u = 0; u < variant_.unroll; ++u) write_loads(u, mask);
      for (int u = 0; u < variant_.unroll; ++u) write_update(u, "");
      --depth_;
    }
    line(std::string("for start in range(") + (variant_.unroll > 1 ? "full" : "inner_first") +
         ", inner_last, LANES):");
    ++depth_;
    line("mask = " + lanes("(start + lane < inner_last)") + (mask.empty() ? "" : " & " + mask));
    write_loads(0, "mask");
    write_update(0, "mask");
    --depth_;
    if (nested) --depth_;
  }

  // The mean of the program's first elements, and how many it reads in all. Distances from the very
  // first make it exact where all are equal. Outer tiles have few lanes, so that a whole step
  // counts.
  void write_shift(bool nested) {
    write_range("inner", "reduced", variant_.split == Split::inner);
    std::string first = "first = in0 + in0_kept + " + wide("inner_first") + " * in0_reduced0";
    if (nested) {
      write_decomposition("tl.cast(outer_first, tl.int64)", "h", "reduced_size", 1,
                          variant_.reduced_rank);
      first += " + (" + offset("in0", "_reduced", "h", 1, variant_.reduced_rank) + ")";
    }
    line(first);
    const std::string kept_mask = lanes_are_last_ ? "" : ", mask=kept_mask, other=0";
    line("origin = tl.load(first" + kept_mask + ")" + conversion());
    const int tiles = lanes_are_last_ ? 1 : variant_.unroll;
    line("share = 1.0 / tl.minimum(LANES * " + std::to_string(tiles) +
         ", inner_last - inner_first).to(" + type_expression(variant_.compute) + ")");
    for (int u = 0; u < tiles; ++u) {
      const std::string step = u == 0 ? "" : std::to_string(u) + " * LANES";
      line(numbered("mask", u) + " = " +
           lanes("(inner_first + " + (u == 0 ? "" : step + " + ") + "lane < inner_last)") +
           (lanes_are_last_ ? "" : " & " + results("kept_mask")));
      line(numbered("head", u) + " = tl.load(" + results("first") + " + " +
           (u == 0 ? "" : wide(step) + " * in0_reduced0 + ") + lanes("in0_lane") +
           ", mask=" + numbered("mask", u) + ", other=0)" + conversion());
    }
    for (int u = 0; u < tiles; ++u)
      line(std::string("head ") + (u == 0 ? "=" : "+=") + " tl.where(" + numbered("mask", u) +
           ", (" + numbered("head", u) + " - " + results("origin") + ") * share, 0)");
    line(std::string("shift = ") + functions_.shifted.shift + "(origin + tl.sum(head, " +
         lane_axis() + "))");
    line("count = tl.cast(inner_last - inner_first, " + index_type() + ")" +
         (nested ? " * (outer_last - outer_first)" : ""));
  }

  // Loads tile `u` of a step; every input of a second pass has the offsets of the first.
  void write_loads(int u, const std::string& mask) {
    const std::string shift = u == 0 ? "start" : "(start + " + std::to_string(u) + " * LANES)";
    for (int i = 0; i < variant_.inputs; ++i) {
      const std::string view = numbered("in", variant_.is_first ? i : 0);
      line(element(i, u) + " = tl.load(" + numbered("in", i) + " + " + wide(shift) + " * " + view +
           "_reduced0 + " + view + "_base" + (mask.empty() ? "" : ", mask=" + mask + ", other=0") +
           ")" + conversion());
    }
    if (variant_.is_indexed && variant_.is_first) {
      std::string position = shift + " + lane";
      if (variant_.reduced_rank > 1)
        position = "tl.cast(o, " + index_type() + ") * reduced + " + position;
      line(numbered("i", u) + " = " + lanes("(" + position + ").to(" + index_type() + ")"));
    }
  }

  static std::string element(int input, int u) {
    return "x" + std::to_string(input) + "_" + std::to_string(u);
  }
  std::string conversion() const {
    return variant_.is_first ? ".to(" + type_expression(variant_.compute) + ")" : "";
  }

  // Combines tile `u` with the accumulators; where `mask` is off they stay as they are.
  void write_update(int u, const std::string& mask) {
    const int count = lane_accumulators();
    const Names accumulators = numbered_list("a", count);
    Names elements;
    for (int i = 0; i < variant_.inputs; ++i) elements.push_back(element(i, u));
    Names arguments = elements;
    if (variant_.is_indexed) arguments.push_back(numbered("i", u));
    for (int i = 0; i < variant_.prepare_scalars; ++i) arguments.push_back(numbered("s", i));
    const Names updated = mask.empty() ? accumulators : numbered_list("n", count);

    if (variant_.is_shifted) {
      const Names values = numbered_list("p", count);
      line(join(values) + " = " + functions_.shifted.prepare + "(" + elements[0] + ", " +
           results("shift") + ")");
      line(join(updated) + " = " + functions_.shifted.combine + "(" + join(accumulators) + ", " +
           join(values) + ")");
    } else if (variant_.is_first && !functions_.update.empty()) {
      line(join(updated) + " = " + functions_.update + "(" + join(accumulators) + ", " +
           join(arguments) + ")");
    } else {
      Names values = elements;
      if (variant_.is_first && !functions_.prepare.empty()) {
        values = numbered_list("p", count);
        line(join(values) + " = " + functions_.prepare + "(" + join(arguments) + ")");
      }
      if (variant_.is_first)
        for (int i = 0; i < count; ++i)
          values[static_cast<size_t>(i)] += ".to(" + accumulator_type(i) + ")";
      line(join(updated) + " = " + functions_.combine + "(" + join(accumulators) + ", " +
           join(values) + ")");
    }
    if (mask.empty()) return;
    for (int i = 0; i < count; ++i)
      line(numbered("a", i) + " = tl.where(" + mask + ", " + numbered("n", i) + ", " +
           numbered("a", i) + ")");
  }

  void write_packed_loop() {
    write_range("outer", "reduced_outer", variant_.split == Split::outer);
    const std::string step = "LANES // INNER * " + std::to_string(variant_.unroll);
    line("for start in range(outer_first, outer_last, " + step + "):");
    ++depth_;
    for (int u = 0; u < variant_.unroll; ++u) {
      line("o = start + lane_outer" +
           (u == 0 ? "" : " + " + std::to_string(u) + " * (LANES // INNER)"));
      line(numbered("mask", u) + " = " + lanes("(lane_mask & (o < outer_last))") +
           (lanes_are_last_ ? "" : " & " + results("kept_mask")));
      write_decomposition("o.to(tl.int64)", "o", "reduced_size", 1, variant_.reduced_rank);
      for (int i = 0; i < variant_.inputs; ++i) {
        const std::string view = numbered("in", variant_.is_first ? i : 0);
        line(element(i, u) + " = tl.load(" + numbered("in", i) + " + " + results(view + "_kept") +
             " + " +
             lanes("(" + view + "_lane + " +
                   offset(view, "_reduced", "o", 1, variant_.reduced_rank) + ")") +
             ", mask=" + numbered("mask", u) + ", other=0)" + conversion());
      }
      if (variant_.is_indexed && variant_.is_first)
        line(numbered("i", u) + " = " +
             lanes("(o.to(" + index_type() + ") * reduced + lane_inner)"));
    }
    for (int u = 0; u < variant_.unroll; ++u) write_update(u, numbered("mask", u));
    --depth_;
  }

  void write_end() {
    const Names accumulators = numbered_list("a", lane_accumulators());
    const Names totals = numbered_list("t", variant_.accumulators);
    const Names lane_totals =
        variant_.is_shifted ? numbered_list("u", lane_accumulators()) : totals;
    line(join(lane_totals) + " = tl.reduce(" + tuple(accumulators) + ", " + lane_axis() + ", " +
         (variant_.is_shifted ? functions_.shifted.combine : functions_.combine) + ")");
    if (variant_.is_shifted)
      line(join(totals) + " = " + functions_.shifted.finish + "(" + join(lane_totals) +
           ", shift, count)");
    if (!variant_.is_last) {
      line("position = tl.program_id(1).to(tl.int64) * kept + " + kept_position());
      for (int i = 0; i < variant_.accumulators; ++i)
        line("tl.store(" + numbered("out", i) + " + position, " + numbered("t", i) +
             ", mask=kept_mask)");
      return;
    }
    Names values = totals;
    if (!functions_.finish.empty()) {
      values = numbered_list("y", variant_.outputs);
      Names arguments = totals;
      const int scalars = variant_.prepare_scalars + variant_.finish_scalars;
      for (int i = variant_.prepare_scalars; i < scalars; ++i)
        arguments.push_back(numbered("s", i));
      line(join(values) + " = " + functions_.finish + "(" + join(arguments) + ")");
    }
    for (int i = 0; i < variant_.outputs; ++i) {
      const std::string out = numbered("out", i);
      const std::string view = numbered("out", variant_.shares_output_strides ? 0 : i);
      line("tl.store(" + out + " + (" + offset(view, "_kept", "k", 0, variant_.kept_rank) + "), " +
           values[static_cast<size_t>(i)] + ".to(" + out + ".dtype.element_ty), mask=kept_mask)");
    }
  }

  const ReductionFunctions& functions_;
  const ReductionVariant& variant_;
};

}  // namespace

std::string reduction_source(const ReductionFunctions& functions, const ReductionVariant& variant) {
  return ReductionWriter(functions, variant).write();
}

std::string reduction_name(const ReductionFunctions& functions, const ReductionVariant& variant) {
  std::string name = functions.module.substr(functions.module.rfind('/') + 1) + "_" +
                     (functions.finish.empty() ? functions.combine : functions.finish);
  if (!variant.is_first) name += "_second";
  name += variant.lanes_are_last ? "_inner" : "_outer";
  for (int i = 0; i < variant.accumulators; ++i)
    (name += "_").append(triton_name(variant.accumulator[static_cast<size_t>(i)]));
  return name;
}

}  // namespace tilewise::codegen
