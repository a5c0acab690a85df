// SPDX-License-Identifier: Apache-2.0
// What the autograd nodes of fused operators share: the derivative's name, what it keeps of the
// forward call, and the shapes of what it must give. Nodes of the graph, not
// torch::autograd::Function, which functorch's transforms refuse.
#pragma once

#include <ATen/ExpandUtils.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>

#include "dispatch/torch_version.h"
#include "ops/fusion/fused_function.h"

namespace tilewise::ops {

using torch::autograd::variable_list;

// What a gradient must look like: that of an input, or one that autograd left out.
struct Geometry {
  c10::SymDimVector sizes;
  at::TensorOptions options;

  explicit Geometry(const at::Tensor& tensor)
      : sizes(tensor.sym_sizes().begin(), tensor.sym_sizes().end()), options(tensor.options()) {}
};

// Sums over what was broadcast, and converts.
inline at::Tensor reduce_to(const at::Tensor& gradient, const Geometry& input) {
  at::Tensor reduced = at::sum_to(gradient, c10::SymIntArrayRef(input.sizes));
  const auto dtype = c10::typeMetaToScalarType(input.options.dtype());
  return reduced.scalar_type() == dtype ? reduced : reduced.to(dtype);
}

// A gradient that autograd left out, one element of memory.
at::Tensor zero_gradient(const Geometry& output);

void check_no_forward_gradient(const FusedFunction& function, const at::Tensor& tensor);

struct BackwardNode : torch::autograd::Node {
  std::string title;
  std::string derivative;                             // "swish_1f09ab3c|backward|10"
  std::vector<torch::autograd::SavedVariable> saved;  // in the order of its arguments
  std::vector<std::optional<at::Scalar>> numbers;     // by parameter of the function
  std::vector<Geometry> inputs, outputs;              // tensors only

  std::string name() const override { return "Tilewise<" + title + ">Backward"; }
  void release_variables() override { saved.clear(); }

  // Makes the inputs' own nodes this one's successors.
  void connect(at::TensorList tensors);

  // Keeps what the derivative needs. `tensor_of`: the tensor of each parameter that is no number.
  // A function without a derivative says so when backward is called, as PyTorch's operators do.
  void save(at::TensorList tensors, const std::vector<size_t>& tensor_of,
            const variable_list& results);

  at::Tensor unpack(size_t position);
};

// Makes `node` the history of the outputs that can have one.
template <class NodePointer>
void add_outputs(const NodePointer& node, const variable_list& results) {
  for (const at::Tensor& output : results) {
    node->outputs.emplace_back(output);
    if (at::isFloatingType(output.scalar_type()) || at::isComplexType(output.scalar_type()))
      torch::autograd::set_history(output, node);
    else
      node->add_input_metadata(torch::autograd::Node::undefined_input());
  }
}

}  // namespace tilewise::ops
