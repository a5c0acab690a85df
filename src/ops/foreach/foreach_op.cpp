// SPDX-License-Identifier: Apache-2.0
#include "ops/foreach/foreach_op.h"

#include <string>

#include "ops/foreach/tensor_lists.h"
#include "ops/foreach/tensor_table.h"
#include "ops/framework/scalar_range.h"

namespace tilewise::ops {
namespace {

// One row of vectors on the CPU, where a tile's values stay in registers; small tensors are common.
constexpr int64_t kCpuBlock = 64;
constexpr int64_t kGpuBlock = 1024;

// ATen has errors of its own for bools and for numbers out of range; a fraction promotes integers.
const char* refuse_number(const Scalar& number, at::ScalarType dtype) {
  if (number.isBoolean() || !is_representable(number, dtype))
    return "number does not fit the dtype";
  if (!at::isFloatingType(dtype) && number.isFloatingPoint())
    return "foreach of integers with a number that is none";
  return nullptr;
}

}  // namespace

Kernel make_foreach_kernel(const char* function, const char* literals,
                           std::span<const ForeachArgument> arguments) {
  const std::string full = function;
  const size_t colon = full.find(':');
  const codegen::ScalarFunction scalar{"pointwise/" + full.substr(0, colon), full.substr(colon + 1),
                                       literals};
  return {codegen::foreach_name(scalar, arguments), "kernel",
          codegen::foreach_source(scalar, arguments)};
}

const char* ForeachCall::refuse(uint8_t dtypes, bool in_place) const {
  if (const char* reason = refuse_lists(lists_, dtypes)) return reason;
  const TensorList& self = lists_.front();
  if (has_numbers_ && numbers_.size() != self.size()) return "foreach lists of different lengths";
  at::ScalarType checked = at::ScalarType::Undefined;
  for (size_t i = 0; i < self.size(); ++i) {
    const at::ScalarType dtype = self[i].scalar_type();
    if (has_numbers_)
      if (const char* reason = refuse_number(numbers_[i], dtype)) return reason;
    if (dtype == checked) continue;
    checked = dtype;
    for (const Value& value : values_) {
      if (value.number != nullptr) {
        if (const char* reason = refuse_number(*value.number, dtype)) return reason;
      } else if (value.tensor->dim() != 0 || value.tensor->scalar_type() != dtype) {
        return "foreach operand is no number of the same dtype";
      }
    }
  }
  // On a GPU ATen's own fast path runs in any order as well; on a CPU it goes tensor by tensor.
  return in_place && self[0].is_cpu() ? refuse_overlap(self, lists_) : nullptr;
}

const char* ForeachCall::refuse_out(TensorList out) const {
  const TensorList& self = lists_.front();
  if (out.size() != self.size()) return "foreach lists of different lengths";
  for (size_t i = 0; i < self.size(); ++i)
    if (out[i].scalar_type() != self[i].scalar_type() || !have_same_layout(out[i], self[i]))
      return "foreach out= does not fit the result";
  return refuse_overlap(out, lists_);
}

std::vector<Tensor> ForeachCall::allocate() const {
  std::vector<Tensor> out;
  out.reserve(lists_.front().size());
  for (const Tensor& tensor : lists_.front())
    out.push_back(allocate_output(tensor.sizes(), tensor.strides(), tensor.options()));
  return out;
}

void ForeachCall::run(const Kernel& kernel, TensorList out) const {
  Columns columns{out};
  columns.append(lists_.begin(), lists_.end());
  if (is_of_one_dtype(out)) return launch(kernel, columns, numbers_);
  for_each_dtype(columns, [&](at::ArrayRef<TensorList> group, at::ArrayRef<size_t> members) {
    c10::SmallVector<Scalar, 16> numbers;
    if (has_numbers_)
      for (const size_t i : members) numbers.push_back(numbers_[i]);
    launch(kernel, {group.begin(), group.end()}, numbers);
  });
}

void ForeachCall::launch(const Kernel& kernel, const Columns& columns, ScalarList numbers) const {
  const TensorTable table(columns, numbers);
  if (table.chunks() == 0) return;
  const Tensor& first = columns.front()[0];
  const DType dtype = element_type(first);
  runtime::ArgumentPack pack;
  table.add_to(pack);
  for (const Value& value : values_) {
    if (value.tensor != nullptr)
      detail::add(pack, *value.tensor);
    else if (dtype == DType::fp64)
      pack.floating64(value.number->toDouble());
    else if (at::isFloatingType(first.scalar_type()))
      pack.floating(value.number->toDouble());
    else
      pack.typed_integer(value.number->to<int64_t>(), DType::i64);
  }
  pack.constant_dtype(dtype);
  pack.constant_dtype(accumulate_type(dtype));
  pack.constant_bool(table.is_aligned());
  pack.constant(first.is_cpu() ? kCpuBlock : kGpuBlock);
  LaunchOptions options;
  options.num_stages = 1;
  options.grain = table.grain();
  launch_packed(kernel, pack, options, grid_1d(table.chunks()), first.device());
}

}  // namespace tilewise::ops
