// SPDX-License-Identifier: Apache-2.0
// The reduction generator: from scalar functions and a description of the layout to the text of a
// Triton kernel. What a variant names is compiled in; sizes and strides are arguments, so that a
// new shape compiles nothing. No ATen here: ops/reduction/reduction.cpp fills the description in.
//
// Note [Reduction tiles]
// A program owns a tile of KEPT results x LANES accumulators. Each lane walks the reduced elements
// in steps of LANES and combines them one after the other in registers; the lanes are combined
// once, at the end. The loop therefore has no step across lanes, a float sum's rounding error grows
// with the square root of length / LANES only, and the order is the same on every run. Where the
// innermost reduced dimension is the contiguous one, lanes are the tile's last axis ("inner"), else
// results are ("outer").
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "runtime/dtype.h"

namespace tilewise::codegen {

using runtime::DType;

inline constexpr int kMaxReductionOperands = 3;

// Note [Shifted passes]
// A first pass whose accumulators are costly to update, as mean and squares by Welford's formula,
// may add up two functions of an element's distance from a shift and find the accumulators at its
// end. The shift is one for all lanes of a result, the mean of the first elements that the program
// reads (Note [Shifted moments] in kernels/common/moments.py says what it costs in precision).
// Lanes are then combined by additions, and nothing in the masked last tile keeps a count for each
// lane: 40 registers in place of 71 for the deviation of all elements, hence all of its 1024
// programs at once on an H100. (8192, 8192) bf16: 62.5 us instead of 72.2, of rows 58.2 instead
// of 59.4. On two cores of a CPU, (1024, 4096) fp32: rows 250 us instead of 690.
struct ShiftedFunctions {
  const char* shift = nullptr;    // (mean of the first elements) -> shift; none: no such pass
  const char* prepare = nullptr;  // (x, shift) -> sums, of the type that is computed in
  const char* combine = nullptr;  // (sums..., sums...) -> sums: addition
  const char* finish = nullptr;   // (sums..., shift, count of the program's elements) -> a...
};

// Scalar functions of kernels/<module>.py; `a...` are all accumulators, `x...` the elements of the
// inputs, `s...` the scalars. An empty name stands for what is said in brackets.
struct ReductionFunctions {
  std::string module;
  std::string combine;  // (a..., b...) -> a...: associative
  std::string prepare;  // (x..., [index], s...) -> a...  [the conversion to the accumulator's type]
  std::string update;   // (a..., x..., [index], s...) -> a...  [combine(a..., prepare(x...))]
  std::string finish;   // (a..., s...) -> outputs  [the accumulators themselves]
  ShiftedFunctions shifted{};
};

enum class Split : uint8_t { none, inner, outer };  // which reduced dimension program_id(1) splits

// Everything a kernel is generated from, besides the functions. Dimension 0 is the innermost.
struct ReductionVariant {
  uint8_t inputs = 1;
  uint8_t outputs = 1;
  uint8_t accumulators = 1;
  uint8_t prepare_scalars = 0;  // of these come first, then those of `finish`
  uint8_t finish_scalars = 0;
  uint8_t kept_rank = 1;
  uint8_t reduced_rank = 1;
  uint8_t unroll = 1;           // tiles that are loaded before the first of them is used
  bool lanes_are_last = true;   // Note [Reduction tiles]: inner, else outer
  bool is_packed = false;       // lanes cover INNER elements of dimension 0 x several of the others
  bool is_indexed = false;      // `prepare` and `update` receive the position among the reduced
  bool has_wide_index = false;  // in 64 bits
  bool is_first = true;  // reads elements; else accumulators of a first pass, with shared strides
  bool is_last = true;   // writes results; else accumulators, [split, kept]
  bool is_shifted = false;    // Note [Shifted passes]; one input, not packed
  bool kept_is_full = false;  // outer, shifted: KEPT divides kept dimension 0, loads need no mask
  bool shares_output_strides = false;
  Split split = Split::none;
  DType compute = DType::fp32;  // elements are converted to it
  std::array<DType, kMaxReductionOperands> accumulator{};
  std::array<const char*, kMaxReductionOperands> identity{};  // Python literals

  bool operator==(const ReductionVariant&) const = default;
};

// The text of a module with one function `kernel`. Its parameters, in order:
//   the inputs, the outputs, the scalars;
//   `kept` (all results); sizes of the kept dimensions but the outermost (outer: at least one);
//   for every input, then every output: its strides along the kept dimensions
//   (a second pass: once for all inputs; shares_output_strides: once; not is_last: none);
//   `reduced` (dimension 0); if reduced_rank > 1, the product of the others and the sizes of all
//   between the innermost and the outermost; for every input its strides along the reduced ones;
//   `split_length` if there is a split; then KEPT, LANES and, if packed, INNER.
// Grid: inner (ceil(kept / KEPT), splits); outer (ceil(size 0 / KEPT) * the other kept sizes,
// splits).
std::string reduction_source(const ReductionFunctions& functions, const ReductionVariant& variant);

// A readable name for the kernel in reports: "sum_inner_fp32", "combine_max_index_outer_fp32_i32".
std::string reduction_name(const ReductionFunctions& functions, const ReductionVariant& variant);

}  // namespace tilewise::codegen
