// SPDX-License-Identifier: Apache-2.0
// tilewise::pointwise_parts: a fused function of the two parts of a tensor's last dimension
// (halves, or even and odd elements) and of other tensors, without a copy in either direction.
// Gated activations take two parts to one result; rotary embeddings take two parts to two results,
// which become the parts of one new tensor. So do the gradients of both.
#include <ATen/ExpandUtils.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/slice.h>
#include <ATen/ops/stack.h>
#include <torch/library.h>

#include <numeric>

#include "dispatch/refusal.h"
#include "ops/fusion/backward_node.h"
#include "ops/fusion/fused_call.h"

namespace tilewise::ops {
namespace {

constexpr int64_t kWhole = -1;

// Part 0 or 1 of the last dimension.
at::Tensor part_of(const at::Tensor& tensor, int64_t part, bool interleaved) {
  if (part == kWhole) return tensor;
  TORCH_CHECK_VALUE(tensor.dim() > 0, "tilewise: a tensor of no dimensions has no parts");
  const c10::SymInt size = tensor.sym_size(-1);
  TORCH_CHECK_VALUE(size % 2 == 0, "tilewise: a last dimension of ", size, " has no two halves");
  if (interleaved) return at::slice_symint(tensor, -1, part, std::nullopt, 2);
  const c10::SymInt half = size / 2;
  return at::slice_symint(tensor, -1, part == 0 ? c10::SymInt(0) : half, part == 0 ? half : size);
}

std::vector<at::Tensor> all_parts(at::TensorList tensors, at::IntArrayRef parts, bool interleaved) {
  TORCH_CHECK_VALUE(tensors.size() == parts.size(), "tilewise: ", tensors.size(),
                    " operands and parts for ", parts.size());
  std::vector<at::Tensor> result;
  for (size_t i = 0; i < tensors.size(); ++i)
    result.push_back(part_of(tensors[i], parts[i], interleaved));
  return result;
}

// The tensor that is taken apart: joined results have its dtype, and its strides if they have its
// shape.
const at::Tensor& taken_apart(at::TensorList tensors, at::IntArrayRef parts) {
  for (size_t i = 0; i < tensors.size(); ++i)
    if (parts[i] != kWhole) return tensors[i];
  TORCH_CHECK_VALUE(false, "tilewise: no operand is taken apart");
}

at::Tensor make_joined(at::TensorList operands, const at::Tensor& model) {
  c10::SymDimVector shape(operands[0].sym_sizes().begin(), operands[0].sym_sizes().end());
  for (const at::Tensor& operand : operands.slice(1))
    shape = at::infer_size_symdimvector(shape, operand.sym_sizes());
  shape.back() = shape.back() * 2;
  if (c10::SymIntArrayRef(shape) == model.sym_sizes()) return at::empty_like(model);
  return model.new_empty_symint(shape);
}

at::Tensor join(at::TensorList parts, const at::Tensor& model, bool interleaved) {
  at::Tensor joined = interleaved ? at::stack(parts, -1).flatten(-2) : at::cat(parts, -1);
  return joined.to(model.scalar_type());
}

// The same by operators that have derivatives.
at::Tensor compose(const std::string& function, at::TensorList tensors, at::IntArrayRef parts,
                   bool interleaved) {
  const auto results = call_pointwise(function, all_parts(tensors, parts, interleaved), {});
  return results.size() == 1 ? results[0] : join(results, taken_apart(tensors, parts), interleaved);
}

at::Tensor run(dispatch::Backend backend, std::string_view function, at::TensorList tensors,
               at::IntArrayRef parts, bool interleaved) {
  const std::string name(function);
  FusedFunction& fused = fused_function(name);
  dispatch::OverloadEntry& entry = fused.entry(backend);
  try {
    const auto operands = all_parts(tensors, parts, interleaved);
    FusedCall call(fused, operands);
    c10::SmallVector<at::Tensor, 4> outputs;
    outputs.resize(fused.outputs());
    at::Tensor joined;
    if (outputs.size() == 2) {
      joined = make_joined(operands, taken_apart(tensors, parts));
      for (int64_t part = 0; part < 2; ++part)
        outputs[static_cast<size_t>(part)] = part_of(joined, part, interleaved);
    }
    run_fused(call, backend, outputs);
    entry.served.fetch_add(1, std::memory_order_relaxed);
    return joined.defined() ? joined : outputs[0];
  } catch (const dispatch::Refusal& refusal) {
    refuse_or_raise(fused.definition().title, entry, refusal.reason);
  }
  return compose(name, tensors, parts, interleaved);
}

at::Tensor on_cpu(std::string_view function, at::TensorList tensors, at::IntArrayRef parts,
                  bool interleaved) {
  return run(dispatch::Backend::cpu, function, tensors, parts, interleaved);
}

at::Tensor on_gpu(std::string_view function, at::TensorList tensors, at::IntArrayRef parts,
                  bool interleaved) {
  return run(dispatch::Backend::gpu, function, tensors, parts, interleaved);
}

at::Tensor on_meta(std::string_view function, at::TensorList tensors, at::IntArrayRef parts,
                   bool interleaved) {
  const auto operands = all_parts(tensors, parts, interleaved);
  if (fused_function(function).outputs() == 2)
    return make_joined(operands, taken_apart(tensors, parts));
  return call_pointwise(std::string(function), operands, {})[0];
}

at::Tensor call_parts(const std::string& function, at::TensorList tensors, at::IntArrayRef parts,
                      bool interleaved) {
  static const auto handle =
      c10::Dispatcher::singleton()
          .findSchemaOrThrow("tilewise::pointwise_parts", "")
          .typed<at::Tensor(std::string_view, at::TensorList, at::IntArrayRef, bool)>();
  return handle.call(function, tensors, parts, interleaved);
}

struct PartsBackward final : BackwardNode {
  std::vector<int64_t> parts;
  bool interleaved = false;
  bool joined = false;  // the result's parts, not the result, are the function's results
  size_t edge = 0;      // of the tensor taken apart

  variable_list apply(variable_list&& gradients) override {
    variable_list result(inputs.size());
    if (!gradients[0].defined()) return result;
    std::vector<at::Tensor> tensors;
    std::vector<int64_t> which;
    size_t next = 0;
    for (const DerivativeArgument& argument : fused_function(derivative).definition().arguments) {
      const auto index = static_cast<int64_t>(argument.index);
      const bool is_input = argument.kind == 'i';
      tensors.push_back(argument.kind == 'g' ? gradients[0] : unpack(next++));
      which.push_back(is_input ? parts[argument.index] : joined ? index : kWhole);
    }
    result[edge] = reduce_to(call_parts(derivative, tensors, which, interleaved), inputs[edge]);
    return result;
  }
};

at::Tensor differentiable(c10::DispatchKeySet ks, std::string_view function, at::TensorList tensors,
                          at::IntArrayRef parts, bool interleaved) {
  static const auto handle =
      c10::Dispatcher::singleton()
          .findSchemaOrThrow("tilewise::pointwise_parts", "")
          .typed<at::Tensor(std::string_view, at::TensorList, at::IntArrayRef, bool)>();
  const auto below = [&] {
    const at::AutoDispatchBelowADInplaceOrView guard;
    return handle.redispatch(ks & c10::after_autograd_keyset, function, tensors, parts,
                             interleaved);
  };
  bool any = false, is_simple = tensors.size() == parts.size();
  std::string needs;
  size_t edge = 0;
  int64_t taken = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    check_no_forward_gradient(fused_function(function), tensors[i]);
    const bool need = tensors[i].requires_grad();
    any |= need;
    needs += need ? '1' : '0';
    if (!need || !is_simple) continue;
    if (taken == 0) edge = i;
    is_simple = parts[i] == taken && tensors[edge].is_same(tensors[i]);
    ++taken;
  }
  if (!at::GradMode::is_enabled() || !any) return below();
  // Gradients of other operands, or of one part alone, are left to the operators' own derivatives.
  const std::string name(function);
  if (!is_simple || taken != 2) return compose(name, tensors, parts, interleaved);

  auto node = TILEWISE_MAKE_NODE(PartsBackward);
  node->title = fused_function(name).definition().title;
  node->derivative = name + "|backward|" + needs;
  node->parts = parts.vec();
  node->interleaved = interleaved;
  node->joined = fused_function(name).outputs() == 2;
  node->edge = edge;
  node->numbers.resize(tensors.size());
  node->connect(tensors);
  const at::Tensor result = below();
  // Both results of the function are parts of this one.
  const variable_list results(fused_function(name).outputs(), result);
  add_outputs(node, {result});
  std::vector<size_t> same(tensors.size());
  std::iota(same.begin(), same.end(), size_t{0});
  node->save(tensors, same, results);
  return result;
}

TORCH_LIBRARY_FRAGMENT(tilewise, library) {
  library.def(
      "pointwise_parts(str function, Tensor[] tensors, int[] parts, bool interleaved) -> Tensor",
      {at::Tag::pt2_compliant_tag});
}
TORCH_LIBRARY_IMPL(tilewise, CPU, library) { library.impl("pointwise_parts", &on_cpu); }
TORCH_LIBRARY_IMPL(tilewise, CUDA, library) { library.impl("pointwise_parts", &on_gpu); }
TORCH_LIBRARY_IMPL(tilewise, Meta, library) { library.impl("pointwise_parts", &on_meta); }
TORCH_LIBRARY_IMPL(tilewise, Autograd, library) {
  library.impl("pointwise_parts", &differentiable);
}

}  // namespace
}  // namespace tilewise::ops
