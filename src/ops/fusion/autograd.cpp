// SPDX-License-Identifier: Apache-2.0
// tilewise::pointwise at the Autograd key. The derivative of a fused function is a fused function
// itself, one kernel for all gradients that are wanted, so it is differentiated like any other and
// double backward needs nothing of its own. Its name is the function's and which inputs need a
// gradient: "swish_1f09ab3c|backward|10"; Python derives it when it is first asked for. Written as
// a node of the graph, not as torch::autograd::Function, which functorch's transforms refuse.
#include <ATen/ExpandUtils.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <torch/library.h>

#include "dispatch/torch_version.h"
#include "ops/fusion/fused_call.h"

namespace tilewise::ops {
namespace {

using torch::autograd::Node;
using torch::autograd::SavedVariable;
using torch::autograd::variable_list;
using torch::jit::Stack;

// What a gradient must look like: that of an input, or one that autograd left out.
struct Geometry {
  c10::SymDimVector sizes;
  at::TensorOptions options;

  explicit Geometry(const at::Tensor& tensor)
      : sizes(tensor.sym_sizes().begin(), tensor.sym_sizes().end()), options(tensor.options()) {}
};

at::Tensor reduce_to(const at::Tensor& gradient, const Geometry& input) {
  at::Tensor reduced = at::sum_to(gradient, c10::SymIntArrayRef(input.sizes));
  const auto dtype = c10::typeMetaToScalarType(input.options.dtype());
  return reduced.scalar_type() == dtype ? reduced : reduced.to(dtype);
}

struct PointwiseBackward final : Node {
  std::string title, derivative;
  std::vector<bool> needs;                         // by parameter
  std::vector<SavedVariable> saved;                // in the order of the derivative's arguments
  std::vector<std::optional<at::Scalar>> numbers;  // by parameter
  std::vector<Geometry> inputs, outputs;           // tensors only
  std::vector<size_t> tensor_of;                   // edge of a parameter

  std::string name() const override { return "Tilewise<" + title + ">Backward"; }

  void release_variables() override { saved.clear(); }

  variable_list apply(variable_list&& gradients) override {
    variable_list result(inputs.size());
    bool any = false;
    for (const at::Tensor& gradient : gradients) any |= gradient.defined();
    if (!any) return result;
    const FusedFunction& function = fused_function(derivative);
    const auto& arguments = function.definition().arguments;
    std::vector<at::Tensor> tensors;
    std::vector<std::optional<at::Scalar>> values;
    size_t next = 0;
    for (const DerivativeArgument& argument : arguments) {
      const bool is_number = argument.kind == 'i' && numbers[argument.index].has_value();
      values.push_back(is_number ? numbers[argument.index] : std::nullopt);
      if (is_number) continue;
      if (argument.kind == 'g') {
        const at::Tensor& gradient = gradients[argument.index];
        tensors.push_back(gradient.defined() ? gradient : zeros(outputs[argument.index]));
      } else {
        TORCH_CHECK(next < saved.size(), torch::autograd::ERR_BACKWARD_TWICE);
        tensors.push_back(saved[next++].unpack(getptr()));
      }
    }
    const auto computed = call_pointwise(derivative, tensors, values);
    size_t position = 0;
    for (size_t i = 0; i < needs.size(); ++i)
      if (needs[i]) {
        const size_t edge = tensor_of[i];
        result[edge] = reduce_to(computed[position++], inputs[edge]);
      }
    return result;
  }

 private:
  // A gradient that autograd left out, one element of memory.
  static at::Tensor zeros(const Geometry& output) {
    return at::zeros({}, output.options).expand_symint(output.sizes);
  }
};

bool requires_grad(const c10::IValue& tensors) {
  for (const c10::IValue& value : tensors.toListRef())
    if (value.toTensor().requires_grad()) return true;
  return false;
}

void check_no_forward_gradient(const FusedFunction& function, const c10::IValue& tensors) {
  for (const c10::IValue& value : tensors.toListRef())
    TORCH_CHECK_NOT_IMPLEMENTED(!torch::autograd::isFwGradDefined(value.toTensor()),
                                "tilewise::", function.definition().title,
                                " has no forward-mode derivative; use reverse mode (backward)");
}

// Runs the operator below autograd.
void redispatch(const c10::OperatorHandle& op, c10::DispatchKeySet ks, Stack* stack) {
  const at::AutoDispatchBelowADInplaceOrView guard;
  op.redispatchBoxed(ks & c10::after_autograd_keyset, stack);
}

void pointwise(const c10::OperatorHandle& op, c10::DispatchKeySet ks, Stack* stack) {
  const size_t base = stack->size() - 3;
  const FusedFunction& function = fused_function((*stack)[base].toStringView());
  check_no_forward_gradient(function, (*stack)[base + 1]);
  if (!at::GradMode::is_enabled() || !requires_grad((*stack)[base + 1])) {
    redispatch(op, ks, stack);
    return;
  }
  const FusedCall call((*stack)[base], (*stack)[base + 1], (*stack)[base + 2]);
  auto node = TILEWISE_MAKE_NODE(PointwiseBackward);
  node->title = function.definition().title;
  std::string needs;
  size_t tensor = 0, number = 0;
  for (size_t i = 0; i < function.definition().parameters; ++i) {
    const bool is_number = ((call.number_mask >> i) & 1) != 0;
    node->numbers.push_back(is_number ? std::optional(call.numbers[number]) : std::nullopt);
    node->tensor_of.push_back(tensor);
    node->needs.push_back(!is_number && call.tensors[tensor].requires_grad());
    needs += node->needs.back() ? '1' : '0';
    ++(is_number ? number : tensor);
  }
  node->derivative = function.definition().name + "|backward|" + needs;
  torch::autograd::edge_list edges;
  for (const at::Tensor& input : call.tensors) {
    edges.push_back(torch::autograd::impl::gradient_edge(input));
    node->inputs.emplace_back(input);
  }
  node->set_next_edges(std::move(edges));

  redispatch(op, ks, stack);
  auto outputs = stack->back().toTensorVector();
  for (const at::Tensor& output : outputs) {
    node->outputs.emplace_back(output);
    if (at::isFloatingType(output.scalar_type()) || at::isComplexType(output.scalar_type()))
      torch::autograd::set_history(output, node);
    else
      node->add_input_metadata(Node::undefined_input());
  }
  // A function without a derivative says so when backward is called, as PyTorch's operators do.
  try {
    for (const DerivativeArgument& argument :
         fused_function(node->derivative).definition().arguments) {
      if (argument.kind == 'o')
        node->saved.emplace_back(outputs[argument.index], /*is_output=*/true);
      else if (argument.kind == 'i' && !node->numbers[argument.index].has_value())
        node->saved.emplace_back(call.tensors[node->tensor_of[argument.index]], false);
    }
  } catch (const c10::NotImplementedError&) {
    node->saved.clear();
  }
  stack->back() = std::move(outputs);
}

void pointwise_out(const c10::OperatorHandle& op, c10::DispatchKeySet ks, Stack* stack) {
  const size_t base = stack->size() - 4;
  const FusedFunction& function = fused_function((*stack)[base].toStringView());
  check_no_forward_gradient(function, (*stack)[base + 1]);
  const auto outputs = (*stack)[base + 3].toTensorVector();
  TORCH_CHECK(!at::GradMode::is_enabled() ||
                  (!requires_grad((*stack)[base + 1]) && !requires_grad((*stack)[base + 3])),
              function.definition().title,
              "(): functions with out=... arguments don't support automatic differentiation, but "
              "one of the arguments requires grad.");
  redispatch(op, ks, stack);
  for (const at::Tensor& output : outputs) torch::autograd::impl::bump_version(output);
}

TORCH_LIBRARY_IMPL(tilewise, Autograd, library) {
  library.impl("pointwise", torch::CppFunction::makeFromBoxedFunction<&pointwise>());
  library.impl("pointwise.out", torch::CppFunction::makeFromBoxedFunction<&pointwise_out>());
}

}  // namespace
}  // namespace tilewise::ops
