// SPDX-License-Identifier: Apache-2.0
// Batch norm in PyTorch's spellings that exist on every device; cuDNN's are in
// cudnn_batch_norm.cpp. The running statistics are arguments that are written, so that the
// overloads are declared one by one; the work is channel_norm's.
#include <ATen/ops/native_batch_norm_backward.h>

#include "ops/framework/output.h"
#include "ops/framework/plain_op.h"
#include "ops/normalization/channel_norm.h"

namespace tilewise::ops {
namespace {

using channel_norm::is_given;
using channel_norm::OptionalTensor;
using channel_norm::Parameters;
using channel_norm::Statistics;

Tensor value_of(OptionalTensor tensor) { return is_given(tensor) ? *tensor : Tensor(); }

// Weight and bias are dense but for odd views; the running statistics are written in place.
Tensor dense(OptionalTensor tensor) { return is_given(tensor) ? tensor->contiguous() : Tensor(); }

bool is_16_bit(const Tensor& tensor) {
  return tensor.scalar_type() == at::kHalf || tensor.scalar_type() == at::kBFloat16;
}

// 16-bit input with f32 parameters.
bool is_mixed(const Tensor& input, std::initializer_list<const Tensor*> parameters) {
  for (const Tensor* parameter : parameters)
    if (parameter->defined() && parameter->scalar_type() != input.scalar_type()) return true;
  return false;
}

// PyTorch's own kernel has the errors for everything that this refuses.
const char* refuse_parameters(const Tensor& input, OptionalTensor weight, OptionalTensor bias,
                              OptionalTensor running_mean, OptionalTensor running_var) {
  if (!input.is_floating_point()) return "batch_norm of a dtype that is not floating";
  if (input.dim() < 2) return "batch_norm of less than two dimensions";
  if (input.numel() == 0) return "batch_norm of no elements";
  if (is_given(running_mean) != is_given(running_var)) return "one of the running statistics";
  int matching = 0;
  int wide = 0;
  for (const auto* parameter : {&weight, &bias, &running_mean, &running_var}) {
    if (!is_given(*parameter)) continue;
    const Tensor& tensor = **parameter;
    if (tensor.dim() != 1 || tensor.size(0) != input.size(1)) return "parameter of another shape";
    if (tensor.scalar_type() == input.scalar_type())
      ++matching;
    else if (is_16_bit(input) && tensor.scalar_type() == at::kFloat)
      ++wide;
    else
      return "dtypes of input and parameters";
  }
  // The CPU's kernel takes one type of parameters only.
  if (input.is_cpu() && matching > 0 && wide > 0) return "dtypes of the parameters differ";
  if (is_given(running_mean) && !(running_mean->is_contiguous() && running_var->is_contiguous()))
    return "running statistics that are not contiguous";
  return nullptr;
}

const char* refuse_forward(const Tensor& input, OptionalTensor weight, OptionalTensor bias,
                           OptionalTensor running_mean, OptionalTensor running_var, bool training) {
  if (!training && !is_given(running_mean)) return "inference without running statistics";
  return refuse_parameters(input, weight, bias, running_mean, running_var);
}

struct Outputs {
  Tensor out, mean, rstd;
};

// `given`: the tensors of an out= overload, else nullptr.
Outputs run_forward(const Tensor& input, OptionalTensor weight, OptionalTensor bias,
                    OptionalTensor running_mean, OptionalTensor running_var, bool training,
                    double momentum, double eps, const std::array<const Tensor*, 3>* given) {
  const bool on_cpu = input.is_cpu();
  Parameters parameters{dense(weight),         dense(bias), value_of(running_mean),
                        value_of(running_var), momentum,    eps};
  const bool wide =
      is_16_bit(input) &&
      (!on_cpu || is_mixed(input, {&parameters.weight, &parameters.bias, &parameters.running_mean,
                                   &parameters.running_var}));
  const auto options = input.options();
  const auto statistics_options = options.dtype(wide ? at::kFloat : input.scalar_type());
  // In inference a CPU returns no statistics, a GPU those that it used.
  const int64_t count = training || !on_cpu ? input.size(1) : 0;
  const bool keeps_strides = !on_cpu && input.is_non_overlapping_and_dense();
  const at::IntArrayRef strides = keeps_strides ? input.strides() : at::IntArrayRef();
  const auto out_options =
      keeps_strides ? options : options.memory_format(input.suggest_memory_format());
  Outputs outputs;
  if (given != nullptr) {
    fit_out(*(*given)[0], input.sizes(), strides, out_options);
    fit_out(*(*given)[1], {count}, {}, statistics_options);
    fit_out(*(*given)[2], {count}, {}, statistics_options);
    outputs = {*(*given)[0], *(*given)[1], *(*given)[2]};
    if (outputs.out.is_alias_of(input)) throw dispatch::Refusal{"batch_norm in place"};
  } else {
    outputs.out = allocate_output(input.sizes(), strides, out_options);
    outputs.mean = allocate_output({count}, {}, statistics_options);
    outputs.rstd = allocate_output({count}, {}, statistics_options);
  }
  const Tensor none;
  const bool saves = count > 0;
  channel_norm::forward(input, parameters, training ? Statistics::batch : Statistics::variance,
                        outputs.out, saves ? outputs.mean : none, saves ? outputs.rstd : none);
  return outputs;
}

using Three = std::tuple<Tensor, Tensor, Tensor>;
using ThreeOut = std::tuple<Tensor&, Tensor&, Tensor&>;
using Four = std::tuple<Tensor, Tensor, Tensor, Tensor>;
using FourOut = std::tuple<Tensor&, Tensor&, Tensor&, Tensor&>;

// cuDNN keeps something between forward and backward; we do not.
Tensor empty_reserve(const Tensor& input) {
  return allocate_output({0}, {}, input.options().dtype(at::kByte));
}

struct NativeBatchNorm : PlainOp {
  static const char* refuse(const Tensor& input, OptionalTensor weight, OptionalTensor bias,
                            OptionalTensor running_mean, OptionalTensor running_var, bool training,
                            const auto&...) {
    return refuse_forward(input, weight, bias, running_mean, running_var, training);
  }
  static Three call(const Tensor& input, OptionalTensor weight, OptionalTensor bias,
                    OptionalTensor running_mean, OptionalTensor running_var, bool training,
                    double momentum, double eps) {
    auto r = run_forward(input, weight, bias, running_mean, running_var, training, momentum, eps,
                         nullptr);
    return {std::move(r.out), std::move(r.mean), std::move(r.rstd)};
  }
};
TILEWISE_OPERATOR(NativeBatchNorm, "native_batch_norm");

struct NativeBatchNormOut : NativeBatchNorm {
  static ThreeOut call(const Tensor& input, OptionalTensor weight, OptionalTensor bias,
                       OptionalTensor running_mean, OptionalTensor running_var, bool training,
                       double momentum, double eps, Tensor& out, Tensor& save_mean,
                       Tensor& save_invstd) {
    const std::array<const Tensor*, 3> given{&out, &save_mean, &save_invstd};
    run_forward(input, weight, bias, running_mean, running_var, training, momentum, eps, &given);
    return {out, save_mean, save_invstd};
  }
};
TILEWISE_OPERATOR(NativeBatchNormOut, "native_batch_norm.out");

struct Legit : NativeBatchNorm {
  static Three call(const Tensor& input, OptionalTensor weight, OptionalTensor bias,
                    Tensor& running_mean, Tensor& running_var, bool training, double momentum,
                    double eps) {
    return NativeBatchNorm::call(input, weight, bias, running_mean, running_var, training, momentum,
                                 eps);
  }
};
TILEWISE_OPERATOR(Legit, "_native_batch_norm_legit");

struct LegitOut : NativeBatchNorm {
  static ThreeOut call(const Tensor& input, OptionalTensor weight, OptionalTensor bias,
                       Tensor& running_mean, Tensor& running_var, bool training, double momentum,
                       double eps, Tensor& out, Tensor& save_mean, Tensor& save_invstd) {
    return NativeBatchNormOut::call(input, weight, bias, running_mean, running_var, training,
                                    momentum, eps, out, save_mean, save_invstd);
  }
};
TILEWISE_OPERATOR(LegitOut, "_native_batch_norm_legit.out");

struct LegitFunctional : NativeBatchNorm {
  static std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> call(
      const Tensor& input, OptionalTensor weight, OptionalTensor bias, const Tensor& running_mean,
      const Tensor& running_var, bool training, double momentum, double eps) {
    Tensor new_mean = running_mean.clone();
    Tensor new_var = running_var.clone();
    auto [out, mean, rstd] =
        NativeBatchNorm::call(input, weight, bias, new_mean, new_var, training, momentum, eps);
    return {std::move(out), std::move(mean), std::move(rstd), std::move(new_mean),
            std::move(new_var)};
  }
};
TILEWISE_OPERATOR(LegitFunctional, "_native_batch_norm_legit_functional");

struct LegitNoStats : PlainOp {
  static const char* refuse(const Tensor& input, OptionalTensor weight, OptionalTensor bias,
                            bool training, const auto&...) {
    return refuse_forward(input, weight, bias, std::nullopt, std::nullopt, training);
  }
  static Three call(const Tensor& input, OptionalTensor weight, OptionalTensor bias, bool training,
                    double momentum, double eps) {
    return NativeBatchNorm::call(input, weight, bias, std::nullopt, std::nullopt, training,
                                 momentum, eps);
  }
};
TILEWISE_OPERATOR(LegitNoStats, "_native_batch_norm_legit.no_stats");

struct LegitNoStatsOut : LegitNoStats {
  static ThreeOut call(const Tensor& input, OptionalTensor weight, OptionalTensor bias,
                       bool training, double momentum, double eps, Tensor& out, Tensor& save_mean,
                       Tensor& save_invstd) {
    return NativeBatchNormOut::call(input, weight, bias, std::nullopt, std::nullopt, training,
                                    momentum, eps, out, save_mean, save_invstd);
  }
};
TILEWISE_OPERATOR(LegitNoStatsOut, "_native_batch_norm_legit.no_stats_out");

struct LegitNoTraining : PlainOp {
  static const char* refuse(const Tensor& input, OptionalTensor weight, OptionalTensor bias,
                            const Tensor& running_mean, const Tensor& running_var, const auto&...) {
    return refuse_forward(input, weight, bias, running_mean, running_var, false);
  }
  static Three call(const Tensor& input, OptionalTensor weight, OptionalTensor bias,
                    const Tensor& running_mean, const Tensor& running_var, double momentum,
                    double eps) {
    return NativeBatchNorm::call(input, weight, bias, running_mean, running_var, false, momentum,
                                 eps);
  }
};
TILEWISE_OPERATOR(LegitNoTraining, "_native_batch_norm_legit_no_training");

// The spelling of torch.export: training and inference are operators of their own.
struct WithUpdate : PlainOp {
  static const char* refuse(const Tensor& input, OptionalTensor weight, OptionalTensor bias,
                            const Tensor& running_mean, const Tensor& running_var, const auto&...) {
    return refuse_forward(input, weight, bias, running_mean, running_var, true);
  }
  static Four call(const Tensor& input, OptionalTensor weight, OptionalTensor bias,
                   Tensor& running_mean, Tensor& running_var, double momentum, double eps) {
    auto [out, mean, rstd] =
        NativeBatchNorm::call(input, weight, bias, running_mean, running_var, true, momentum, eps);
    return {std::move(out), std::move(mean), std::move(rstd), empty_reserve(input)};
  }
};
TILEWISE_OPERATOR(WithUpdate, "_batch_norm_with_update");

struct WithUpdateOut : WithUpdate {
  static FourOut call(const Tensor& input, OptionalTensor weight, OptionalTensor bias,
                      Tensor& running_mean, Tensor& running_var, double momentum, double eps,
                      Tensor& out, Tensor& save_mean, Tensor& save_invstd, Tensor& reserve) {
    NativeBatchNormOut::call(input, weight, bias, running_mean, running_var, true, momentum, eps,
                             out, save_mean, save_invstd);
    fit_out(reserve, {0}, {}, reserve.options());
    return {out, save_mean, save_invstd, reserve};
  }
};
TILEWISE_OPERATOR(WithUpdateOut, "_batch_norm_with_update.out");

struct WithUpdateFunctional : WithUpdate {
  static std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor> call(
      const Tensor& input, OptionalTensor weight, OptionalTensor bias, const Tensor& running_mean,
      const Tensor& running_var, double momentum, double eps) {
    Tensor new_mean = running_mean.clone();
    Tensor new_var = running_var.clone();
    auto [out, mean, rstd, reserve] =
        WithUpdate::call(input, weight, bias, new_mean, new_var, momentum, eps);
    return {std::move(out),     std::move(mean),     std::move(rstd),
            std::move(reserve), std::move(new_mean), std::move(new_var)};
  }
};
TILEWISE_OPERATOR(WithUpdateFunctional, "_batch_norm_with_update_functional");

struct NoUpdate : PlainOp {
  static const char* refuse(const Tensor& input, OptionalTensor weight, OptionalTensor bias,
                            OptionalTensor running_mean, OptionalTensor running_var,
                            const auto&...) {
    return refuse_forward(input, weight, bias, running_mean, running_var, false);
  }
  static Four call(const Tensor& input, OptionalTensor weight, OptionalTensor bias,
                   OptionalTensor running_mean, OptionalTensor running_var, double momentum,
                   double eps) {
    auto [out, mean, rstd] =
        NativeBatchNorm::call(input, weight, bias, running_mean, running_var, false, momentum, eps);
    return {std::move(out), std::move(mean), std::move(rstd), empty_reserve(input)};
  }
};
TILEWISE_OPERATOR(NoUpdate, "_batch_norm_no_update");

struct BatchNormBackward : PlainOp {
  static const char* refuse(const Tensor& grad_out, const Tensor& input, OptionalTensor weight,
                            OptionalTensor running_mean, OptionalTensor running_var,
                            OptionalTensor save_mean, OptionalTensor save_invstd, bool train,
                            double, std::array<bool, 3> mask) {
    if (grad_out.sizes() != input.sizes() || grad_out.scalar_type() != input.scalar_type())
      return "batch_norm: gradient unlike the input";
    const bool has_saved = is_given(save_mean) && save_mean->numel() == input.size(1) &&
                           is_given(save_invstd) && save_invstd->numel() == input.size(1);
    if (train && !has_saved) return "batch_norm: no saved statistics";
    if (!train && !is_given(running_mean)) return "batch_norm: no running statistics";
    if ((mask[1] || mask[2]) && !is_given(weight) && !input.is_cpu())
      return "batch_norm: gradient of an absent parameter";
    return refuse_parameters(input, weight, std::nullopt, running_mean, running_var);
  }
  static Three call(const Tensor& grad_out, const Tensor& input, OptionalTensor weight,
                    OptionalTensor running_mean, OptionalTensor running_var,
                    OptionalTensor save_mean, OptionalTensor save_invstd, bool train, double eps,
                    std::array<bool, 3> mask) {
    const bool on_cpu = input.is_cpu();
    // On a GPU the forward pass of inference saved what it used.
    const bool saved = train || (!on_cpu && is_given(save_mean) && save_mean->numel() > 0);
    const Tensor mean = dense(saved ? save_mean : running_mean);
    const Tensor rstd = dense(saved ? save_invstd : running_var);
    const Tensor scale = dense(weight);
    channel_norm::Gradients gradients;
    if (mask[0]) {
      // ATen's GPU kernel of inference leaves contiguous gradients, whatever the input's format.
      const bool keeps_strides = !on_cpu && train && input.is_non_overlapping_and_dense();
      const auto format = on_cpu ? input.suggest_memory_format() : at::MemoryFormat::Contiguous;
      gradients.input =
          keeps_strides ? allocate_output(input.sizes(), input.strides(), input.options())
                        : allocate_output(input.sizes(), {}, input.options().memory_format(format));
    }
    const Tensor absent;
    const bool wide = scale.defined()
                          ? scale.scalar_type() != input.scalar_type()
                          : is_mixed(input, {is_given(running_mean) ? &*running_mean : &absent});
    const auto options = input.options().dtype(wide ? at::kFloat : input.scalar_type());
    if (mask[1]) gradients.weight = allocate_output({input.size(1)}, {}, options);
    if (mask[2]) gradients.bias = allocate_output({input.size(1)}, {}, options);
    channel_norm::backward(grad_out, input, scale, mean, rstd,
                           saved ? Statistics::given : Statistics::variance, train, eps, gradients);
    return {std::move(gradients.input), std::move(gradients.weight), std::move(gradients.bias)};
  }
};
TILEWISE_OPERATOR(BatchNormBackward, "native_batch_norm_backward");

// The gradient of _batch_norm_with_update and _batch_norm_no_update. On a GPU PyTorch's own hands
// the reserve to cuDNN; without one (the forward pass was ours) it is native_batch_norm_backward.
struct NewBatchNormBackward : PlainOp {
  static const char* refuse(const Tensor& grad_out, const Tensor& input, const Tensor& weight,
                            OptionalTensor running_mean, OptionalTensor running_var,
                            OptionalTensor save_mean, OptionalTensor save_var, bool update,
                            double eps, std::array<bool, 3> mask, const Tensor&) {
    return BatchNormBackward::refuse(grad_out, input, weight, running_mean, running_var, save_mean,
                                     save_var, update, eps, mask);
  }
  static Three call(const Tensor& grad_out, const Tensor& input, const Tensor& weight,
                    OptionalTensor running_mean, OptionalTensor running_var,
                    OptionalTensor save_mean, OptionalTensor save_var, bool update, double eps,
                    std::array<bool, 3> mask, const Tensor&) {
    return BatchNormBackward::call(grad_out, input, weight, running_mean, running_var, save_mean,
                                   save_var, update, eps, mask);
  }
  static bool previous_cannot(const Tensor&, const Tensor& input, const Tensor&, OptionalTensor,
                              OptionalTensor, OptionalTensor, OptionalTensor, bool, double,
                              std::array<bool, 3>, const Tensor& reserve) {
    return input.is_cuda() && reserve.defined() && reserve.numel() == 0;
  }
  static Three without_scope(const Tensor& grad_out, const Tensor& input, const Tensor& weight,
                             OptionalTensor running_mean, OptionalTensor running_var,
                             OptionalTensor save_mean, OptionalTensor save_var, bool update,
                             double eps, std::array<bool, 3> mask, const Tensor&) {
    return at::native_batch_norm_backward(grad_out, input, weight, running_mean, running_var,
                                          save_mean, save_var, update, eps, mask);
  }
};
TILEWISE_OPERATOR(NewBatchNormBackward, "batch_norm_backward");

}  // namespace
}  // namespace tilewise::ops
