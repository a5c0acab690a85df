// SPDX-License-Identifier: Apache-2.0
// The operators under torch.nn.SyncBatchNorm, which PyTorch has on GPUs alone, and
// batch_norm_update_stats. Statistics are reductions, the rest is pointwise with one value for each
// channel.
#include <ATen/TensorIterator.h>
#include <ATen/ops/sum.h>

#include "ops/framework/plain_op.h"
#include "ops/framework/pointwise.h"
#include "ops/normalization/channel_norm.h"
#include "ops/reduction/reduction.h"
#include "ops/reduction/reduction_presets.h"

namespace tilewise::ops {
namespace {

using channel_norm::is_given;
using channel_norm::OptionalTensor;
using Two = std::tuple<Tensor, Tensor>;

constexpr const char* kModule = "normalization/sync_batch_norm";

Tensor value_of(OptionalTensor tensor) { return tensor.value_or(Tensor()); }

bool is_input(const Tensor& input) {
  return input.is_floating_point() && input.dim() >= 2 && input.numel() > 0;
}
bool is_per_channel(const Tensor& input, const Tensor& tensor) {
  return tensor.dim() == 1 && tensor.size(0) == input.size(1) && tensor.is_floating_point();
}

// PyTorch's own kernels have the errors for everything that this refuses.
const char* refuse_channels(const Tensor& input, std::initializer_list<const Tensor*> tensors,
                            std::initializer_list<const std::optional<Tensor>*> optional = {}) {
  if (!is_input(input)) return "batch norm of this dtype or shape";
  for (const Tensor* tensor : tensors)
    if (!is_per_channel(input, *tensor)) return "batch norm: parameter of another shape or dtype";
  for (const auto* tensor : optional)
    if (is_given(*tensor) && !is_per_channel(input, value_of(*tensor)))
      return "batch norm: parameter of another shape or dtype";
  return nullptr;
}

// A value for each channel in the shape of the input.
Tensor per_channel(const Tensor& values, const Tensor& input) {
  at::DimVector sizes(static_cast<size_t>(input.dim()), 1);
  sizes[1] = values.size(0);
  return values.view(sizes);
}

DimensionSet all_but_channels() { return DimensionSet().set().reset(1); }

// What PyTorch's kernels for GPUs return statistics in.
at::ScalarType statistics_dtype(const Tensor& input) { return sum_dtype(input.scalar_type()); }

template <class... Inputs>
void apply(PointwiseFunction& function, at::ScalarType compute, const PointwiseArguments& arguments,
           const Tensor& out, const Inputs&... inputs) {
  at::TensorIteratorConfig config;
  config.check_all_same_dtype(false).resize_outputs(false).set_check_mem_overlap(false);
  config.add_output(out);
  (config.add_const_input(inputs), ...);
  at::TensorIterator iter = config.build();
  function.run(iter, compute, arguments);
}

// Of each channel; what is not given stays.
void move_running(OptionalTensor running, const Tensor& value, double momentum,
                  at::ScalarType compute) {
  static PointwiseFunction moved(codegen::ScalarFunction{kModule, "moved", ""});
  if (!is_given(running)) return;
  PointwiseArguments arguments;
  arguments.add(momentum);
  apply(moved, compute, arguments, value_of(running), value, value_of(running));
}

// Keeps the strides of the input where they are dense.
Tensor like(const Tensor& input) {
  const bool keeps_strides = input.is_non_overlapping_and_dense();
  return allocate_output(input.sizes(), keeps_strides ? input.strides() : at::IntArrayRef(),
                         input.options());
}

struct Stats : PlainOp {
  static constexpr bool kGpuOnly = true;
  static const char* refuse(const Tensor& input, double) { return refuse_channels(input, {}); }
  static Two call(const Tensor& input, double eps) {
    static Reduction statistics{{.module = kModule,
                                 .combine = "merge",
                                 .update = "update",
                                 .finish = "mean_and_inverse",
                                 .accumulators = {{{Accumulator::compute, "0"},
                                                   {Accumulator::compute, "0"},
                                                   {Accumulator::index, "0"}}},
                                 .finish_scalars = 1}};
    const at::ScalarType dtype = statistics_dtype(input);
    const auto options = input.options().dtype(dtype);
    Tensor mean = allocate_output({input.size(1)}, {}, options);
    Tensor inverse = allocate_output({input.size(1)}, {}, options);
    statistics.run({&input}, all_but_channels(), {&mean, &inverse}, dtype, {eps});
    return {std::move(mean), std::move(inverse)};
  }
};
TILEWISE_OPERATOR(Stats, "batch_norm_stats");

void normalize(const Tensor& input, OptionalTensor weight, OptionalTensor bias, const Tensor& mean,
               const Tensor& inverse, const Tensor& out) {
  static PointwiseFunction normalized(codegen::ScalarFunction{kModule, "normalized", ""});
  const auto view = [&input](const Tensor& values) { return per_channel(values, input); };
  PointwiseArguments arguments;
  arguments.add(is_given(weight));
  arguments.add(is_given(bias));
  const Tensor scale = view(inverse);
  // What is absent is not read.
  apply(normalized, statistics_dtype(input), arguments, out, input, view(mean), scale,
        is_given(weight) ? view(value_of(weight)) : scale,
        is_given(bias) ? view(value_of(bias)) : scale);
}

struct Elements : PlainOp {
  static constexpr bool kGpuOnly = true;
  static const char* refuse(const Tensor& input, OptionalTensor weight, OptionalTensor bias,
                            const Tensor& mean, const Tensor& inverse, double) {
    return refuse_channels(input, {&mean, &inverse}, {&weight, &bias});
  }
  static Tensor call(const Tensor& input, OptionalTensor weight, OptionalTensor bias,
                     const Tensor& mean, const Tensor& inverse, double) {
    Tensor out = like(input);
    normalize(input, weight, bias, mean, inverse, out);
    return out;
  }
};
TILEWISE_OPERATOR(Elements, "batch_norm_elemt");

struct ElementsOut : PlainOp {
  static constexpr bool kGpuOnly = true;
  static const char* refuse(const Tensor& input, OptionalTensor weight, OptionalTensor bias,
                            const Tensor& mean, const Tensor& inverse, double, const Tensor& out) {
    if (out.sizes() != input.sizes() || out.scalar_type() != input.scalar_type())
      return "batch norm: out= of another shape or dtype";
    return refuse_channels(input, {&mean, &inverse}, {&weight, &bias});
  }
  static Tensor& call(const Tensor& input, OptionalTensor weight, OptionalTensor bias,
                      const Tensor& mean, const Tensor& inverse, double, Tensor& out) {
    normalize(input, weight, bias, mean, inverse, out);
    return out;
  }
};
TILEWISE_OPERATOR(ElementsOut, "batch_norm_elemt.out");

const char* refuse_processes(const Tensor& input, const Tensor& mean, const Tensor& inverse,
                             OptionalTensor running_mean, OptionalTensor running_var) {
  if (mean.dim() != 2 || mean.size(0) == 0 || inverse.sizes() != mean.sizes() ||
      !mean.is_floating_point() || !inverse.is_floating_point())
    return "batch norm: statistics of another shape or dtype";
  for (const auto* running : {&running_mean, &running_var})
    if (is_given(*running) &&
        (value_of(*running).dim() != 1 || value_of(*running).size(0) != mean.size(1)))
      return "batch norm: running statistics of another shape";
  return input.is_floating_point() ? nullptr : "batch norm of this dtype or shape";
}

// `counts`: of each process, in any dtype.
Two gather(const Tensor& mean, const Tensor& inverse, OptionalTensor running_mean,
           OptionalTensor running_var, double momentum, double eps, const Tensor& counts) {
  static Reduction processes{{.module = kModule,
                              .combine = "merge",
                              .prepare = "of_process",
                              .finish = "of_all",
                              .accumulators = {{{Accumulator::compute, "0"},
                                                {Accumulator::compute, "0"},
                                                {Accumulator::compute, "0"}}},
                              .prepare_scalars = 1,
                              .finish_scalars = 1}};
  const at::ScalarType dtype = statistics_dtype(mean);
  const auto options = mean.options().dtype(dtype);
  Tensor all_mean = allocate_output({mean.size(1)}, {}, options);
  Tensor all_inverse = allocate_output({mean.size(1)}, {}, options);
  const Tensor variance = allocate_output({mean.size(1)}, {}, options);
  const Tensor count = counts.view({counts.size(0), 1}).expand(mean.sizes());
  processes.run({&mean, &inverse, &count}, reduced_dimensions(0, 2),
                {&all_mean, &all_inverse, &variance}, dtype, {eps, eps});
  move_running(running_mean, all_mean, momentum, dtype);
  move_running(running_var, variance, momentum, dtype);
  return {std::move(all_mean), std::move(all_inverse)};
}

struct GatherStats : PlainOp {
  static constexpr bool kGpuOnly = true;
  static const char* refuse(const Tensor& input, const Tensor& mean, const Tensor& inverse,
                            OptionalTensor running_mean, OptionalTensor running_var, double, double,
                            int64_t) {
    return refuse_processes(input, mean, inverse, running_mean, running_var);
  }
  static Two call(const Tensor&, const Tensor& mean, const Tensor& inverse,
                  OptionalTensor running_mean, OptionalTensor running_var, double momentum,
                  double eps, int64_t count) {
    const Tensor counts = allocate_output({mean.size(0)}, {}, mean.options().dtype(at::kDouble));
    counts.fill_(count);
    return gather(mean, inverse, running_mean, running_var, momentum, eps, counts);
  }
};
TILEWISE_OPERATOR(GatherStats, "batch_norm_gather_stats");

struct GatherStatsWithCounts : PlainOp {
  static constexpr bool kGpuOnly = true;
  static const char* refuse(const Tensor& input, const Tensor& mean, const Tensor& inverse,
                            OptionalTensor running_mean, OptionalTensor running_var, double, double,
                            const Tensor& counts) {
    if (counts.dim() != 1 || mean.dim() != 2 || counts.size(0) != mean.size(0))
      return "batch norm: counts of another shape";
    return refuse_processes(input, mean, inverse, running_mean, running_var);
  }
  static Two call(const Tensor&, const Tensor& mean, const Tensor& inverse,
                  OptionalTensor running_mean, OptionalTensor running_var, double momentum,
                  double eps, const Tensor& counts) {
    return gather(mean, inverse, running_mean, running_var, momentum, eps, counts);
  }
};
TILEWISE_OPERATOR(GatherStatsWithCounts, "batch_norm_gather_stats_with_counts");

struct BackwardReduce : PlainOp {
  static constexpr bool kGpuOnly = true;
  static const char* refuse(const Tensor& grad_out, const Tensor& input, const Tensor& mean,
                            const Tensor& inverse, OptionalTensor weight, bool, bool weight_g,
                            bool bias_g) {
    if (grad_out.sizes() != input.sizes() || !grad_out.is_floating_point())
      return "batch norm: gradient of another shape or dtype";
    if ((weight_g || bias_g) && !is_given(weight)) return "batch norm: gradient of no weight";
    return refuse_channels(input, {&mean, &inverse}, {&weight});
  }
  static std::tuple<Tensor, Tensor, Tensor, Tensor> call(const Tensor& grad_out,
                                                         const Tensor& input, const Tensor& mean,
                                                         const Tensor& inverse,
                                                         OptionalTensor weight, bool input_g,
                                                         bool weight_g, bool bias_g) {
    static Reduction sums{
        {.module = kModule,
         .combine = "add_pairs",
         .prepare = "gradient_and_moment",
         .accumulators = {
             {{Accumulator::compute, "0"}, {Accumulator::compute, "0"}, Accumulator{}}}}};
    static PointwiseFunction product(codegen::ScalarFunction{kModule, "product", ""});
    const at::ScalarType dtype = statistics_dtype(input);
    const Tensor sum_grad = allocate_output(mean.sizes(), {}, mean.options());
    const Tensor sum_moment = allocate_output(mean.sizes(), {}, mean.options());
    const Tensor means = per_channel(mean, input).expand(input.sizes());
    sums.run({&grad_out, &input, &means}, all_but_channels(), {&sum_grad, &sum_moment}, dtype);
    Tensor grad_weight, grad_bias;
    if (weight_g) {
      grad_weight = allocate_output(mean.sizes(), {}, value_of(weight).options());
      apply(product, dtype, {}, grad_weight, sum_moment, inverse);
    }
    if (bias_g) {
      grad_bias = allocate_output(mean.sizes(), {}, value_of(weight).options());
      grad_bias.copy_(sum_grad);
    }
    return {input_g ? sum_grad : Tensor(), input_g ? sum_moment : Tensor(), std::move(grad_weight),
            std::move(grad_bias)};
  }
};
TILEWISE_OPERATOR(BackwardReduce, "batch_norm_backward_reduce");

struct BackwardElemt : PlainOp {
  static constexpr bool kGpuOnly = true;
  static const char* refuse(const Tensor& grad_out, const Tensor& input, const Tensor& mean,
                            const Tensor& inverse, OptionalTensor weight, const Tensor& sum_dy,
                            const Tensor& sum_dy_xmu, const Tensor& count) {
    if (grad_out.sizes() != input.sizes() || !grad_out.is_floating_point())
      return "batch norm: gradient of another shape or dtype";
    if (count.numel() == 0) return "batch norm: no counts";
    return refuse_channels(input, {&mean, &inverse, &sum_dy, &sum_dy_xmu}, {&weight});
  }
  static Tensor call(const Tensor& grad_out, const Tensor& input, const Tensor& mean,
                     const Tensor& inverse, OptionalTensor weight, const Tensor& sum_dy,
                     const Tensor& sum_dy_xmu, const Tensor& count) {
    static PointwiseFunction gradient(codegen::ScalarFunction{kModule, "gradient", ""});
    const auto view = [&input](const Tensor& values) { return per_channel(values, input); };
    PointwiseArguments arguments;
    arguments.add(is_given(weight));
    Tensor out = like(input);
    const Tensor total = count.numel() == 1 ? count : at::sum(count);
    at::DimVector ones(static_cast<size_t>(input.dim()), 1);
    const Tensor scale = view(inverse);
    apply(gradient, statistics_dtype(input), arguments, out, grad_out, input, view(mean), scale,
          is_given(weight) ? view(value_of(weight)) : scale, view(sum_dy), view(sum_dy_xmu),
          total.view(ones));
    return out;
  }
};
TILEWISE_OPERATOR(BackwardElemt, "batch_norm_backward_elemt");

struct UpdateStats : PlainOp {
  static const char* refuse(const Tensor& input, OptionalTensor running_mean,
                            OptionalTensor running_var, double) {
    // A CPU's kernel takes running statistics of one type, that of the input or a wider one.
    if (is_given(running_mean) != is_given(running_var)) return "one of the running statistics";
    if (is_given(running_mean) &&
        (value_of(running_mean).scalar_type() != value_of(running_var).scalar_type() ||
         (value_of(running_mean).scalar_type() != input.scalar_type() &&
          value_of(running_mean).scalar_type() != statistics_dtype(input))))
      return "batch norm: running statistics of another dtype";
    return refuse_channels(input, {}, {&running_mean, &running_var});
  }
  static Two call(const Tensor& input, OptionalTensor running_mean, OptionalTensor running_var,
                  double momentum) {
    static Reduction statistics{{.module = kModule,
                                 .combine = "merge",
                                 .update = "update",
                                 .finish = "statistics_of_batch",
                                 .accumulators = {{{Accumulator::compute, "0"},
                                                   {Accumulator::compute, "0"},
                                                   {Accumulator::index, "0"}}}}};
    // A CPU returns statistics in the type of its parameters.
    const bool on_cpu = input.is_cpu();
    const at::ScalarType dtype = !on_cpu                  ? statistics_dtype(input)
                                 : is_given(running_mean) ? value_of(running_mean).scalar_type()
                                                          : input.scalar_type();
    const auto options = input.options().dtype(dtype);
    Tensor mean = allocate_output({input.size(1)}, {}, options);
    Tensor variance = allocate_output({input.size(1)}, {}, options);
    const Tensor unbiased = allocate_output({input.size(1)}, {}, options);
    const bool is_wide = on_cpu && input.scalar_type() == at::kFloat;
    statistics.run({&input}, all_but_channels(), {&mean, &variance, &unbiased},
                   is_wide ? at::kDouble : statistics_dtype(input));
    move_running(running_mean, mean, momentum, statistics_dtype(input));
    move_running(running_var, unbiased, momentum, statistics_dtype(input));
    return {std::move(mean), std::move(variance)};
  }
};
TILEWISE_OPERATOR(UpdateStats, "batch_norm_update_stats");

}  // namespace
}  // namespace tilewise::ops
