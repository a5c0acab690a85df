// SPDX-License-Identifier: Apache-2.0
// The generator of scans (cumsum and the like): as reduction_source.h, but every element gets the
// combination of all up to it.
//
// A program walks KEPT rows in tiles of LANES elements: a scan across the lanes of each tile, to
// which the combination of all tiles before it is added. Few long rows are split over programs:
// first the totals of all splits, then the scans, each of which combines the totals before it; in
// two launches, or in one, in which every program waits for the totals of those before it.
//
// With a chain > 1 a lane has that many neighboring elements, each in a tile of its own, and scans
// them without another lane: what goes across lanes is one total for all of them.
#pragma once

#include "codegen/reduction_source.h"

namespace tilewise::codegen {

// Scalar functions of kernels/<module>.py, as in ReductionFunctions.
struct ScanFunctions {
  std::string module;
  std::string combine;     // (a..., b...) -> a..., b being the later elements
  std::string prepare;     // (x, [index]) -> a...  [the conversion to the accumulator's type]
  std::string finish;      // (a...) -> outputs  [the accumulators themselves]
  std::string merge = {};  // as combine, of operands in any order, for split rows  [combine]

  const std::string& merging() const { return merge.empty() ? combine : merge; }
};

enum class ScanPass : uint8_t {
  whole,      // rows that are not split
  totals,     // of every split, to [split, kept]
  splits,     // what follows the totals
  look_back,  // both in one launch, a row of a split each: lanes_are_last, no chain
};

struct ScanVariant {
  ScanPass pass = ScanPass::whole;
  uint8_t outputs = 1;
  uint8_t accumulators = 1;
  uint8_t kept_rank = 1;
  uint8_t unroll = 1;
  uint8_t chain = 1;  // with unroll 1; of no meaning for `totals`
  bool lanes_are_last = true;
  bool is_indexed = false;
  bool has_wide_index = false;
  DType compute = DType::fp32;
  std::array<DType, kMaxReductionOperands> accumulator{};
  std::array<const char*, kMaxReductionOperands> identity{};

  bool operator==(const ScanVariant&) const = default;
};

// The text of a module with one function `kernel`. Its parameters, in order:
//   in0; the outputs (but for `totals`); totals0, ... (but for `whole`), for `look_back` a counter
//   (i32) and `words` (i64), all zero, the distance of the words of a total (`plane`) and of rows,
//   and the number of splits;
//   `kept`, sizes of the kept dimensions as in reduction_source; strides of in0, then of every
//   output, along the kept dimensions; `length` of a row; strides of in0 and every output along it;
//   `split_length` (but for `whole`); KEPT, LANES; for `splits`, SPLITS >= their number; for
//   `look_back`, GROUP, NEIGHBORS >= GROUP and GROUPS >= the number of groups of splits, the latter
//   not less than a program's threads.
std::string scan_source(const ScanFunctions& functions, const ScanVariant& variant);

std::string scan_name(const ScanFunctions& functions, const ScanVariant& variant);

}  // namespace tilewise::codegen
