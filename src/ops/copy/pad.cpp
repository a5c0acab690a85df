// SPDX-License-Identifier: Apache-2.0
// A tensor within a larger one: constant_pad_nd, and the gradients of slice and select, which are
// zero around the gradient of what was cut out.
#include <ATen/WrapDimUtils.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <numeric>

#include "ops/framework/launch.h"
#include "ops/framework/output.h"
#include "ops/framework/plain_op.h"
#include "ops/framework/scalar_range.h"

namespace tilewise::ops {
namespace {

constexpr size_t kMaxDims = 4;

struct PaddedDimension {
  int64_t size;    // of the output
  int64_t before;  // where the input begins; negative: what is cut off
  int64_t extent;  // of the input
  int64_t stride;
  int64_t stride_out;

  bool is_covered() const { return before == 0 && size == extent; }
};

using PaddedDimensions = c10::SmallVector<PaddedDimension, 8>;

// As few dimensions as possible, outermost first, in the output's order in memory: what is covered
// is one with the dimension around it if both tensors run through the two in one go.
PaddedDimensions merge(const Tensor& out, const Tensor& self, at::IntArrayRef before) {
  c10::SmallVector<int64_t, 8> order(static_cast<size_t>(out.dim()));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return out.stride(a) > out.stride(b); });
  PaddedDimensions merged;
  for (const int64_t d : order) {
    const PaddedDimension next{out.size(d), before[static_cast<size_t>(d)], self.size(d),
                               self.stride(d), out.stride(d)};
    if (next.is_covered() && next.size == 1) continue;
    if (!merged.empty()) {
      PaddedDimension& last = merged.back();
      if (next.is_covered() && last.stride == next.stride * next.size &&
          last.stride_out == next.stride_out * next.size) {
        last = {last.size * next.size, last.before * next.size, last.extent * next.size,
                next.stride, next.stride_out};
        continue;
      }
    }
    merged.push_back(next);
  }
  return merged;
}

void add_value(runtime::ArgumentPack& pack, const at::Scalar& value, at::ScalarType dtype) {
  if (dtype == at::kDouble)
    pack.floating64(value.toDouble());
  else if (at::isFloatingType(dtype))
    pack.floating(value.toDouble());
  else if (dtype == at::kBool)
    pack.typed_integer(value.toBool() ? 1 : 0, DType::i64);
  else
    pack.typed_integer(value.to<int64_t>(), DType::i64);
}

// Throws a Refusal before it has written.
void pad_to(const Tensor& out, const Tensor& self, at::IntArrayRef before,
            const at::Scalar& value) {
  static const Kernel kernel("copy/pad", "constant_pad");
  if (out.numel() == 0) return;
  PaddedDimensions dims = merge(out, self, before);
  if (dims.size() > kMaxDims) throw dispatch::Refusal{"padding of more than four dimensions"};
  while (dims.size() < kMaxDims) dims.insert(dims.begin(), {1, 0, 1, 0, 0});
  for (const PaddedDimension& d : dims)
    if (std::max(d.size, d.extent) + 1024 > INT32_MAX || std::abs(d.before) > INT32_MAX / 2)
      throw dispatch::Refusal{"padding of a huge dimension"};
  const int64_t planes = dims[0].size * dims[1].size;
  const int64_t rows = dims[2].size;
  const int64_t columns = dims[3].size;
  const int64_t block = std::clamp<int64_t>(next_power_of_2(columns), 16, 1024);
  const int64_t tile_rows = std::min(1024 / block, next_power_of_2(rows));
  runtime::ArgumentPack pack;
  detail::add(pack, self);
  detail::add(pack, written(out));
  add_value(pack, value, out.scalar_type());
  for (const int64_t n : {dims[1].size, rows, columns}) pack.integer(n);
  for (const PaddedDimension& d : dims) pack.integer(d.before);
  for (const PaddedDimension& d : dims) pack.integer(d.extent);
  for (const PaddedDimension& d : dims) pack.stride(d.stride);
  for (const PaddedDimension& d : dims) pack.stride(d.stride_out);
  pack.constant(tile_rows);
  pack.constant(block);
  LaunchOptions options;
  options.num_stages = 1;
  options.grain = std::max<int64_t>(1, 32768 / (block * tile_rows));
  launch_packed(kernel, pack, options,
                grid_1d(planes * ceil_div(rows, tile_rows) * ceil_div(columns, block)),
                out.device());
}

struct ConstantPad : PlainOp {
  static const char* refuse(const Tensor& self, c10::SymIntArrayRef pad, const at::Scalar& value) {
    const auto amounts = c10::asIntArrayRefSlowOpt(pad);
    if (!amounts.has_value()) return "sizes are symbols";
    if (amounts->size() % 2 != 0 || static_cast<int64_t>(amounts->size()) > 2 * self.dim())
      return "padding: number of amounts";
    if (std::ranges::all_of(*amounts, [](int64_t n) { return n <= 0; })) return "nothing to pad";
    for (size_t i = 0; i < amounts->size(); i += 2)
      if (self.size(self.dim() - 1 - static_cast<int64_t>(i / 2)) + (*amounts)[i] +
              (*amounts)[i + 1] <
          0)
        return "padding: negative size";
    return is_representable(value, self.scalar_type()) ? nullptr : "value does not fit the dtype";
  }
  static Tensor call(const Tensor& self, c10::SymIntArrayRef pad, const at::Scalar& value) {
    const at::IntArrayRef amounts = *c10::asIntArrayRefSlowOpt(pad);
    at::DimVector sizes(self.sizes());
    at::DimVector before(sizes.size(), 0);
    for (size_t i = 0; i < amounts.size(); i += 2) {
      const size_t d = sizes.size() - 1 - i / 2;
      before[d] = amounts[i];
      sizes[d] += amounts[i] + amounts[i + 1];
    }
    Tensor out =
        allocate_output(sizes, {}, self.options().memory_format(self.suggest_memory_format()));
    pad_to(out, self, before, value);
    return out;
  }
};
TILEWISE_OPERATOR(ConstantPad, "constant_pad_nd");

struct SliceBackward : PlainOp {
  static const char* refuse(const Tensor& grad_output, c10::SymIntArrayRef input_sizes, int64_t,
                            const c10::SymInt& start, const c10::SymInt& end,
                            const c10::SymInt& step) {
    if (!c10::asIntArrayRefSlowOpt(input_sizes).has_value()) return "sizes are symbols";
    for (const c10::SymInt* number : {&start, &end, &step})
      if (!number->maybe_as_int().has_value()) return "sizes are symbols";
    if (step.expect_int() != 1) return "gradient of a slice with steps";
    return grad_output.dim() == static_cast<int64_t>(input_sizes.size()) ? nullptr
                                                                         : "gradient's dimensions";
  }
  static Tensor call(const Tensor& grad_output, c10::SymIntArrayRef input_sizes, int64_t dim,
                     c10::SymInt start, c10::SymInt end, c10::SymInt) {
    const at::IntArrayRef sizes = *c10::asIntArrayRefSlowOpt(input_sizes);
    const int64_t axis = at::maybe_wrap_dim(dim, grad_output.dim());
    const int64_t size = sizes[static_cast<size_t>(axis)];
    const auto wrapped = [&](int64_t place) {
      return std::clamp<int64_t>(place < 0 ? place + size : place, 0, size);
    };
    const int64_t first = wrapped(start.expect_int());
    const int64_t last = std::max(first, wrapped(end.expect_int()));
    at::DimVector expected(sizes);
    expected[static_cast<size_t>(axis)] = last - first;
    if (grad_output.sizes() != at::IntArrayRef(expected))
      throw dispatch::Refusal{"gradient of another size than the slice"};
    Tensor out = allocate_output(sizes, {}, grad_output.options());
    at::DimVector before(sizes.size(), 0);
    before[static_cast<size_t>(axis)] = first;
    pad_to(out, grad_output, before, 0);
    return out;
  }
};
TILEWISE_OPERATOR(SliceBackward, "slice_backward");

struct SelectBackward : PlainOp {
  static const char* refuse(const Tensor& grad_output, c10::SymIntArrayRef input_sizes, int64_t dim,
                            const c10::SymInt& index) {
    const auto sizes = c10::asIntArrayRefSlowOpt(input_sizes);
    const auto place = index.maybe_as_int();
    if (!sizes.has_value() || !place.has_value()) return "sizes are symbols";
    const auto dims = static_cast<int64_t>(sizes->size());
    if (grad_output.dim() + 1 != dims || dim < -dims || dim >= dims) return "gradient's dimensions";
    const int64_t size = (*sizes)[static_cast<size_t>(dim < 0 ? dim + dims : dim)];
    return *place >= -size && *place < size ? nullptr : "index out of range";
  }
  static Tensor call(const Tensor& grad_output, c10::SymIntArrayRef input_sizes, int64_t dim,
                     c10::SymInt index) {
    const at::IntArrayRef sizes = *c10::asIntArrayRefSlowOpt(input_sizes);
    const int64_t axis = at::maybe_wrap_dim(dim, static_cast<int64_t>(sizes.size()));
    const int64_t place = index.expect_int();
    const Tensor grad = grad_output.unsqueeze(axis);
    at::DimVector expected(sizes);
    expected[static_cast<size_t>(axis)] = 1;
    if (grad.sizes() != at::IntArrayRef(expected))
      throw dispatch::Refusal{"gradient of another size than the selection"};
    Tensor out = allocate_output(sizes, {}, grad_output.options());
    at::DimVector before(sizes.size(), 0);
    before[static_cast<size_t>(axis)] =
        place < 0 ? place + sizes[static_cast<size_t>(axis)] : place;
    pad_to(out, grad, before, 0);
    return out;
  }
};
TILEWISE_OPERATOR(SelectBackward, "select_backward");

}  // namespace
}  // namespace tilewise::ops
