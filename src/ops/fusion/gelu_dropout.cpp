// SPDX-License-Identifier: Apache-2.0
// tilewise::gelu_dropout: dropout(gelu(input + other)) in one kernel, and its gradient in another
// that draws the same mask again. What forward hands to backward is the seed and offset of the
// random numbers, a tensor of four integers on the CPU, so that a compiled graph carries them like
// any other. In a captured graph they are addresses, and a replay draws one new mask for both.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/add.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/gelu_backward.h>
#include <ATen/ops/mul.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "dispatch/refusal.h"
#include "ops/framework/eligibility.h"
#include "ops/framework/output.h"
#include "ops/fusion/fused_call.h"
#include "ops/random/philox_state.h"

namespace tilewise::ops {
namespace {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;

constexpr int64_t kGroup = 256;  // kernels/common/philox.py: GROUPS

dispatch::OverloadEntry& counters(bool is_backward, dispatch::Backend backend) {
  static auto* const entries = [] {
    auto* all = new dispatch::OverloadEntry[2][dispatch::kBackends];
    for (int i = 0; i < 2; ++i)
      for (int b = 0; b < dispatch::kBackends; ++b) {
        all[i][b].name = i == 0 ? "tilewise::gelu_dropout" : "tilewise::gelu_dropout_backward";
        all[i][b].backend = static_cast<dispatch::Backend>(b);
        dispatch::add_entry(all[i][b]);
      }
    return all;
  }();
  return entries[is_backward ? 1 : 0][static_cast<size_t>(backend)];
}

void check_arguments(const Tensor& input, const OptionalTensor& other, double p,
                     std::string_view approximate) {
  TORCH_CHECK(p >= 0 && p <= 1, "dropout probability has to be between 0 and 1, but got ", p);
  TORCH_CHECK(approximate == "none" || approximate == "tanh",
              "approximate argument must be either none or tanh.");
  TORCH_CHECK_TYPE(input.is_floating_point(), "gelu_dropout: input has to be floating, not ",
                   input.scalar_type());
  if (!other.has_value()) return;
  TORCH_CHECK_TYPE(other->scalar_type() == input.scalar_type(),
                   "gelu_dropout: input and other have to be of one dtype, not ",
                   input.scalar_type(), " and ", other->scalar_type());
  const auto shape = input.sizes(), repeated = other->sizes();
  TORCH_CHECK_VALUE(
      repeated.size() <= shape.size() && shape.slice(shape.size() - repeated.size()) == repeated,
      "gelu_dropout: other of shape ", repeated,
      " has to have the last dimensions of input's shape ", shape);
}

// The kernels see memory as a line, so what is not contiguous is copied first.
OptionalTensor contiguous(const OptionalTensor& tensor) {
  return tensor.has_value() ? OptionalTensor(tensor->contiguous()) : std::nullopt;
}

void check_operands(const Tensor& input, const OptionalTensor& other, dispatch::Backend backend) {
  TensorInspector inspector(backend, /*cpu_dims_allowed=*/-1, /*complex_is_allowed=*/false);
  inspector(input);
  if (other.has_value()) inspector(*other);
  if (inspector.reason != nullptr) throw dispatch::Refusal{inspector.reason};
}

// The state of the random numbers as a tensor, and back.
constexpr int64_t kStateSize = 4;

// Who drew the mask; backward has to draw it in the same way.
enum class Drawn : int64_t { by_kernel, in_captured_graph, by_pytorch };

Tensor to_state(const PhiloxState& random, Drawn drawn) {
  Tensor state = at::empty({kStateSize}, at::TensorOptions(at::kLong));
  auto* const numbers = state.mutable_data_ptr<int64_t>();
  numbers[0] = static_cast<int64_t>(random.seed);
  numbers[1] = static_cast<int64_t>(random.offset);
  numbers[2] = static_cast<int64_t>(random.offset_in_graph);
  numbers[3] = static_cast<int64_t>(drawn);
  return state;
}

std::pair<PhiloxState, Drawn> from_state(const Tensor& state) {
  TORCH_CHECK_VALUE(state.is_cpu() && state.scalar_type() == at::kLong &&
                        state.numel() == kStateSize && state.is_contiguous(),
                    "gelu_dropout: state is not what forward gave");
  const auto* const numbers = state.const_data_ptr<int64_t>();
  const auto drawn = static_cast<Drawn>(numbers[3]);
  return {{static_cast<uint64_t>(numbers[0]), static_cast<uint64_t>(numbers[1]),
           static_cast<uint64_t>(numbers[2]), drawn == Drawn::in_captured_graph},
          drawn};
}

// The parameters that both kernels share, after their tensors.
template <class... Tensors>
void launch_kernel(const Kernel& kernel, const Tensor& input, const OptionalTensor& other, double p,
                   std::string_view approximate, const PhiloxState& random,
                   const Tensors&... tensors) {
  const int64_t count = input.numel();
  const int64_t period = other.has_value() && other->numel() != count ? other->numel() : 0;
  const bool is_double = input.scalar_type() == at::kDouble;
  const double scale = p == 1 ? 0 : 1 / (1 - p);
  LaunchOptions options;
  options.grain = 8;
  runtime::ArgumentPack pack;
  (detail::add(pack, tensors), ...);
  pack.stride(count);
  if (period != 0)
    pack.integer(period);
  else
    pack.none();
  pack.floating(1 - p);
  if (is_double)
    pack.floating64(scale);
  else
    pack.floating(scale);
  random.add_to(pack);
  pack.constant_bool(approximate == "tanh");
  pack.constant_bool(period >= kGroup);
  pack.constant_dtype(is_double ? DType::fp64 : DType::fp32);
  const int64_t chunks = chunks_per_program(input.device());
  pack.constant(chunks);
  launch_packed(kernel, pack, options, grid_1d(ceil_div(count, chunks * 1024)), input.device());
}

// PyTorch's operators in place of the kernel. The mask comes from the same seed in both directions.
Tensor composed_mask(const Tensor& like, double p, const PhiloxState& random) {
  const Tensor mask = at::empty(like.sizes(), like.options().device(at::kCPU));
  mask.bernoulli_(1 - p,
                  at::detail::createCPUGenerator(random.seed + random.offset * 0x9E3779B97F4A7C15));
  return (p == 1 ? mask : mask.div_(1 - p)).to(like.device());
}

std::tuple<Tensor, Tensor> forward(dispatch::Backend backend, const Tensor& input,
                                   const OptionalTensor& other, double p,
                                   std::string_view approximate) {
  check_arguments(input, other, p, approximate);
  static const Kernel kernel("fused/gelu_dropout", "gelu_dropout");
  dispatch::OverloadEntry& entry = counters(false, backend);
  const DeviceGuard guard(input);
  Tensor out = allocate_output(input.sizes(), {}, input.options());
  if (input.numel() == 0) return {std::move(out), to_state({}, Drawn::by_kernel)};
  try {
    check_operands(input, other, backend);
    const PhiloxState random = take_random_numbers(std::nullopt, input.device(), input.numel());
    launch_kernel(kernel, input, other, p, approximate, random, input.contiguous(),
                  contiguous(other), written(out));
    entry.served.fetch_add(1, std::memory_order_relaxed);
    const Drawn drawn = random.is_captured ? Drawn::in_captured_graph : Drawn::by_kernel;
    return {std::move(out), to_state(random, drawn)};
  } catch (const dispatch::Refusal& refusal) {
    refuse_or_raise("gelu_dropout", entry, refusal.reason);
  }
  const PhiloxState random = take_random_numbers(std::nullopt, at::kCPU, input.numel());
  const Tensor sum = other.has_value() ? at::add(input, *other) : input;
  out.copy_(at::mul(at::gelu(sum, approximate), composed_mask(sum, p, random)));
  return {std::move(out), to_state(random, Drawn::by_pytorch)};
}

Tensor backward(dispatch::Backend backend, const Tensor& grad_output, const Tensor& input,
                const OptionalTensor& other, const Tensor& state, double p,
                std::string_view approximate) {
  check_arguments(input, other, p, approximate);
  static const Kernel kernel("fused/gelu_dropout", "gelu_dropout_backward");
  dispatch::OverloadEntry& entry = counters(true, backend);
  const DeviceGuard guard(input);
  Tensor out = allocate_output(input.sizes(), {}, input.options());
  if (input.numel() == 0) return out;
  const auto [random, drawn] = from_state(state);
  if (drawn != Drawn::by_pytorch) {
    try {
      check_operands(input, other, backend);
      launch_kernel(kernel, input, other, p, approximate, random, grad_output.contiguous(),
                    input.contiguous(), contiguous(other), written(out));
      entry.served.fetch_add(1, std::memory_order_relaxed);
      return out;
    } catch (const dispatch::Refusal& refusal) {
      TORCH_CHECK_NOT_IMPLEMENTED(
          false, "gelu_dropout: only a kernel can draw forward's mask again, and it does not run: ",
          refusal.reason);
    }
  }
  refuse_or_raise("gelu_dropout_backward", entry, "forward was not served");
  const Tensor sum = other.has_value() ? at::add(input, *other) : input;
  const Tensor grad = at::mul(grad_output, composed_mask(sum, p, random));
  return out.copy_(at::gelu_backward(grad, sum, approximate));
}

using Forward = std::tuple<Tensor, Tensor>(const Tensor&, const OptionalTensor&, double,
                                           std::string_view);
using Backward = Tensor(const Tensor&, const Tensor&, const OptionalTensor&, const Tensor&, double,
                        std::string_view);

struct GeluDropout : torch::autograd::Function<GeluDropout> {
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context,
                                                const Tensor& input, const OptionalTensor& other,
                                                double p, const std::string& approximate) {
    static const auto handle = c10::Dispatcher::singleton()
                                   .findSchemaOrThrow("tilewise::gelu_dropout", "")
                                   .typed<Forward>();
    const at::AutoDispatchBelowADInplaceOrView guard;
    auto [out, state] = handle.call(input, other, p, approximate);
    context->save_for_backward({input, other.value_or(Tensor()), state});
    context->saved_data["p"] = p;
    context->saved_data["approximate"] = approximate;
    context->mark_non_differentiable({state});
    return {out, state};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    static const auto handle = c10::Dispatcher::singleton()
                                   .findSchemaOrThrow("tilewise::gelu_dropout_backward", "")
                                   .typed<Backward>();
    if (!gradients[0].defined()) return {Tensor(), Tensor(), Tensor(), Tensor()};
    const auto saved = context->get_saved_variables();
    const OptionalTensor other = saved[1].defined() ? OptionalTensor(saved[1]) : std::nullopt;
    Tensor gradient =
        handle.call(gradients[0], saved[0], other, saved[2], context->saved_data["p"].toDouble(),
                    context->saved_data["approximate"].toStringRef());
    Tensor by_other;
    if (other.has_value()) by_other = at::sum_to(gradient, other->sym_sizes());
    return {gradient, by_other, Tensor(), Tensor()};
  }
};

std::tuple<Tensor, Tensor> differentiable(const Tensor& input, const OptionalTensor& other,
                                          double p, std::string_view approximate) {
  const auto results = GeluDropout::apply(input, other, p, std::string(approximate));
  return {results[0], results[1]};
}

Tensor differentiable_backward(c10::DispatchKeySet ks, const Tensor& grad_output,
                               const Tensor& input, const OptionalTensor& other,
                               const Tensor& state, double p, std::string_view approximate) {
  static const auto handle = c10::Dispatcher::singleton()
                                 .findSchemaOrThrow("tilewise::gelu_dropout_backward", "")
                                 .typed<Backward>();
  TORCH_CHECK_NOT_IMPLEMENTED(
      !at::GradMode::is_enabled() || !(grad_output.requires_grad() || input.requires_grad()),
      "gelu_dropout has no second derivative");
  const at::AutoDispatchBelowADInplaceOrView guard;
  return handle.redispatch(ks & c10::after_autograd_keyset, grad_output, input, other, state, p,
                           approximate);
}

template <dispatch::Backend backend>
void register_kernels(torch::Library& library) {
  library.impl("gelu_dropout", [](const Tensor& input, const OptionalTensor& other, double p,
                                  std::string_view approximate) {
    return forward(backend, input, other, p, approximate);
  });
  library.impl("gelu_dropout_backward",
               [](const Tensor& grad, const Tensor& input, const OptionalTensor& other,
                  const Tensor& state, double p, std::string_view approximate) {
                 return backward(backend, grad, input, other, state, p, approximate);
               });
}

TORCH_LIBRARY_FRAGMENT(tilewise, library) {
  library.def(
      "gelu_dropout(Tensor input, Tensor? other, float p, str approximate) -> (Tensor, Tensor)",
      {at::Tag::pt2_compliant_tag, at::Tag::nondeterministic_seeded});
  library.def(
      "gelu_dropout_backward(Tensor grad_output, Tensor input, Tensor? other, Tensor state, "
      "float p, str approximate) -> Tensor",
      {at::Tag::pt2_compliant_tag});
}
TORCH_LIBRARY_IMPL(tilewise, CPU, library) { register_kernels<dispatch::Backend::cpu>(library); }
TORCH_LIBRARY_IMPL(tilewise, CUDA, library) { register_kernels<dispatch::Backend::gpu>(library); }
TORCH_LIBRARY_IMPL(tilewise, Autograd, library) {
  library.impl("gelu_dropout", &differentiable);
  library.impl("gelu_dropout_backward", &differentiable_backward);
}

}  // namespace
}  // namespace tilewise::ops
