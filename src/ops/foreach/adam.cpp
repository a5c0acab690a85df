// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "ops/foreach/optimizer.h"

namespace tilewise::ops {
namespace {

using at::TensorList;

// Lr: double, or const Tensor& for the overloads .tensor_lr. ATen wants no list of largest moments
// without amsgrad.
template <bool kDecoupled, class Lr>
struct FusedAdam : OptimizerOp {
  static const char* refuse(TensorList self, TensorList grads, TensorList exp_avgs,
                            TensorList exp_avg_sqs, TensorList max_exp_avg_sqs,
                            TensorList state_steps, Lr lr, double, double, double, double,
                            bool amsgrad, bool, const OptionalTensor& grad_scale,
                            const OptionalTensor& found_inf) {
    if (!amsgrad && !max_exp_avg_sqs.empty()) return "largest moments without amsgrad";
    if (state_steps.size() != self.size()) return "foreach lists of different lengths";
    if (const char* reason = refuse_learning_rate(lr)) return reason;
    return refuse_optimizer(lists(self, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, amsgrad),
                            state_steps, grad_scale, found_inf);
  }

  static void call(TensorList self, TensorList grads, TensorList exp_avgs, TensorList exp_avg_sqs,
                   TensorList max_exp_avg_sqs, TensorList state_steps, Lr lr, double beta1,
                   double beta2, double weight_decay, double eps, bool amsgrad, bool maximize,
                   const OptionalTensor& grad_scale, const OptionalTensor& found_inf) {
    static const Kernel adam("foreach/adam", "adam");
    OptimizerLaunch launch(lists(self, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, amsgrad),
                           state_steps);
    launch.learning_rate(lr);
    launch.numbers(
        {weight_decay, eps, 1 - beta1, beta2, 1 - beta2, std::log(beta1), std::log(beta2)});
    launch.run(adam, grad_scale, found_inf, {kDecoupled, weight_decay != 0, amsgrad, maximize});
  }

  static c10::SmallVector<TensorList, 5> lists(TensorList self, TensorList grads,
                                               TensorList exp_avgs, TensorList exp_avg_sqs,
                                               TensorList max_exp_avg_sqs, bool amsgrad) {
    c10::SmallVector<TensorList, 5> columns{self, grads, exp_avgs, exp_avg_sqs};
    if (amsgrad) columns.push_back(max_exp_avg_sqs);
    return columns;
  }
};

using Adam = FusedAdam<false, double>;
using AdamTensorLr = FusedAdam<false, const Tensor&>;
using AdamW = FusedAdam<true, double>;
using AdamWTensorLr = FusedAdam<true, const Tensor&>;
TILEWISE_OPERATOR(Adam, "_fused_adam_");
TILEWISE_OPERATOR(AdamTensorLr, "_fused_adam_.tensor_lr");
TILEWISE_OPERATOR(AdamW, "_fused_adamw_");
TILEWISE_OPERATOR(AdamWTensorLr, "_fused_adamw_.tensor_lr");

using NewAdam = FunctionalStep<Adam, 5>;
using NewAdamTensorLr = FunctionalStep<AdamTensorLr, 5>;
using NewAdamW = FunctionalStep<AdamW, 5>;
using NewAdamWTensorLr = FunctionalStep<AdamWTensorLr, 5>;
TILEWISE_OPERATOR(NewAdam, "_fused_adam");
TILEWISE_OPERATOR(NewAdamTensorLr, "_fused_adam.tensor_lr");
TILEWISE_OPERATOR(NewAdamW, "_fused_adamw");
TILEWISE_OPERATOR(NewAdamWTensorLr, "_fused_adamw.tensor_lr");

}  // namespace
}  // namespace tilewise::ops
