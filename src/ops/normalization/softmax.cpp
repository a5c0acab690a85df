// SPDX-License-Identifier: Apache-2.0
// softmax, log_softmax and their safe and masked variants, with the backward operators: one choice
// of tile for all of them.
#include <ATen/ExpandUtils.h>
#include <ATen/TensorIterator.h>
#include <ATen/ops/_log_softmax_backward_data_meta.h>
#include <ATen/ops/_log_softmax_meta.h>
#include <ATen/ops/_softmax_backward_data_meta.h>
#include <ATen/ops/_softmax_meta.h>

#include <algorithm>
#include <array>
#include <string>

#include "ops/framework/output.h"
#include "ops/framework/plain_op.h"
#include "ops/framework/pointwise.h"
#include "ops/normalization/row_kernel.h"
#include "ops/normalization/softmax_in_turns.h"
#include "ops/reduction/reduction.h"
#include "ops/reduction/reduction_presets.h"

namespace tilewise::ops {
namespace {

// Longest row that one tile holds. CPU: 32 KiB of f32, the L1 cache. GPU: 32 registers a thread at
// 32 warps.
constexpr int64_t kLongestCpuRow = 8192;
constexpr int64_t kLongestGpuRow = 32768;
constexpr int64_t kCpuGrain = 8192;  // elements; an exponential costs about four additions
// GPU: fewer rows than half the multiprocessors (H200), each at least this long, are worth three
// launches that use all of them.
constexpr int64_t kFewRows = 66;
constexpr int64_t kLongRow = 65536;

// GPU, columns: of 26 shapes for (8192, 8192) bf16 on an H100 32 warps with 128 bytes of a row and
// 128 rows, four such tiles at a time, are the fastest: 148 us, with 8 warps and 32 rows 180, one
// such tile at a time 364. Pieces of 32 bytes, of which the second reading would find more in the
// cache, take 180.
constexpr int64_t kColumnTile = 8192;
constexpr int64_t kDoubleColumnTile = 2048;  // of fp64: 32 warps have too few registers

struct SoftmaxTile : RowTile {
  bool holds_row;
};

SoftmaxTile choose_tile(const Rows& rows, const Tensor& tensor) {
  const bool on_cpu = tensor.is_cpu();
  const int64_t column_tile = tensor.scalar_type() == at::kDouble ? kDoubleColumnTile : kColumnTile;
  const Dimension& kept0 = rows.kept.back();
  const int64_t length = next_power_of_2(rows.length);
  SoftmaxTile tile;
  tile.options.num_stages = 1;
  tile.lanes_are_last = kept0.strides[0] != 1 || rows.strides[0] == 1 || kept0.size < 8;
  if (tile.lanes_are_last) {
    tile.holds_row = rows.length <= (on_cpu ? kLongestCpuRow : kLongestGpuRow);
    if (tile.holds_row) {
      tile.lanes = std::max<int64_t>(length, 16);
      tile.kept = on_cpu ? 1 : std::clamp<int64_t>(1024 / tile.lanes, 1, 16);
      tile.options.num_warps =
          tile.lanes <= 1024 ? 4 : static_cast<int>(std::clamp<int64_t>(tile.lanes / 1024, 8, 32));
    } else {
      // CPU: maximum and sum of every lane in registers. GPU: wide tiles have more loads under way;
      // with 16384 lanes registers limit a multiprocessor to one row.
      tile.lanes = on_cpu ? 128 : rows.length < 131072 ? 4096 : 8192;
      tile.options.num_warps = 16;
    }
  } else {
    tile.kept = on_cpu ? 64 : std::clamp<int64_t>(next_power_of_2(kept0.size), 16, 64);
    tile.holds_row = length * tile.kept <= (on_cpu ? 4096 : 8192);
    tile.lanes = tile.holds_row ? length : on_cpu ? 2 : column_tile / tile.kept;
    const int64_t elements = tile.lanes * tile.kept;
    tile.options.num_warps = elements <= 1024 ? 4 : elements <= 4096 || tile.holds_row ? 8 : 32;
  }
  tile.options.grain = std::max<int64_t>(1, kCpuGrain / (rows.length * tile.kept));
  return tile;
}

at::ScalarType compute_dtype(const Tensor& tensor) { return sum_dtype(tensor.scalar_type()); }

// The kernels' ACC and flags. Three flags: the texts are made once, a call allocates none.
const char* literals(at::ScalarType compute, bool first, bool second, bool third) {
  static const auto kTexts = [] {
    std::array<std::string, 16> texts;
    for (size_t i = 0; i < texts.size(); ++i) {
      texts[i] = i & 8 ? ", tl.float64" : ", tl.float32";
      for (const size_t bit : {4, 2, 1}) texts[i] += i & bit ? ", True" : ", False";
    }
    return texts;
  }();
  return kTexts[(compute == at::kDouble) * 8 + first * 4 + second * 2 + third].c_str();
}
const char* literals(at::ScalarType compute, bool flag) {
  static constexpr const char* kText[2][2] = {{", tl.float32, False", ", tl.float32, True"},
                                              {", tl.float64, False", ", tl.float64, True"}};
  return kText[compute == at::kDouble][flag];
}
const char* literals(at::ScalarType compute) {
  return compute == at::kDouble ? ", tl.float64" : ", tl.float32";
}

bool is_few_long_rows(const Rows& rows, bool on_cpu) {
  return !on_cpu && rows.length >= kLongRow && numel(rows.kept) <= kFewRows;
}

// One value of the computation's type for each row, which broadcasts against the rows.
Tensor row_values(const Tensor& like, int64_t dim, at::ScalarType compute) {
  at::DimVector sizes(like.sizes());
  sizes[static_cast<size_t>(at::maybe_wrap_dim(dim, like.dim()))] = 1;
  return allocate_output(sizes, {}, like.options().dtype(compute));
}

codegen::ScalarFunction elements(const char* name) { return {"normalization/softmax", name, ""}; }

template <class... Inputs>
void apply(PointwiseFunction& function, at::ScalarType compute, const Tensor& out,
           const Inputs&... inputs) {
  at::TensorIteratorConfig config;
  config.check_all_same_dtype(false).resize_outputs(false).add_output(out);
  (config.add_const_input(inputs), ...);
  at::TensorIterator iter = config.build();
  function.run(iter, compute, {});
}

void forward_in_parts(const Tensor& self, int64_t dim, const Tensor& out, bool is_log,
                      at::ScalarType compute) {
  static Reduction totals{
      {.module = "reduction/log_sum_exp",
       .combine = "maximum_and_total",
       .update = "with_element",
       .accumulators = {{{Accumulator::compute, "lowest"}, {Accumulator::compute, "0"}}}}};
  static PointwiseFunction softmax(elements("softmax_elements"));
  static PointwiseFunction log_softmax(elements("log_softmax_elements"));
  const Tensor maximum = row_values(self, dim, compute), total = row_values(self, dim, compute);
  totals.run({&self}, reduced_dimensions(dim, self.dim()), {&maximum, &total}, compute);
  apply(is_log ? log_softmax : softmax, compute, out, self, maximum, total);
}

void forward(const Tensor& self, int64_t dim, const Tensor& out, bool is_log, bool is_safe,
             at::ScalarType compute) {
  static RowKernel in_tile("normalization/softmax", "forward_tile");
  static RowKernel in_loop("normalization/softmax", "forward_loop");
  if (out.numel() == 0) return;
  const Rows rows({&self, &out}, dim);
  const SoftmaxTile tile = choose_tile(rows, self);
  if (!tile.holds_row && softmax_in_turns(self, out, rows, is_log, is_safe, compute)) return;
  if (!is_safe && is_few_long_rows(rows, self.is_cpu()))
    return forward_in_parts(self, dim, out, is_log, compute);
  // Past the cache from 8 MiB on and not, as pointwise operators, only where both tensors exceed
  // the last cache: of (1024, 4096) fp32, whose two just fit 32 MiB, softmax takes 1.0 ms and 1.4
  // on two threads of a Zen 4, 1.9 and 2.3 on one. bf16 and larger ones differ by 0.08 at most.
  (tile.holds_row ? in_tile : in_loop)
      .launch({{&self}, {&out, true}}, rows, tile,
              literals(compute, is_log, is_safe, exceeds_caches(out)));
}

void backward_in_parts(const Tensor& grad, const Tensor& output, int64_t dim,
                       const Tensor& grad_input, bool is_log, at::ScalarType compute) {
  constexpr std::array kZero{Accumulator{Accumulator::compute, "0"}, Accumulator{}, Accumulator{}};
  static Reduction sum{
      {.module = "normalization/softmax", .combine = "add", .accumulators = kZero}};
  static Reduction weighted_sum{{.module = "normalization/softmax",
                                 .combine = "add",
                                 .prepare = "weighted",
                                 .accumulators = kZero}};
  static PointwiseFunction softmax(elements("softmax_backward_elements"));
  static PointwiseFunction log_softmax(elements("log_softmax_backward_elements"));
  const Tensor total = row_values(output, dim, compute);
  const DimensionSet dims = reduced_dimensions(dim, output.dim());
  if (is_log)
    sum.run({&grad}, dims, {&total}, compute);
  else
    weighted_sum.run({&grad, &output}, dims, {&total}, compute);
  apply(is_log ? log_softmax : softmax, compute, grad_input, grad, output, total);
}

void backward(const Tensor& grad, const Tensor& output, int64_t dim, const Tensor& grad_input,
              bool is_log) {
  static RowKernel in_tile("normalization/softmax", "backward_tile");
  static RowKernel in_loop("normalization/softmax", "backward_loop");
  if (grad_input.numel() == 0) return;
  const at::ScalarType compute = compute_dtype(output);
  const Rows rows({&grad, &output, &grad_input}, dim);
  const SoftmaxTile tile = choose_tile(rows, output);
  if (!tile.holds_row && softmax_backward_in_turns(grad, output, grad_input, rows, is_log, compute))
    return;
  if (is_few_long_rows(rows, output.is_cpu()))
    return backward_in_parts(grad, output, dim, grad_input, is_log, compute);
  (tile.holds_row ? in_tile : in_loop)
      .launch({{&grad}, {&output}, {&grad_input, true}}, rows, tile, literals(compute, is_log));
}

constexpr const char* kNotFloating = "softmax of a dtype that is not floating";

template <class Meta, bool is_log>
struct Forward : StructuredOp<Meta> {
  static const char* refuse(const Tensor& self, int64_t, bool half_to_float, const auto&...) {
    if (!self.is_floating_point()) return kNotFloating;
    return half_to_float && self.is_cpu() ? "softmax to another dtype on a CPU" : nullptr;
  }
  void impl(const Tensor& self, int64_t dim, bool, const Tensor& out) {
    forward(self, dim, out, is_log, false, compute_dtype(self));
  }
};
using Softmax = Forward<at::meta::structured__softmax, false>;
using LogSoftmax = Forward<at::meta::structured__log_softmax, true>;
TILEWISE_STRUCTURED(Softmax, "_softmax");
TILEWISE_STRUCTURED(LogSoftmax, "_log_softmax");

template <class Meta, bool is_log>
struct Backward : StructuredOp<Meta> {
  static const char* refuse(const Tensor& grad_output, const Tensor& output, const auto&...) {
    if (!output.is_floating_point()) return kNotFloating;
    if (grad_output.sizes() != output.sizes()) return "shapes of gradient and output differ";
    return nullptr;
  }
  void impl(const Tensor& grad_output, const Tensor& output, int64_t dim, at::ScalarType,
            const Tensor& grad_input) {
    backward(grad_output, output, dim, grad_input, is_log);
  }
};
using SoftmaxBackward = Backward<at::meta::structured__softmax_backward_data, false>;
using LogSoftmaxBackward = Backward<at::meta::structured__log_softmax_backward_data, true>;
TILEWISE_STRUCTURED(SoftmaxBackward, "_softmax_backward_data");
TILEWISE_STRUCTURED(LogSoftmaxBackward, "_log_softmax_backward_data");

// softmax, but 0 in rows of only -inf: what attention makes of a query that may see no key.
struct SafeSoftmax : PlainOp {
  static const char* refuse(const Tensor& self, int64_t dim, std::optional<at::ScalarType> dtype) {
    if (!self.is_floating_point()) return kNotFloating;
    if (dim < -std::max<int64_t>(1, self.dim()) || dim >= std::max<int64_t>(1, self.dim()))
      return "dimension out of range";
    return !dtype.has_value() || at::isFloatingType(*dtype) ? nullptr : kNotFloating;
  }
  static Tensor call(const Tensor& self, int64_t dim, std::optional<at::ScalarType> dtype) {
    const Tensor out =
        allocate_output(self.sizes(), {}, self.options().dtype(dtype.value_or(self.scalar_type())));
    const bool is_wide = self.scalar_type() == at::kDouble || out.scalar_type() == at::kDouble;
    forward(self, dim, out, false, true, is_wide ? at::kDouble : at::kFloat);
    return out;
  }
};
TILEWISE_OPERATOR(SafeSoftmax, "_safe_softmax");

// The mask as a view of the input's shape. (L, L) and (B, L) masks belong to (B, heads, L, L).
Tensor expanded_mask(const Tensor& mask, const Tensor& self, int64_t mask_type) {
  if (mask.sizes() == self.sizes()) return mask;
  if (mask.dim() != 2 || self.dim() != 4) throw dispatch::Refusal{"mask of another shape"};
  const int64_t length = self.size(2);
  if (mask_type == 0 && mask.size(0) == length && mask.size(1) == length && self.size(3) == length)
    return mask.as_strided(self.sizes(), {0, 0, mask.stride(0), mask.stride(1)});
  if (mask_type == 1 && mask.size(0) == self.size(0) && mask.size(1) == length &&
      self.size(3) == length)
    return mask.as_strided(self.sizes(), {mask.stride(0), 0, 0, mask.stride(1)});
  throw dispatch::Refusal{"mask of another shape"};
}

constexpr const char* kMaskNotBool = "mask that is not bool";

struct MaskedSoftmax : PlainOp {
  static const char* refuse(const Tensor& self, const Tensor& mask, std::optional<int64_t>,
                            std::optional<int64_t> mask_type) {
    if (!self.is_floating_point()) return kNotFloating;
    if (!mask_type.has_value()) return "masked softmax without a mask type";
    return mask.scalar_type() == at::kBool ? nullptr : kMaskNotBool;
  }
  static Tensor call(const Tensor& self, const Tensor& mask, std::optional<int64_t> dim,
                     std::optional<int64_t> mask_type) {
    static RowKernel in_tile("normalization/softmax", "masked_forward_tile");
    static RowKernel in_loop("normalization/softmax", "masked_forward_loop");
    const Tensor left_out = expanded_mask(mask, self, *mask_type);
    const Tensor out = allocate_output(self.sizes(), {}, self.options());
    if (out.numel() == 0) return out;
    const Rows rows({&self, &left_out, &out}, dim.value_or(self.dim() - 1));
    const SoftmaxTile tile = choose_tile(rows, self);
    (tile.holds_row ? in_tile : in_loop)
        .launch({{&self}, {&left_out}, {&out, true}}, rows, tile, literals(compute_dtype(self)));
    return out;
  }
};
TILEWISE_OPERATOR(MaskedSoftmax, "_masked_softmax");

struct MaskedSoftmaxBackward : PlainOp {
  static const char* refuse(const Tensor& grad_output, const Tensor& output, const Tensor& mask,
                            std::optional<int64_t>) {
    if (!output.is_floating_point()) return kNotFloating;
    if (grad_output.sizes() != output.sizes() || mask.sizes() != output.sizes())
      return "gradient, output and mask of several shapes";
    return mask.scalar_type() == at::kBool ? nullptr : kMaskNotBool;
  }
  static Tensor call(const Tensor& grad_output, const Tensor& output, const Tensor& mask,
                     std::optional<int64_t> dim) {
    static RowKernel in_tile("normalization/softmax", "masked_backward_tile");
    static RowKernel in_loop("normalization/softmax", "masked_backward_loop");
    const Tensor grad_input = allocate_output(output.sizes(), {}, output.options());
    if (grad_input.numel() == 0) return grad_input;
    const Rows rows({&grad_output, &output, &mask, &grad_input}, dim.value_or(output.dim() - 1));
    const SoftmaxTile tile = choose_tile(rows, output);
    (tile.holds_row ? in_tile : in_loop)
        .launch({{&grad_output}, {&output}, {&mask}, {&grad_input, true}}, rows, tile,
                literals(compute_dtype(output)));
    return grad_input;
  }
};
TILEWISE_OPERATOR(MaskedSoftmaxBackward, "_masked_softmax_backward");

}  // namespace
}  // namespace tilewise::ops
