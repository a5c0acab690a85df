// SPDX-License-Identifier: Apache-2.0
// arange, range, linspace and logspace. Where PyTorch raises or warns, its own kernel is left to.
#include <ATen/native/Resize.h>

#include <cmath>

#include "ops/creation/factory.h"
#include "ops/framework/launch.h"
#include "ops/framework/scalar_range.h"

namespace tilewise::ops {
namespace {

using at::Scalar;
using Dtype = std::optional<at::ScalarType>;
using Layout = std::optional<at::Layout>;
using Device = std::optional<at::Device>;
using Flag = std::optional<bool>;

constexpr int64_t kBlock = 1024;

bool are_integral(std::initializer_list<const Scalar*> values) {
  for (const Scalar* value : values)
    if (!value->isIntegral(/*includeBool=*/true)) return false;
  return true;
}

LaunchOptions launch_options() {
  LaunchOptions options;
  options.num_stages = 1;
  options.grain = 32;
  return options;
}

// A range with step: arange leaves the end out, range does not.
struct Range {
  const Scalar& start;
  const Scalar& end;
  const Scalar& step;
  bool includes_end;

  const char* refuse(at::ScalarType dtype) const {
    const bool integral = are_integral({&start, &end, &step});
    if (start.isComplex() || end.isComplex() || step.isComplex()) return "complex number";
    if (dtype == at::kBool) return "range of bools";
    if (at::isIntegralType(dtype, false) && !integral) return "range of integers by fractions";
    const double width = end.toDouble() - start.toDouble();
    const double stride = step.toDouble();
    if (!std::isfinite(width) || !(stride > 0 || stride < 0) || width / stride < 0)
      return "range without elements or bounds";
    if (!is_representable(start, dtype) || !is_representable(end, dtype) ||
        !is_representable(step, dtype))
      return "value does not fit the dtype";
    return nullptr;
  }

  int64_t count(at::ScalarType dtype) const {
    if (includes_end)
      return static_cast<int64_t>((end.toDouble() - start.toDouble()) / step.toDouble() + 1);
    if (dtype == at::kLong) {
      const int64_t stride = step.to<int64_t>();
      const int64_t width = end.to<int64_t>() - start.to<int64_t>();
      return (width + stride - (stride > 0 ? 1 : -1)) / stride;
    }
    return static_cast<int64_t>(std::ceil((end.toDouble() - start.toDouble()) / step.toDouble()));
  }

  void write(const Tensor& out) const {
    static const Kernel integers("creation/sequence", "integers");
    static const Kernel numbers("creation/sequence", "numbers");
    const int64_t n = out.numel();
    if (n == 0) return;
    const Grid grid = grid_1d(ceil_div(n, kBlock));
    if (at::isIntegralType(out.scalar_type(), false))
      launch(integers, launch_options(), grid, out, written(out), stride(n), stride(out.stride(0)),
             int64(start.to<int64_t>()), int64(step.to<int64_t>()), constant(kBlock));
    else
      launch(numbers, launch_options(), grid, out, written(out), stride(n), stride(out.stride(0)),
             fp64(start.toDouble()), fp64(step.toDouble()), constant(kBlock));
  }
};

// out= is resized if it is empty; PyTorch warns where it was not, and keeps other shapes.
const char* refuse_out(const Tensor& out, int64_t count) {
  if (out.numel() != count && out.numel() != 0) return "out= is resized with a warning";
  if (out.numel() == count && out.dim() != 1) return "out= is no vector";
  return nullptr;
}

const char* refuse_range_out(const Range& range, const Tensor& out) {
  if (const char* reason = range.refuse(out.scalar_type())) return reason;
  return refuse_out(out, range.count(out.scalar_type()));
}

Tensor& write_range(const Range& range, Tensor& out) {
  const int64_t count = range.count(out.scalar_type());
  if (out.numel() != count) at::native::resize_output(out, {count});
  range.write(out);
  return out;
}

template <bool kIncludesEnd>
struct RangeOut : PlainOp {
  static const char* refuse(const Scalar& start, const Scalar& end, const Scalar& step,
                            const Tensor& out) {
    return refuse_range_out({start, end, step, kIncludesEnd}, out);
  }
  static Tensor& call(const Scalar& start, const Scalar& end, const Scalar& step, Tensor& out) {
    return write_range({start, end, step, kIncludesEnd}, out);
  }
};
TILEWISE_OPERATOR(RangeOut<false>, "arange.start_out");
TILEWISE_OPERATOR(RangeOut<true>, "range.out");

const char* refuse_new(const Range& range, const FactoryOptions& options, bool is_integral) {
  const at::ScalarType inferred = is_integral ? at::kLong : default_dtype();
  if (const char* reason = options.refuse(inferred)) return reason;
  return range.refuse(options.dtype.value_or(inferred));
}

// Unless a dtype is given, arange of integers is one of int64; range is floating.
Tensor make_range(const Range& range, const FactoryOptions& options) {
  const bool is_integral =
      !range.includes_end && are_integral({&range.start, &range.end, &range.step});
  const at::ScalarType inferred = is_integral ? at::kLong : default_dtype();
  NewTensor result({range.count(options.dtype.value_or(inferred))}, options, inferred);
  range.write(*result);
  return *result;
}

const Scalar kZero(0);
const Scalar kOne(1);

struct Arange : PlainOp {
  static const char* refuse(const Scalar& end, Dtype dtype, Layout layout, Device device,
                            Flag pin_memory) {
    return refuse_new({kZero, end, kOne, false}, {dtype, layout, device, pin_memory},
                      are_integral({&end}));
  }
  static Tensor call(const Scalar& end, Dtype dtype, Layout layout, Device device,
                     Flag pin_memory) {
    return make_range({kZero, end, kOne, false}, {dtype, layout, device, pin_memory});
  }
};
TILEWISE_OPERATOR(Arange, "arange");

struct ArangeStart : PlainOp {
  static const char* refuse(const Scalar& start, const Scalar& end, Dtype dtype, Layout layout,
                            Device device, Flag pin_memory) {
    return refuse_new({start, end, kOne, false}, {dtype, layout, device, pin_memory},
                      are_integral({&start, &end}));
  }
  static Tensor call(const Scalar& start, const Scalar& end, Dtype dtype, Layout layout,
                     Device device, Flag pin_memory) {
    return make_range({start, end, kOne, false}, {dtype, layout, device, pin_memory});
  }
};
TILEWISE_OPERATOR(ArangeStart, "arange.start");

struct ArangeStep : PlainOp {
  static const char* refuse(const Scalar& start, const Scalar& end, const Scalar& step, Dtype dtype,
                            Layout layout, Device device, Flag pin_memory) {
    return refuse_new({start, end, step, false}, {dtype, layout, device, pin_memory},
                      are_integral({&start, &end, &step}));
  }
  static Tensor call(const Scalar& start, const Scalar& end, const Scalar& step, Dtype dtype,
                     Layout layout, Device device, Flag pin_memory) {
    return make_range({start, end, step, false}, {dtype, layout, device, pin_memory});
  }
};
TILEWISE_OPERATOR(ArangeStep, "arange.start_step");

// The deprecated one.
struct ClosedRange : PlainOp {
  static const char* refuse(const Scalar& start, const Scalar& end, Dtype dtype, Layout layout,
                            Device device, Flag pin_memory) {
    return refuse_new({start, end, kOne, true}, {dtype, layout, device, pin_memory}, false);
  }
  static Tensor call(const Scalar& start, const Scalar& end, Dtype dtype, Layout layout,
                     Device device, Flag pin_memory) {
    return make_range({start, end, kOne, true}, {dtype, layout, device, pin_memory});
  }
};
TILEWISE_OPERATOR(ClosedRange, "range");

struct ClosedRangeStep : PlainOp {
  static const char* refuse(const Scalar& start, const Scalar& end, const Scalar& step, Dtype dtype,
                            Layout layout, Device device, Flag pin_memory) {
    return refuse_new({start, end, step, true}, {dtype, layout, device, pin_memory}, false);
  }
  static Tensor call(const Scalar& start, const Scalar& end, const Scalar& step, Dtype dtype,
                     Layout layout, Device device, Flag pin_memory) {
    return make_range({start, end, step, true}, {dtype, layout, device, pin_memory});
  }
};
TILEWISE_OPERATOR(ClosedRangeStep, "range.step");

// `steps` numbers from start to end, or powers of base.
const char* refuse_between(const Scalar& start, const Scalar& end, int64_t steps,
                           at::ScalarType dtype, bool is_power) {
  if (start.isComplex() || end.isComplex()) return "complex number";
  if (steps < 0) return "negative number of steps";
  if (is_power && !at::isFloatingType(dtype)) return "logspace of integers";
  return dtype != at::kBool && is_representable(start, dtype) && is_representable(end, dtype)
             ? nullptr
             : "value does not fit the dtype";
}

// ATen reads the bounds as values of the result's dtype.
double rounded(const Scalar& value, at::ScalarType dtype) {
  switch (dtype) {
    case at::kHalf:
      return value.to<at::Half>();
    case at::kBFloat16:
      return value.to<at::BFloat16>();
    case at::kFloat:
      return value.to<float>();
    default:
      return value.toDouble();
  }
}

void write_between(const Scalar& start, const Scalar& end, int64_t steps, const Tensor& out,
                   std::optional<double> base) {
  static const Kernel between("creation/sequence", "between");
  if (steps == 0) return;
  double first = rounded(start, out.scalar_type());
  double last = rounded(end, out.scalar_type());
  if (at::isIntegralType(out.scalar_type(), false)) {
    first = std::trunc(first);
    last = std::trunc(last);
  }
  const double step = steps == 1 ? 0 : (last - first) / static_cast<double>(steps - 1);
  // One power is that of the number as it was given.
  if (steps == 1 && base.has_value()) first = start.toDouble();
  if (steps == 1) last = first;
  // Powers of 2 serve for those of another base, but for fp64, which they would not fill.
  int64_t power = base.has_value() ? 1 : 0;
  if (base.has_value() && out.scalar_type() != at::kDouble && *base > 0 && std::isfinite(*base) &&
      std::isfinite(first) && std::isfinite(last)) {
    base = std::log2(*base);
    power = 2;
  }
  launch(between, launch_options(), grid_1d(ceil_div(steps, kBlock)), out, written(out),
         stride(steps), stride(out.stride(0)), fp64(first), fp64(last), fp64(step),
         fp64(base.value_or(0)), constant(power), constant(kBlock));
}

struct LinspaceOut : PlainOp {
  static const char* refuse(const Scalar& start, const Scalar& end, int64_t steps,
                            const Tensor& out) {
    if (const char* reason = refuse_between(start, end, steps, out.scalar_type(), false))
      return reason;
    return refuse_out(out, steps);
  }
  static Tensor& call(const Scalar& start, const Scalar& end, int64_t steps, Tensor& out) {
    if (out.numel() != steps) at::native::resize_output(out, {steps});
    write_between(start, end, steps, out, std::nullopt);
    return out;
  }
};
TILEWISE_OPERATOR(LinspaceOut, "linspace.out");

struct LogspaceOut : PlainOp {
  static const char* refuse(const Scalar& start, const Scalar& end, int64_t steps, double,
                            const Tensor& out) {
    if (const char* reason = refuse_between(start, end, steps, out.scalar_type(), true))
      return reason;
    return refuse_out(out, steps);
  }
  static Tensor& call(const Scalar& start, const Scalar& end, int64_t steps, double base,
                      Tensor& out) {
    if (out.numel() != steps) at::native::resize_output(out, {steps});
    write_between(start, end, steps, out, base);
    return out;
  }
};
TILEWISE_OPERATOR(LogspaceOut, "logspace.out");

// The functional forms; PyTorch makes no integers of integers here.
struct Linspace : PlainOp {
  static const char* refuse(const Scalar& start, const Scalar& end, int64_t steps, Dtype dtype,
                            Layout layout, Device device, Flag pin_memory) {
    const FactoryOptions options{dtype, layout, device, pin_memory};
    if (const char* reason = options.refuse(default_dtype())) return reason;
    return refuse_between(start, end, steps, dtype.value_or(default_dtype()), false);
  }
  static Tensor call(const Scalar& start, const Scalar& end, int64_t steps, Dtype dtype,
                     Layout layout, Device device, Flag pin_memory) {
    NewTensor result({steps}, {dtype, layout, device, pin_memory}, default_dtype());
    write_between(start, end, steps, *result, std::nullopt);
    return *result;
  }
};
TILEWISE_OPERATOR(Linspace, "linspace");

struct Logspace : PlainOp {
  static const char* refuse(const Scalar& start, const Scalar& end, int64_t steps, double,
                            Dtype dtype, Layout layout, Device device, Flag pin_memory) {
    const FactoryOptions options{dtype, layout, device, pin_memory};
    if (const char* reason = options.refuse(default_dtype())) return reason;
    return refuse_between(start, end, steps, dtype.value_or(default_dtype()), true);
  }
  static Tensor call(const Scalar& start, const Scalar& end, int64_t steps, double base,
                     Dtype dtype, Layout layout, Device device, Flag pin_memory) {
    NewTensor result({steps}, {dtype, layout, device, pin_memory}, default_dtype());
    write_between(start, end, steps, *result, base);
    return *result;
  }
};
TILEWISE_OPERATOR(Logspace, "logspace");

}  // namespace
}  // namespace tilewise::ops
