// SPDX-License-Identifier: Apache-2.0
// Copies with the elements in another order: flip, roll and repeat.
#include <ATen/WrapDimUtils.h>
#include <ATen/WrapDimUtilsMulti.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/view_as_real.h>

#include "ops/copy/concatenate.h"
#include "ops/framework/output.h"
#include "ops/framework/plain_op.h"
#include "ops/framework/pointwise.h"
#include "ops/pointwise/copy_elements.h"

namespace tilewise::ops {
namespace {

// A copy that reads some dimensions from their end, in steps of -stride. TensorIterator would merge
// them with others; the same tensor with stride 0 there, as a second input that is not read, keeps
// them apart, as in PyTorch's own flip.
void copy_flipped(const Tensor& out, const Tensor& self, std::bitset<at::dim_bitset_size> flipped) {
  static PointwiseFunction first("arithmetic:first", kAll | kUnsigned, BoolCompute::bit);
  at::DimVector strides(self.strides());
  for (int64_t d = 0; d < self.dim(); ++d)
    if (flipped[static_cast<size_t>(d)]) strides[static_cast<size_t>(d)] = 0;
  auto iter = at::TensorIteratorConfig()
                  .add_output(out)
                  .add_const_input(self)
                  .add_owned_const_input(self.as_strided(self.sizes(), strides))
                  .resize_outputs(false)
                  .set_check_mem_overlap(false)
                  .build();
  at::DimVector steps(iter.strides(1));
  const at::IntArrayRef marks = iter.strides(2);
  auto* data = static_cast<char*>(iter.data_ptr(1));
  for (size_t d = 0; d < steps.size(); ++d) {
    if (marks[d] != 0 || steps[d] == 0) continue;
    data += steps[d] * (iter.shape()[d] - 1);
    steps[d] = -steps[d];
  }
  iter._unsafe_set_arg_strides(1, steps);
  iter._unsafe_set_arg_data(1, data);
  first.run(iter, self.scalar_type(), {});
}

struct Flip : PlainOp {
  static constexpr bool kComplexAllowed = true;
  static Tensor call(const Tensor& self, at::IntArrayRef dims) {
    const auto flipped = at::dim_list_to_bitset(dims, self.dim());
    Tensor out = at::empty_like(self, at::MemoryFormat::Preserve);
    if (self.numel() == 0) return out;
    if (self.is_complex())
      copy_flipped(at::view_as_real(out), at::view_as_real(self), flipped);
    else
      copy_flipped(out, self, flipped);
    return out;
  }
};
TILEWISE_OPERATOR(Flip, "flip");

Tensor roll_dimension(const Tensor& self, int64_t shift, int64_t dim) {
  const int64_t size = self.size(dim);
  const int64_t start = ((-shift % size) + size) % size;
  const Tensor parts[] = {self.narrow(dim, start, size - start), self.narrow(dim, 0, start)};
  // PyTorch's kernel for CPUs concatenates, that for GPUs makes a contiguous tensor.
  if (self.is_cpu()) return concatenate_tensors(parts, dim);
  Tensor out = allocate_output(self.sizes(), {}, self.options());
  concatenate_into(out, parts, dim);
  return out;
}

struct Roll : PlainOp {
  static const char* refuse(const Tensor& self, c10::SymIntArrayRef shifts, at::IntArrayRef dims) {
    if (!c10::asIntArrayRefSlowOpt(shifts).has_value()) return "sizes are symbols";
    const bool flattens = dims.empty() && shifts.size() == 1;
    if (shifts.empty() || (!flattens && shifts.size() != dims.size()))
      return "roll: as many shifts as dimensions";
    return self.numel() == 0 || self.dim() == 0 ? "roll of no elements or dimensions" : nullptr;
  }
  static Tensor call(const Tensor& self, c10::SymIntArrayRef shifts, at::IntArrayRef dims) {
    const at::IntArrayRef by = *c10::asIntArrayRefSlowOpt(shifts);
    if (dims.empty())
      return roll_dimension(self.contiguous().view(-1), by[0], 0).view(self.sizes());
    Tensor rolled = self;
    for (size_t i = 0; i < dims.size(); ++i)
      rolled = roll_dimension(rolled, by[i], at::maybe_wrap_dim(dims[i], self.dim()));
    return rolled;
  }
};
TILEWISE_OPERATOR(Roll, "roll");

// Each dimension of the result is [repeats, size], of which the source has only the second.
struct Repeat : PlainOp {
  static constexpr bool kComplexAllowed = true;
  static const char* refuse(const Tensor& self, c10::SymIntArrayRef repeats) {
    const auto counts = c10::asIntArrayRefSlowOpt(repeats);
    if (!counts.has_value()) return "sizes are symbols";
    if (static_cast<int64_t>(counts->size()) < self.dim()) return "repeat: too few dimensions";
    for (const int64_t count : *counts)
      if (count < 0) return "repeat: negative number";
    return nullptr;
  }
  static Tensor call(const Tensor& self, c10::SymIntArrayRef repeats) {
    const at::IntArrayRef counts = *c10::asIntArrayRefSlowOpt(repeats);
    const size_t added = counts.size() - static_cast<size_t>(self.dim());
    at::DimVector target;
    at::DimVector sizes;
    at::DimVector from;
    for (size_t d = 0; d < counts.size(); ++d) {
      const bool is_own = d >= added;
      const auto own = static_cast<int64_t>(d - added);
      target.push_back(counts[d] * (is_own ? self.size(own) : 1));
      sizes.append({counts[d], is_own ? self.size(own) : 1});
      from.append({int64_t{0}, is_own ? self.stride(own) : int64_t{0}});
    }
    Tensor out = allocate_output(target, {}, self.options());
    if (out.numel() != 0) copy_elements(out.view(sizes), self.as_strided(sizes, from));
    return out;
  }
};
TILEWISE_OPERATOR(Repeat, "repeat");

}  // namespace
}  // namespace tilewise::ops
