// SPDX-License-Identifier: Apache-2.0
#include "codegen/reduction_source.h"

#include <gtest/gtest.h>

#include "codegen/row_source.h"
#include "codegen/scan_source.h"

namespace tilewise::codegen {
namespace {

const ReductionFunctions kMean{"reduction/sum", "add", "", "", "mean"};

ReductionVariant one_accumulator() {
  ReductionVariant variant;
  variant.accumulator[0] = DType::fp32;
  variant.identity[0] = "0";
  return variant;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(ReductionSource, RowsHaveOneMaskedLoop) {
  ReductionVariant variant = one_accumulator();
  variant.finish_scalars = 1;
  EXPECT_EQ(reduction_source(kMean, variant), R"(import triton
import triton.language as tl
from reduction.sum import add, mean


@triton.jit
def kernel(in0, out0, s0, kept, in0_kept0, out0_kept0, reduced, in0_reduced0, KEPT: tl.constexpr, LANES: tl.constexpr):
    program = tl.program_id(0).to(tl.int64)
    row = program * KEPT + tl.arange(0, KEPT)
    kept_mask = row < kept
    kept_index = tl.minimum(row, kept - 1)
    k0 = kept_index
    in0_kept = k0 * in0_kept0
    lane = tl.arange(0, LANES)
    in0_lane = lane.to(tl.int64) * in0_reduced0
    a0 = tl.full((KEPT, LANES), 0, tl.float32)
    in0_base = in0_kept[:, None] + in0_lane[None, :]
    inner_first = 0
    inner_last = reduced
    for start in range(inner_first, inner_last, LANES):
        mask = (start + lane < inner_last)[None, :]
        x0_0 = tl.load(in0 + tl.cast(start, tl.int64) * in0_reduced0 + in0_base, mask=mask, other=0).to(tl.float32)
        n0 = add(a0, x0_0.to(tl.float32))
        a0 = tl.where(mask, n0, a0)
    t0 = tl.reduce(a0, 1, add)
    y0 = mean(t0, s0)
    tl.store(out0 + (k0 * out0_kept0), y0.to(out0.dtype.element_ty), mask=kept_mask)
)");
}

TEST(ReductionSource, UnrolledTilesAreLoadedBeforeTheyAreUsed) {
  ReductionVariant variant = one_accumulator();
  variant.unroll = 2;
  const std::string source = reduction_source(kMean, variant);
  EXPECT_LT(source.find("x0_1 = tl.load"), source.find("a0 = add(a0, x0_0"));
  EXPECT_FALSE(contains(source.substr(0, source.find("a0 = add")), "mask=mask"));
}

TEST(ReductionSource, OuterDimensionsAreLoopsAndColumnsAreTheLastAxis) {
  ReductionVariant variant = one_accumulator();
  variant.lanes_are_last = false;
  variant.kept_rank = 3;
  variant.reduced_rank = 3;
  variant.split = Split::outer;
  const std::string source = reduction_source(kMean, variant);
  EXPECT_TRUE(contains(source, "kept, kept_size0, kept_size1, in0_kept0, in0_kept1, in0_kept2"));
  EXPECT_TRUE(contains(source, "for o in range(outer_first, outer_last):"));
  EXPECT_TRUE(contains(source, "tl.full((LANES, KEPT), 0, tl.float32)"));
  EXPECT_TRUE(contains(source, "tl.reduce(a0, 0, add)"));
}

TEST(ReductionSource, ASecondPassCombinesAccumulators) {
  const ReductionFunctions functions{"reduction/extremum", "larger", "", "update_larger",
                                     "only_index"};
  ReductionVariant variant = one_accumulator();
  variant.accumulators = 2;
  variant.accumulator[1] = DType::i32;
  variant.identity[1] = "0";
  variant.is_indexed = true;
  EXPECT_TRUE(contains(reduction_source(functions, variant), "update_larger(a0, a1, x0_0, i0)"));
  variant.inputs = 2;
  variant.is_first = false;
  const std::string second = reduction_source(functions, variant);
  EXPECT_TRUE(contains(second, "from reduction.extremum import larger, only_index\n"));
  EXPECT_TRUE(contains(second, "n0, n1 = larger(a0, a1, x0_0, x1_0)"));
  EXPECT_TRUE(contains(second, "in1 + tl.cast(start, tl.int64) * in0_reduced0 + in0_base"));
}

TEST(ReductionSource, AShiftedPassAddsUpDistances) {
  const ReductionFunctions functions{"reduction/statistics",
                                     "merge",
                                     "",
                                     "update",
                                     "variance",
                                     {"finite", "distances", "add", "from_distances"}};
  ReductionVariant variant = one_accumulator();
  variant.accumulators = 3;
  variant.accumulator = {DType::fp32, DType::fp32, DType::i32};
  variant.identity = {"0", "0", "0"};
  variant.finish_scalars = 1;
  variant.reduced_rank = 2;
  variant.unroll = 2;
  variant.split = Split::outer;
  variant.is_shifted = true;
  const std::string rows = reduction_source(functions, variant);
  EXPECT_TRUE(contains(rows, "import add, distances, finite, from_distances, variance\n"));
  EXPECT_LT(rows.find("shift = finite(origin + tl.sum(head, 1))"), rows.find("for o in range"));
  EXPECT_TRUE(contains(rows, "h1 = tl.cast(outer_first, tl.int64)\n"));
  EXPECT_TRUE(contains(rows,
                       "count = tl.cast(inner_last - inner_first, tl.int32) * "
                       "(outer_last - outer_first)\n"));
  EXPECT_TRUE(contains(rows, "p0, p1 = distances(x0_1, shift[:, None])"));
  EXPECT_TRUE(contains(rows, "u0, u1 = tl.reduce((a0, a1), 1, add)\n"));
  EXPECT_TRUE(contains(rows, "t0, t1, t2 = from_distances(u0, u1, shift, count)\n"));
  EXPECT_FALSE(contains(rows, "head1"));
  variant.lanes_are_last = false;
  const std::string columns = reduction_source(functions, variant);
  EXPECT_TRUE(contains(columns, "head += tl.where(mask1, (head1 - origin[None, :]) * share, 0)"));
  EXPECT_TRUE(contains(columns, "+ in0_base, mask=kept_mask[None, :], other=0)"));
  variant.kept_is_full = true;
  EXPECT_TRUE(contains(reduction_source(functions, variant), "+ in0_base).to(tl.float32)"));
}

TEST(ScanSource, ASplitStartsFromTheTotalsBeforeIt) {
  ScanVariant variant;
  variant.accumulator[0] = DType::fp32;
  variant.identity[0] = "0";
  variant.pass = ScanPass::splits;
  const std::string source = scan_source({"scan_sort/cumulative", "add", "", ""}, variant);
  EXPECT_TRUE(contains(source, "(split < tl.program_id(1))[None, :]"));
  EXPECT_TRUE(contains(source, "s0 = tl.associative_scan(s0, 1, add)"));
}

TEST(ScanSource, LookingBackCombinesTheGroupsBeforeASplitAndItsNeighbors) {
  ScanVariant variant;
  variant.pass = ScanPass::look_back;
  variant.outputs = variant.accumulators = 2;
  variant.is_indexed = true;
  variant.accumulator = {DType::fp64, DType::i32};
  variant.identity = {"0", "0"};
  const std::string source =
      scan_source({"scan_sort/cumulative", "later_larger", "with_index", "", "larger"}, variant);
  EXPECT_TRUE(contains(source, "program = (ticket % kept).to(tl.int64)\n"));
  EXPECT_TRUE(contains(source, "early = read(groups, plane, groups_mask, 3)\n"));
  EXPECT_TRUE(contains(
      source, "        publish(group_words + group, plane, larger(near[0], near[1], t0, t1))\n"));
  EXPECT_TRUE(contains(source, "    a0, a1 = larger(far[0], far[1], near[0], near[1])\n"));
}

TEST(ScanSource, AChainIsScannedBeforeItsTotalGoesAcrossLanes) {
  ScanVariant variant;
  variant.accumulator[0] = DType::fp32;
  variant.identity[0] = "0";
  variant.lanes_are_last = false;
  variant.chain = 2;
  const std::string source = scan_source({"scan_sort/cumulative", "add", "", ""}, variant);
  EXPECT_TRUE(contains(source, "(lane.to(tl.int64) * 2 * in0_stride)[:, None]"));
  EXPECT_TRUE(contains(source, "s1_0 = add(s0_0, s1_0)"));
  EXPECT_TRUE(contains(source, "b0, t0 = tl.associative_scan((b0, t0), 0, with_earlier)"));
  EXPECT_TRUE(contains(source, "s0_0 = add(b0, s0_0)"));
  variant.pass = ScanPass::totals;
  EXPECT_FALSE(contains(scan_source({"scan_sort/cumulative", "add", "", ""}, variant), "* 2 *"));
}

TEST(RowSource, AFunctionReceivesAddressesInTheTilesShape) {
  RowVariant variant;
  variant.lanes_are_last = false;
  variant.literals = ", tl.float32";
  const std::string source = row_source("normalization/softmax", "forward_tile", variant);
  EXPECT_TRUE(contains(source,
                       "    forward_tile(in0_base, in1_base, lane, kept_mask[None, :], length, "
                       "in0_stride, in1_stride, 0, LANES, tl.float32)\n"));
}

}  // namespace
}  // namespace tilewise::codegen
