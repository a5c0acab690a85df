// SPDX-License-Identifier: Apache-2.0
#include "codegen/scan_source.h"

#include "codegen/tile_writer.h"

namespace tilewise::codegen {
namespace {

class ScanWriter : private TileWriter {
 public:
  ScanWriter(const ScanFunctions& functions, const ScanVariant& variant)
      : TileWriter(variant.lanes_are_last), functions_(functions), variant_(variant) {}

  std::string write() {
    if (looks_back())
      out_ << "from scan_sort.look_back import numbers, publish, read, take_ticket, wait\n";
    write_head(functions_.module, imports(), parameters());
    if (looks_back()) {
      line("ticket = take_ticket(counter)");
      line("split = ticket // kept");
      write_kept(variant_.kept_rank, "(ticket % kept)");
    } else {
      write_kept(variant_.kept_rank);
    }
    line("lane = tl.arange(0, LANES)");
    write_bases();
    if (is_whole()) {
      line("first = 0");
      line("last = length");
    } else {
      line("first = " + split() + ".to(length.dtype) * split_length");
      line("last = first + tl.minimum(split_length, length - first)");  // no sum beyond the length
    }
    only_totals_ = is_totals() || looks_back();
    write_start();
    if (is_chained()) {
      write_chain_loop();
      write_with_earlier();
    } else {
      write_loops();
    }
    if (is_totals()) write_totals();
    if (looks_back()) {
      write_look_back();
      only_totals_ = false;
      write_loops();
    }
    return out_.str();
  }

 private:
  bool is_whole() const { return variant_.pass == ScanPass::whole; }
  bool is_totals() const { return variant_.pass == ScanPass::totals; }
  bool looks_back() const { return variant_.pass == ScanPass::look_back; }
  // The number of the program's part of a row.
  std::string split() const { return looks_back() ? "split" : "tl.program_id(1)"; }
  bool is_chained() const { return variant_.chain > 1 && !is_totals(); }
  int outputs() const { return is_totals() ? 0 : variant_.outputs; }
  Names accumulators() const { return numbered_list("a", variant_.accumulators); }
  std::string accumulator_type(int i) const {
    return type_expression(variant_.accumulator[static_cast<size_t>(i)]);
  }
  std::string identity(int i) const { return variant_.identity[static_cast<size_t>(i)]; }

  Names imports() const {
    return {is_totals() ? "" : functions_.combine, functions_.prepare,
            is_totals() ? "" : functions_.finish, is_whole() ? "" : functions_.merging()};
  }

  Names parameters() const {
    Names list{"in0"};
    const auto add = [&list](std::string name) { list.push_back(std::move(name)); };
    for (int i = 0; i < outputs(); ++i) add(numbered("out", i));
    if (looks_back())
      for (const char* name : {"counter", "words", "plane", "row_words", "splits"}) add(name);
    else if (!is_whole())
      for (int i = 0; i < variant_.accumulators; ++i) add(numbered("totals", i));
    add("kept");
    const int sizes = kept_sizes(variant_.kept_rank, lanes_are_last_);
    for (int d = 0; d < sizes; ++d) add(numbered("kept_size", d));
    for (const std::string& view : views())
      for (int d = 0; d < variant_.kept_rank; ++d) add(view + numbered("_kept", d));
    add("length");
    for (const std::string& view : views()) add(view + "_stride");
    if (!is_whole()) add("split_length");
    add("KEPT: tl.constexpr");
    add("LANES: tl.constexpr");
    if (variant_.pass == ScanPass::splits) add("SPLITS: tl.constexpr");
    if (looks_back())
      for (const char* name : {"GROUP", "NEIGHBORS", "GROUPS"})
        add(std::string(name) + ": tl.constexpr");
    return list;
  }

  Names views() const {
    Names list{"in0"};
    for (int i = 0; i < outputs(); ++i) list.push_back(numbered("out", i));
    return list;
  }

  void write_bases() {
    const std::string each = is_chained() ? " * " + std::to_string(variant_.chain) : "";
    for (const std::string& view : views())
      line(view + "_base = " + view + " + " +
           results("(" + offset(view, "_kept", "k", 0, variant_.kept_rank) + ")") + " + " +
           lanes("(lane.to(tl.int64)" + each + " * " + view + "_stride)"));
  }

  // The accumulators before the first tile: a whole tile of them for totals, else one per row.
  void write_start() {
    if (variant_.pass == ScanPass::splits) {
      line("split = tl.arange(0, SPLITS)");
      line("earlier = " + lanes("(split < tl.program_id(1))") + " & " + results("kept_mask"));
      line("position = " + lanes("(split.to(tl.int64) * kept)") + " + " +
           results("(" + kept_position() + ")"));
      Names loaded;
      for (int i = 0; i < variant_.accumulators; ++i) {
        loaded.push_back(numbered("t", i));
        line(numbered("t", i) + " = tl.where(earlier, tl.load(" + numbered("totals", i) +
             " + position, mask=earlier, other=0), tl.full((1, 1), " + identity(i) + ", " +
             accumulator_type(i) + "))");
      }
      line(join(accumulators()) + " = tl.reduce(" + tuple(loaded) + ", " + lane_axis() + ", " +
           functions_.merging() + ")");
      return;
    }
    for (int i = 0; i < variant_.accumulators; ++i)
      line(numbered("a", i) + " = tl.full(" + (only_totals_ ? tile_shape() : "(KEPT,)") + ", " +
           identity(i) + ", " + accumulator_type(i) + ")");
  }

  void write_loops() {
    const std::string kept_mask = lanes_are_last_ ? "" : results("kept_mask");
    if (variant_.unroll > 1) {
      const std::string step = "LANES * " + std::to_string(variant_.unroll);
      line("full = first + (last - first) // (" + step + ") * (" + step + ")");
      line("for start in range(first, full, " + step + "):");
      ++depth_;
      for (int u = 0; u < variant_.unroll; ++u) write_load(u, kept_mask);
      // Rows beyond the last are read in place of it, but not written.
      for (int u = 0; u < variant_.unroll; ++u) write_tile(u, results("kept_mask"), false);
      --depth_;
    }
    line(std::string("for start in range(") + (variant_.unroll > 1 ? "full" : "first") +
         ", last, LANES):");
    ++depth_;
    line("mask = " + lanes("(start + lane < last)") + " & " + results("kept_mask"));
    write_load(0, "mask");
    write_tile(0, "mask", true);
    --depth_;
  }

  static std::string shift(int u) {
    return u == 0 ? "start" : "(start + " + std::to_string(u) + " * LANES)";
  }

  void write_load(int u, const std::string& mask) {
    const bool is_last_reading = looks_back() && !only_totals_;
    line(numbered("x", u) + " = tl.load(in0_base + " + wide(shift(u)) + " * in0_stride" +
         (mask.empty() ? "" : ", mask=" + mask + ", other=0") +
         (is_last_reading ? ", eviction_policy=\"evict_first\"" : "") + ").to(" +
         type_expression(variant_.compute) + ")");
  }

  // The elements x<u>, which lie at `index`, as accumulators `names`.
  void write_elements(int u, const std::string& index, const Names& names) {
    Names values{numbered("x", u)};
    if (!functions_.prepare.empty()) {
      Names arguments = values;
      if (variant_.is_indexed)
        arguments.push_back("tl.broadcast_to(" + lanes("(" + index + ")") + ".to(" +
                            (variant_.has_wide_index ? "tl.int64" : "tl.int32") + "), " +
                            tile_shape() + ")");
      values = numbered_list("p", variant_.accumulators);
      line(join(values) + " = " + functions_.prepare + "(" + join(arguments) + ")");
    }
    for (size_t i = 0; i < names.size(); ++i)
      line(names[i] + " = " + values[i] + ".to(" + accumulator_type(static_cast<int>(i)) + ")");
  }

  void write_tile(int u, const std::string& mask, bool is_tail) {
    const Names tile = numbered_list("s", variant_.accumulators);
    write_elements(u, shift(u) + " + lane", tile);
    if (only_totals_) {
      const Names updated = is_tail ? numbered_list("n", variant_.accumulators) : accumulators();
      line(join(updated) + " = " + functions_.merging() + "(" + join(accumulators()) + ", " +
           join(tile) + ")");
      if (is_tail)
        for (int i = 0; i < variant_.accumulators; ++i)
          line(numbered("a", i) + " = tl.where(mask, " + numbered("n", i) + ", " +
               numbered("a", i) + ")");
      return;
    }
    line(join(tile) + " = tl.associative_scan(" + tuple(tile) + ", " + lane_axis() + ", " +
         functions_.combine + ")");
    line(join(tile) + " = " + combined(carried(), tile));
    write_carry(tile);
    write_outputs(u, tile, mask);
  }

  Names carried() const {
    Names list;
    for (int i = 0; i < variant_.accumulators; ++i) list.push_back(results(numbered("a", i)));
    return list;
  }

  std::string combined(const Names& earlier, const Names& later) const {
    return functions_.combine + "(" + join(earlier) + ", " + join(later) + ")";
  }

  // The last lane's value goes on: summed with zeros, which is exact.
  void write_carry(const Names& tile) {
    for (int i = 0; i < variant_.accumulators; ++i)
      line(numbered("a", i) + " = tl.sum(tl.where(" + lanes("(lane == LANES - 1)") + ", " +
           tile[static_cast<size_t>(i)] + ", 0), " + lane_axis() + ").to(" + accumulator_type(i) +
           ")");
  }

  void write_outputs(int u, Names tile, const std::string& mask) {
    if (!functions_.finish.empty()) {
      const Names arguments = tile;
      tile = numbered_list("y", variant_.outputs);
      line(join(tile) + " = " + functions_.finish + "(" + join(arguments) + ")");
    }
    const std::string start = is_chained() ? "(start + " + std::to_string(u) + ")" : shift(u);
    for (int i = 0; i < variant_.outputs; ++i) {
      const std::string out = numbered("out", i);
      line("tl.store(" + out + "_base + " + wide(start) + " * " + out + "_stride, " +
           tile[static_cast<size_t>(i)] + ".to(" + out + ".dtype.element_ty), mask=" + mask + ")");
    }
  }

  // Of the lanes' totals, (what comes before a lane, that with the lane) is scanned, which starts
  // with what was carried: nothing is taken off a sum again, as differences would lose digits.
  void write_chain_loop() {
    const int count = variant_.accumulators, chain = variant_.chain;
    const auto element = [&](int u) {
      return numbered_list(("s" + std::to_string(u) + "_").c_str(), count);
    };
    const std::string each = std::to_string(chain);
    line("is_first = " + lanes("(lane == 0)"));
    line("for start in range(first, last, LANES * " + each + "):");
    ++depth_;
    for (int u = 0; u < chain; ++u) {
      const std::string position = std::to_string(u);
      line(numbered("mask", u) + " = " +
           lanes("(start + lane * " + each + " + " + position + " < last)") + " & " +
           results("kept_mask"));
      line(numbered("x", u) + " = tl.load(in0_base + " + wide("(start + " + position + ")") +
           " * in0_stride, mask=" + numbered("mask", u) + ", other=0).to(" +
           type_expression(variant_.compute) + ")");
    }
    for (int u = 0; u < chain; ++u) {
      write_elements(u, "start + lane * " + each + " + " + std::to_string(u), element(u));
      if (u > 0) line(join(element(u)) + " = " + combined(element(u - 1), element(u)));
    }
    const Names before = numbered_list("b", count), total = numbered_list("t", count);
    line(join(total) + " = " + combined(carried(), element(chain - 1)));
    Names both = before;
    both.insert(both.end(), total.begin(), total.end());
    for (int i = 0; i < count; ++i) {
      const auto at = static_cast<size_t>(i);
      line(total[at] + " = tl.where(is_first, " + total[at] + ", " + element(chain - 1)[at] + ")");
      line(before[at] + " = tl.where(is_first, " + carried()[at] + ", tl.full(" + tile_shape() +
           ", " + identity(i) + ", " + accumulator_type(i) + "))");
    }
    line(join(both) + " = tl.associative_scan(" + tuple(both) + ", " + lane_axis() +
         ", with_earlier)");
    write_carry(total);
    for (int u = 0; u < chain; ++u) {
      line(join(element(u)) + " = " + combined(before, element(u)));
      write_outputs(u, element(u), numbered("mask", u));
    }
    --depth_;
  }

  void write_with_earlier() {
    const int count = variant_.accumulators;
    const Names total = numbered_list("t", count), other_before = numbered_list("c", count),
                other_total = numbered_list("u", count);
    out_ << "\n\n@triton.jit\ndef with_earlier("
         << join({join(numbered_list("b", count)), join(total), join(other_before),
                  join(other_total)})
         << "):\n";
    line(join(other_before) + " = " + combined(total, other_before));
    line(join(other_total) + " = " + combined(total, other_total));
    line("return " + join({join(other_before), join(other_total)}));
  }

  // The accumulators become what comes before the split; see kernels/scan_sort/look_back.py.
  void write_look_back() {
    const int count = variant_.accumulators;
    int word_count = 0;
    Names identities;
    for (int i = 0; i < count; ++i) {
      word_count += runtime::size_bytes(variant_.accumulator[static_cast<size_t>(i)]) == 8 ? 2 : 1;
      identities.push_back("tl.cast(" + identity(i) + ", " + accumulator_type(i) + ")");
    }
    const Names totals = numbered_list("t", count);
    const std::string merge = functions_.merging(), words = std::to_string(word_count);
    const auto each = [count](const char* name) {
      Names list;
      for (int i = 0; i < count; ++i)
        list.push_back(numbered((std::string(name) + "[").c_str(), i) + "]");
      return list;
    };
    const auto merged = [&merge](const Names& earlier, const Names& later) {
      return merge + "(" + join(earlier) + ", " + join(later) + ")";
    };
    line(join(totals) + " = tl.reduce(" + tuple(accumulators()) + ", 1, " + merge + ")");
    line(join(totals) + " = tl.reduce(" + tuple(totals) + ", 0, " + merge + ")");
    line("identity = (" + join(identities) + ",)");
    line("group = split // GROUP");
    line("own_words = words + program * row_words");
    line("group_words = own_words + splits");
    line("publish(own_words + split, plane, (" + join(totals) + ",))");
    line("groups = group_words + tl.arange(0, GROUPS)");
    line("groups_mask = tl.arange(0, GROUPS) < group");
    line("early = read(groups, plane, groups_mask, " + words + ")");
    line("neighbors = own_words + group * GROUP + tl.arange(0, NEIGHBORS)");
    line("neighbors_mask = tl.arange(0, NEIGHBORS) < split % GROUP");
    line("near = read(neighbors, plane, neighbors_mask, " + words + ")");
    line("near = numbers(wait(near, neighbors, plane, neighbors_mask), neighbors_mask, identity)");
    line("near = tl.reduce(near, 0, " + merge + ")");
    line("if split % GROUP == GROUP - 1:");
    ++depth_;
    const std::string group_total = merged(each("near"), totals);
    line("publish(group_words + group, plane, " +
         (count == 1 ? "(" + group_total + ",)" : group_total) + ")");
    --depth_;
    line("far = numbers(wait(early, groups, plane, groups_mask), groups_mask, identity)");
    line("far = tl.reduce(far, 0, " + merge + ")");
    line(join(accumulators()) + " = " + merged(each("far"), each("near")));
    for (int i = 0; i < count; ++i)
      line(numbered("a", i) + " = tl.full((KEPT,), " + numbered("a", i) + ", " +
           accumulator_type(i) + ")");
  }

  void write_totals() {
    Names totals = numbered_list("t", variant_.accumulators);
    line(join(totals) + " = tl.reduce(" + tuple(accumulators()) + ", " + lane_axis() + ", " +
         functions_.merging() + ")");
    line("position = tl.program_id(1).to(tl.int64) * kept + " + kept_position());
    for (int i = 0; i < variant_.accumulators; ++i)
      line("tl.store(" + numbered("totals", i) + " + position, " + numbered("t", i) +
           ", mask=kept_mask)");
  }

  const ScanFunctions& functions_;
  const ScanVariant& variant_;
  bool only_totals_ = false;  // what the loops are written for
};

}  // namespace

std::string scan_source(const ScanFunctions& functions, const ScanVariant& variant) {
  return ScanWriter(functions, variant).write();
}

std::string scan_name(const ScanFunctions& functions, const ScanVariant& variant) {
  static constexpr const char* kPasses[] = {"", "_totals", "_splits", "_look_back"};
  std::string name = "cumulative_" + functions.combine + kPasses[static_cast<int>(variant.pass)] +
                     (variant.lanes_are_last ? "_inner" : "_outer");
  for (int i = 0; i < variant.accumulators; ++i)
    (name += "_").append(triton_name(variant.accumulator[static_cast<size_t>(i)]));
  return name;
}

}  // namespace tilewise::codegen
