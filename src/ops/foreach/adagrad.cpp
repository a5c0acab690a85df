// SPDX-License-Identifier: Apache-2.0
#include "ops/foreach/optimizer.h"

namespace tilewise::ops {
namespace {

using at::TensorList;

// Lr: double, or const Tensor& for the overload .tensor_lr.
template <class Lr>
struct FusedAdagrad : OptimizerOp {
  static const char* refuse(TensorList self, TensorList grads, TensorList state_sums,
                            TensorList state_steps, Lr lr, double, double, double, bool,
                            const OptionalTensor& grad_scale, const OptionalTensor& found_inf) {
    if (state_steps.size() != self.size()) return "foreach lists of different lengths";
    if (const char* reason = refuse_learning_rate(lr)) return reason;
    // The kernel that PyTorch 2.11 has for GPUs gives other steps than its CPU kernel there.
    if (grad_scale.has_value() && !self.empty() && !self[0].is_cpu())
      return "fused Adagrad of scaled gradients on a GPU";
    return refuse_optimizer({self, grads, state_sums}, state_steps, grad_scale, found_inf);
  }

  static void call(TensorList self, TensorList grads, TensorList state_sums, TensorList state_steps,
                   Lr lr, double lr_decay, double weight_decay, double eps, bool maximize,
                   const OptionalTensor& grad_scale, const OptionalTensor& found_inf) {
    static const Kernel adagrad("foreach/adagrad", "adagrad");
    OptimizerLaunch launch({self, grads, state_sums}, state_steps);
    launch.learning_rate(lr);
    launch.numbers({lr_decay, weight_decay, eps});
    launch.run(adagrad, grad_scale, found_inf, {weight_decay != 0, maximize});
  }
};

using Adagrad = FusedAdagrad<double>;
using AdagradTensorLr = FusedAdagrad<const Tensor&>;
TILEWISE_OPERATOR(Adagrad, "_fused_adagrad_");
TILEWISE_OPERATOR(AdagradTensorLr, "_fused_adagrad_.tensor_lr");

// Of the overload with a number PyTorch's schema says that it writes the steps as well.
using NewAdagrad = FunctionalStep<Adagrad, 4>;
using NewAdagradTensorLr = FunctionalStep<AdagradTensorLr, 3>;
TILEWISE_OPERATOR(NewAdagrad, "_fused_adagrad");
TILEWISE_OPERATOR(NewAdagradTensorLr, "_fused_adagrad.tensor_lr");

}  // namespace
}  // namespace tilewise::ops
