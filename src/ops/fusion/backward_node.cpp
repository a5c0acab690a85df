// SPDX-License-Identifier: Apache-2.0
#include "ops/fusion/backward_node.h"

#include <ATen/ops/zeros.h>

namespace tilewise::ops {

at::Tensor zero_gradient(const Geometry& output) {
  return at::zeros({}, output.options).expand_symint(output.sizes);
}

void check_no_forward_gradient(const FusedFunction& function, const at::Tensor& tensor) {
  TORCH_CHECK_NOT_IMPLEMENTED(!torch::autograd::isFwGradDefined(tensor),
                              "tilewise::", function.definition().title,
                              " has no forward-mode derivative; use reverse mode (backward)");
}

void BackwardNode::connect(at::TensorList tensors) {
  torch::autograd::edge_list edges;
  for (const at::Tensor& tensor : tensors) {
    edges.push_back(torch::autograd::impl::gradient_edge(tensor));
    inputs.emplace_back(tensor);
  }
  set_next_edges(std::move(edges));
}

void BackwardNode::save(at::TensorList tensors, const std::vector<size_t>& tensor_of,
                        const variable_list& results) {
  try {
    for (const DerivativeArgument& argument : fused_function(derivative).definition().arguments) {
      if (argument.kind == 'o')
        saved.emplace_back(results[argument.index], /*is_output=*/true);
      else if (argument.kind == 'i' && !numbers[argument.index].has_value())
        saved.emplace_back(tensors[tensor_of[argument.index]], /*is_output=*/false);
    }
  } catch (const c10::NotImplementedError&) {
    saved.clear();
  }
}

at::Tensor BackwardNode::unpack(size_t position) {
  TORCH_CHECK(position < saved.size(), torch::autograd::ERR_BACKWARD_TWICE);
  return saved[position].unpack(getptr());
}

}  // namespace tilewise::ops
