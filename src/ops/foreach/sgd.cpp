// SPDX-License-Identifier: Apache-2.0
#include "ops/foreach/optimizer.h"

namespace tilewise::ops {
namespace {

using at::TensorList;

// Lr: double, or const Tensor& for the overload .tensor_lr. Without momentum there are no buffers,
// or they are not looked at.
template <class Lr>
struct FusedSgd : OptimizerOp {
  static const char* refuse(TensorList self, TensorList grads, TensorList momentum_buffer_list,
                            double, double momentum, Lr lr, double, bool, bool, bool,
                            const OptionalTensor& grad_scale, const OptionalTensor& found_inf) {
    if (const char* reason = refuse_learning_rate(lr)) return reason;
    return refuse_optimizer(lists(self, grads, momentum_buffer_list, momentum), {}, grad_scale,
                            found_inf);
  }

  static void call(TensorList self, TensorList grads, TensorList momentum_buffer_list,
                   double weight_decay, double momentum, Lr lr, double dampening, bool nesterov,
                   bool maximize, bool is_first_step, const OptionalTensor& grad_scale,
                   const OptionalTensor& found_inf) {
    static const Kernel sgd("foreach/sgd", "sgd");
    const bool has_momentum = momentum != 0;
    OptimizerLaunch launch(lists(self, grads, momentum_buffer_list, momentum), {});
    launch.learning_rate(lr);
    launch.numbers({weight_decay, momentum, 1 - dampening});
    launch.run(sgd, grad_scale, found_inf,
               {has_momentum, has_momentum && nesterov, has_momentum && is_first_step,
                weight_decay != 0, maximize});
  }

  static c10::SmallVector<TensorList, 3> lists(TensorList self, TensorList grads,
                                               TensorList momentum_buffer_list, double momentum) {
    c10::SmallVector<TensorList, 3> columns{self, grads};
    if (momentum != 0) columns.push_back(momentum_buffer_list);
    return columns;
  }
};

using Sgd = FusedSgd<double>;
using SgdTensorLr = FusedSgd<const Tensor&>;
TILEWISE_OPERATOR(Sgd, "_fused_sgd_");
TILEWISE_OPERATOR(SgdTensorLr, "_fused_sgd_.tensor_lr");

using NewSgd = FunctionalStep<Sgd, 3>;
using NewSgdTensorLr = FunctionalStep<SgdTensorLr, 3>;
TILEWISE_OPERATOR(NewSgd, "_fused_sgd");
TILEWISE_OPERATOR(NewSgdTensorLr, "_fused_sgd.tensor_lr");

}  // namespace
}  // namespace tilewise::ops
