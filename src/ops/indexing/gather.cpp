// SPDX-License-Identifier: Apache-2.0
// Reads at places that other tensors name: index, gather and index_select.
#include <ATen/TensorIterator.h>
#include <ATen/WrapDimUtils.h>
#include <ATen/ops/gather_meta.h>
#include <ATen/ops/index_meta.h>

#include <algorithm>
#include <limits>

#include "ops/framework/launch.h"
#include "ops/framework/output.h"
#include "ops/framework/plain_op.h"
#include "ops/framework/structured_op.h"

namespace tilewise::ops {

// Index tensors are looked at by the operator: the dispatcher's list hides them from the checks
// that all operators share.
template <>
struct DispatcherArgument<at::IOptTensorListRef> {
  using Type = const c10::List<std::optional<at::Tensor>>&;
  static at::IOptTensorListRef to_meta(Type value) { return value; }
};

namespace {

constexpr int kMaxDims = 4;
constexpr size_t kMaxIndices = 3;

bool is_integer_index(const Tensor& index) {
  return index.scalar_type() == at::kLong || index.scalar_type() == at::kInt;
}

// The iterator's operands: the result, the source with strides of 0 where an index decides, and the
// indices; `extents`, `steps`: size and stride in the source of the dimension of each index.
// wraps: negative indices count from the end.
void run(at::TensorIteratorBase& iter, at::IntArrayRef extents, at::IntArrayRef steps, bool wraps) {
  static const Kernel kernel("indexing/gather", "gather");
  if (iter.numel() == 0) return;
  const size_t indices = extents.size();
  if (indices == 0 || indices > kMaxIndices) throw dispatch::Refusal{"number of indices"};
  if (iter.ndim() > kMaxDims) throw dispatch::Refusal{"indexing of more than four dimensions"};
  const c10::Device device = iter.device(0);
  const auto element_size = [&](int operand) { return iter.element_size(operand); };
  for (size_t i = 0; i < indices; ++i) {
    const at::TensorBase& index = iter.tensor(2 + static_cast<int>(i));
    if (index.device() != device) throw dispatch::Refusal{"tensors on several devices"};
    if (index.scalar_type() != at::kLong && index.scalar_type() != at::kInt)
      throw dispatch::Refusal{"dtype of indices"};
  }
  const auto size = [&](int d) {
    return d < iter.ndim() ? iter.shape()[static_cast<size_t>(d)] : 1;
  };
  const auto stride_of = [&](int operand, int d) {
    return d < iter.ndim() ? iter.strides(operand)[static_cast<size_t>(d)] / element_size(operand)
                           : 0;
  };
  const int64_t columns = size(0);
  const int64_t rows = size(1);
  if (columns > INT32_MAX / 2 || rows > INT32_MAX / 2 || size(2) > INT32_MAX)
    throw dispatch::Refusal{"indexing of a huge dimension"};
  bool along = false;
  for (size_t i = 0; i < indices; ++i) along |= stride_of(2 + static_cast<int>(i), 0) != 0;

  runtime::ArgumentPack pack;
  pack.pointer(iter.data_ptr(0), element_type(iter.dtype(0)).value());
  pack.pointer(iter.data_ptr(1), element_type(iter.dtype(1)).value());
  for (size_t i = 0; i < kMaxIndices; ++i)
    if (i < indices) {
      const int operand = 2 + static_cast<int>(i);
      pack.pointer(iter.data_ptr(operand), element_type(iter.dtype(operand)).value());
    } else {
      pack.none();
    }
  int32_t foreign = 0;
  if (device.is_cpu())
    pack.pointer(&foreign, DType::i32);
  else
    pack.none();
  for (const int64_t n : {size(2), rows, columns}) pack.integer(n);
  for (int operand = 0; operand < 2 + static_cast<int>(kMaxIndices); ++operand)
    for (int d = kMaxDims - 1; d >= 0; --d)
      pack.stride(operand < 2 + static_cast<int>(indices) ? stride_of(operand, d) : 0);
  for (size_t i = 0; i < kMaxIndices; ++i)
    pack.typed_integer(i < indices ? extents[i] : 0, DType::i64);
  for (size_t i = 0; i < kMaxIndices; ++i) pack.stride(i < indices ? steps[i] : 0);
  const int64_t block = std::clamp<int64_t>(next_power_of_2(columns), 16, 1024);
  const int64_t tile_rows = std::min(1024 / block, next_power_of_2(rows));
  pack.constant_bool(along);
  pack.constant_bool(wraps);
  pack.constant(tile_rows);
  pack.constant(block);
  LaunchOptions options;
  options.num_stages = 1;
  options.grain = std::max<int64_t>(1, 32768 / (block * tile_rows));
  launch_packed(kernel, pack, options,
                grid_1d(size(3) * size(2) * ceil_div(rows, tile_rows) * ceil_div(columns, block)),
                device);
  // The kernel that raises writes the same result again.
  if (foreign != 0) throw dispatch::Refusal{"index out of range"};
}

// ATen's meta function makes the iterator, with masks as the indices of what they select.
struct Index : StructuredOp<at::meta::structured_index_Tensor> {
  static const char* refuse(const Tensor& self, const c10::List<std::optional<at::Tensor>>& indices,
                            const Tensor& = {}) {
    size_t count = 0;
    for (const std::optional<Tensor>& index : indices) {
      if (!index.has_value() || !index->defined()) continue;
      if (index->device() != self.device()) return "tensors on several devices";
      if (index->layout() != at::kStrided) return "layout is not strided";
      ++count;
    }
    return count == 0 ? "indexing without indices" : nullptr;
  }
  void meta(const Tensor& self, at::IOptTensorListRef indices) {
    const auto places = MetaClass::meta(self, indices);
    extents_ = places.sizes;
    steps_ = places.strides;
    for (int64_t& step : steps_) step /= self.element_size();
  }
  void impl(const Tensor&, at::IOptTensorListRef, const Tensor&) {
    run(*this, extents_, steps_, true);
  }

 private:
  at::DimVector extents_;
  at::DimVector steps_;
};
TILEWISE_STRUCTURED(Index, "index.Tensor");

void run_along(const Tensor& out, const Tensor& self, const Tensor& index, int64_t dim) {
  at::DimVector strides(self.strides());
  strides[static_cast<size_t>(dim)] = 0;
  auto iter = at::TensorIteratorConfig()
                  .set_check_mem_overlap(false)
                  .check_all_same_dtype(false)
                  .resize_outputs(false)
                  .add_output(out)
                  .add_owned_const_input(self.as_strided(out.sizes(), strides))
                  .add_const_input(index)
                  .build();
  run(iter, self.size(dim), self.stride(dim), false);
}

struct Gather : StructuredOp<at::meta::structured_gather> {
  static const char* refuse(const Tensor& self, int64_t, const Tensor& index, bool,
                            const Tensor& out = {}) {
    if (!is_integer_index(index)) return "gather: dtype of the index";
    if (out.defined() && (out.is_alias_of(self) || out.is_alias_of(index)))
      return "gather: out= is an input";
    return self.dim() == 0 || index.dim() == 0 ? "gather of no dimensions" : nullptr;
  }
  void impl(const Tensor& self, int64_t dim, const Tensor& index, bool, const Tensor& out) {
    run_along(out, self, index, at::maybe_wrap_dim(dim, self.dim()));
  }
};
TILEWISE_STRUCTURED(Gather, "gather");

struct IndexSelect : PlainOp {
  static const char* refuse(const Tensor& self, int64_t dim, const Tensor& index) {
    if (!is_integer_index(index) || index.dim() > 1) return "index_select: index";
    if (self.dim() == 0 || dim < -self.dim() || dim >= self.dim()) return "index_select: dimension";
    return nullptr;
  }
  static Tensor call(const Tensor& self, int64_t dim, const Tensor& index) {
    const int64_t axis = at::maybe_wrap_dim(dim, self.dim());
    at::DimVector sizes(self.sizes());
    sizes[static_cast<size_t>(axis)] = index.numel();
    at::DimVector strides(sizes.size(), 0);
    strides[static_cast<size_t>(axis)] = index.dim() == 0 ? 1 : index.stride(0);
    Tensor out = allocate_output(sizes, {}, self.options());
    if (out.numel() != 0) run_along(out, self, index.as_strided(sizes, strides), axis);
    return out;
  }
};
TILEWISE_OPERATOR(IndexSelect, "index_select");

}  // namespace
}  // namespace tilewise::ops
