// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "ops/framework/launch.h"
#include "ops/framework/output.h"
#include "ops/framework/plain_op.h"
#include "ops/framework/pointwise.h"
#include "ops/random/philox_state.h"

namespace tilewise::ops {
namespace {

// The numbers differ from stock PyTorch's for a seed, as those of its own devices do.
struct NativeDropout : PlainOp {
  static const char* refuse(const Tensor& input, double p, std::optional<bool> train) {
    if (train.has_value() && !*train) return "dropout outside of training";
    if (!input.is_floating_point()) return "dropout of a dtype that is not floating";
    if (!(p >= 0 && p <= 1)) return "dropout: probability outside of [0, 1]";
    if (!input.is_non_overlapping_and_dense()) return "dropout of a tensor with gaps";
    return input.numel() == 0 ? "dropout of no elements" : nullptr;
  }

  static std::tuple<Tensor, Tensor> call(const Tensor& input, double p, std::optional<bool>) {
    static const Kernel kernel("random/dropout", "native_dropout");
    // Element numbers count positions in memory: input, output and mask have the same strides.
    Tensor out = allocate_output(input.sizes(), input.strides(), input.options());
    Tensor mask = allocate_output(input.sizes(), input.strides(), input.options().dtype(at::kBool));
    const int64_t count = input.numel();
    const PhiloxState random = take_random_numbers(std::nullopt, input.device(), count);
    const double keep = 1.0 - p;
    const double scale = keep == 0 ? 0 : 1.0 / keep;
    const bool is_double = input.scalar_type() == at::kDouble;
    LaunchOptions options;
    options.grain = 8;
    runtime::ArgumentPack pack;
    detail::add(pack, input);
    detail::add(pack, written(out));
    detail::add(pack, written(mask));
    pack.stride(count);
    pack.floating(keep);
    if (is_double)
      pack.floating64(scale);
    else
      pack.floating(scale);
    random.add_to(pack);
    pack.constant_dtype(is_double ? DType::fp64 : DType::fp32);
    const int64_t chunks = chunks_per_program(input.device());
    pack.constant(chunks);
    launch_packed(kernel, pack, options, grid_1d(ceil_div(count, chunks * 1024)), input.device());
    return {std::move(out), std::move(mask)};
  }
};
TILEWISE_OPERATOR(NativeDropout, "native_dropout");

// Pointwise, so that an expanded gradient (of a sum) needs no copy.
struct NativeDropoutBackward : PlainOp {
  static const char* refuse(const Tensor& grad_output, const Tensor& mask, double) {
    if (!grad_output.is_floating_point() || mask.scalar_type() != at::kBool)
      return "dropout: dtypes of gradient and mask";
    return nullptr;
  }

  static Tensor call(const Tensor& grad_output, const Tensor& mask, double scale) {
    static PointwiseFunction product("arithmetic:scaled_product", kFloating);
    auto iter = at::TensorIteratorConfig()
                    .check_all_same_dtype(false)
                    .declare_static_dtype(grad_output.scalar_type())
                    .add_owned_output(Tensor())
                    .add_const_input(grad_output)
                    .add_const_input(mask)
                    .build();
    PointwiseArguments arguments;
    arguments.add(scale);
    product.run(iter, grad_output.scalar_type(), arguments);
    return iter.output();
  }
};
TILEWISE_OPERATOR(NativeDropoutBackward, "native_dropout_backward");

}  // namespace
}  // namespace tilewise::ops
