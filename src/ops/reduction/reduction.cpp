// SPDX-License-Identifier: Apache-2.0
#include "ops/reduction/reduction.h"

#include <ATen/WrapDimUtilsMulti.h>

#include <algorithm>

#include "ops/framework/output.h"

namespace tilewise::ops {
namespace {

using codegen::ReductionVariant;
using codegen::Split;

constexpr size_t kOperands = codegen::kMaxReductionOperands;
// A pass is shifted if its innermost loop has at least as many steps: the first tiles are read
// twice.
constexpr int64_t kShiftedSteps = 2;
// Views of a dimension: the inputs, then the outputs.
constexpr size_t kOutputView = kOperands;
static_assert(2 * kOperands <= kMaxViews);

bool share_strides(const DimensionList& dimensions, size_t outputs) {
  return std::all_of(dimensions.begin(), dimensions.end(), [outputs](const Dimension& dimension) {
    const auto& strides = dimension.strides;
    return std::all_of(strides.begin() + kOutputView, strides.begin() + kOutputView + outputs,
                       [&](int64_t stride) { return stride == strides[kOutputView]; });
  });
}

}  // namespace

DimensionSet reduced_dimensions(at::OptionalIntArrayRef dim, int64_t rank) {
  if (!dim.has_value() || dim->empty()) return DimensionSet().set();
  return at::dim_list_to_bitset(*dim, static_cast<size_t>(rank));
}

DimensionSet reduced_dimensions(int64_t dim, int64_t rank) {
  return at::dim_list_to_bitset(at::IntArrayRef(dim), static_cast<size_t>(rank));
}

struct Reduction::Call {
  std::initializer_list<at::Scalar> scalars;
  DType compute;
  c10::Device device;
};

Reduction::Reduction(const ReductionDeclaration& declaration)
    : functions_{declaration.module, declaration.combine, declaration.prepare,
                 declaration.update, declaration.finish,  declaration.shifted},
      declaration_(declaration) {
  for (const Accumulator& accumulator : declaration_.accumulators)
    accumulators_ += accumulator.type != Accumulator::none;
}

void Reduction::launch_pass(const Call& call, ReductionVariant& variant, const DimensionList& kept,
                            const DimensionList& reduced, const ReductionTile& tile,
                            const void* const* inputs, const DType* input_types,
                            void* const* outputs, const DType* output_types) {
  variant.kept_rank = static_cast<uint8_t>(kept.size());
  variant.reduced_rank = static_cast<uint8_t>(reduced.size());
  variant.unroll = static_cast<uint8_t>(tile.unroll);
  variant.lanes_are_last = tile.lanes_are_last;
  variant.is_packed = tile.is_packed;
  variant.split = tile.split;
  variant.shares_output_strides = variant.is_last && share_strides(kept, variant.outputs);

  runtime::ArgumentPack pack;
  for (size_t i = 0; i < variant.inputs; ++i) pack.pointer(inputs[i], input_types[i]);
  for (size_t i = 0; i < variant.outputs; ++i) pack.pointer(outputs[i], output_types[i]);
  for (const at::Scalar& scalar : call.scalars) {
    if (!scalar.isFloatingPoint())
      pack.typed_integer(scalar.toLong(), DType::i64);
    else if (variant.compute == DType::fp64)
      pack.floating64(scalar.toDouble());
    else
      pack.floating(scalar.toDouble());
  }
  pack.integer(numel(kept));
  const size_t kept_sizes = kept.size() - 1;
  add_sizes(pack, kept, 0, tile.lanes_are_last ? kept_sizes : std::max<size_t>(1, kept_sizes));
  const size_t input_views = variant.is_first ? variant.inputs : 1;
  const size_t output_views = !variant.is_last                ? 0
                              : variant.shares_output_strides ? 1
                                                              : variant.outputs;
  for (size_t v = 0; v < input_views; ++v) add_strides(pack, kept, v);
  for (size_t v = 0; v < output_views; ++v) add_strides(pack, kept, kOutputView + v);
  add_size(pack, reduced.back().size);
  if (reduced.size() > 1) {
    pack.integer(numel(reduced) / reduced.back().size);
    add_sizes(pack, reduced, 1, reduced.size() - 1);
  }
  for (size_t v = 0; v < input_views; ++v) add_strides(pack, reduced, v);
  if (tile.split != Split::none) pack.stride(tile.split_length);
  pack.constant(tile.kept);
  pack.constant(tile.lanes);
  if (tile.is_packed) pack.constant(tile.inner);
  const Kernel& kernel = kernels_.find(variant, [&] {
    return Kernel(codegen::reduction_name(functions_, variant), "kernel",
                  codegen::reduction_source(functions_, variant));
  });
  launch_packed(kernel, pack, tile.options, tile.grid, call.device);
}

void Reduction::run(std::initializer_list<const at::Tensor*> inputs, DimensionSet dims,
                    std::initializer_list<const at::Tensor*> outputs, at::ScalarType compute,
                    std::initializer_list<at::Scalar> scalars) {
  const at::Tensor& self = **inputs.begin();
  const at::Tensor& out = **outputs.begin();
  const int64_t rank = self.dim();
  const bool keeps_dims = out.dim() == rank;
  Dimensions kept_dims;
  Dimensions reduced_dims;
  int64_t position = 0;  // in the outputs
  for (int64_t i = 0; i < rank; ++i) {
    const bool is_reduced = dims[static_cast<size_t>(i)];
    ViewStrides strides{};
    size_t view = 0;
    for (const at::Tensor* input : inputs) strides[view++] = input->stride(i);
    if (is_reduced) {
      reduced_dims.add(self.size(i), strides);
      position += keeps_dims ? 1 : 0;
    } else {
      view = kOutputView;
      for (const at::Tensor* output : outputs) strides[view++] = output->stride(position);
      kept_dims.add(self.size(i), strides);
      ++position;
    }
  }
  const DimensionList& kept = kept_dims.merge();
  // An index counts the elements in the order of the dimensions.
  const DimensionList& reduced =
      declaration_.is_indexed ? reduced_dims.merge_in_order() : reduced_dims.merge();

  ReductionVariant variant;
  variant.inputs = static_cast<uint8_t>(inputs.size());
  variant.accumulators = accumulators_;
  variant.prepare_scalars = declaration_.prepare_scalars;
  variant.finish_scalars = declaration_.finish_scalars;
  variant.is_indexed = declaration_.is_indexed;
  variant.has_wide_index = numel(reduced) > INT32_MAX;
  variant.compute = accumulate_type(element_type(compute).value());
  int64_t accumulator_bytes = 0;
  for (size_t i = 0; i < accumulators_; ++i) {
    const Accumulator& accumulator = declaration_.accumulators[i];
    const DType type = accumulator_type(accumulator.type, variant.compute, variant.has_wide_index);
    variant.accumulator[i] = type;
    variant.identity[i] = identity_literal(accumulator.identity, type);
    accumulator_bytes += runtime::size_bytes(type);
  }
  const Call call{scalars, variant.compute, self.device()};

  std::array<const void*, kOperands> input_data{};
  std::array<void*, kOperands> output_data{};
  std::array<DType, kOperands> input_types{}, output_types{};
  size_t count = 0;
  for (const at::Tensor* input : inputs) {
    input_data[count] = input->const_data_ptr();
    input_types[count++] = element_type(*input);
  }
  count = 0;
  for (const at::Tensor* output : outputs) {
    output_data[count] = output->mutable_data_ptr();
    output_types[count++] = element_type(*output);
  }

  const bool on_cpu = self.is_cpu();
  const bool may_shift = declaration_.shifted.shift != nullptr;
  const ReductionTile tile = choose_reduction_tile(
      {kept, reduced, self.element_size(), accumulators_,
       may_shift ? 2 * runtime::size_bytes(variant.compute) : accumulator_bytes,
       declaration_.is_exact, on_cpu, /*may_split=*/true});
  const int64_t range = tile.split == Split::inner ? tile.split_length : reduced.back().size;
  variant.is_shifted =
      may_shift && !tile.is_packed && range >= kShiftedSteps * tile.lanes * tile.unroll;
  // With masks ptxas moves two of four loads behind the use of the first.
  variant.kept_is_full =
      variant.is_shifted && !tile.lanes_are_last && kept.back().size % tile.kept == 0;
  if (tile.splits == 1) {
    variant.outputs = static_cast<uint8_t>(outputs.size());
    launch_pass(call, variant, kept, reduced, tile, input_data.data(), input_types.data(),
                output_data.data(), output_types.data());
    return;
  }

  // First pass: accumulators of every split, [split, kept], one array after the other.
  const int64_t results = numel(kept);
  const int64_t section = ceil_div(tile.splits * results * 8, 16) * 16;  // bytes
  const at::Tensor partial =
      allocate_output({section * accumulators_}, {}, self.options().dtype(at::kByte));
  auto* const partial_bytes = static_cast<char*>(partial.mutable_data_ptr());
  std::array<void*, kOperands> partial_data{};
  for (size_t i = 0; i < accumulators_; ++i)
    partial_data[i] = partial_bytes + static_cast<int64_t>(i) * section;
  variant.outputs = accumulators_;
  variant.is_last = false;
  launch_pass(call, variant, kept, reduced, tile, input_data.data(), input_types.data(),
              partial_data.data(), variant.accumulator.data());

  // Second pass: from these to the results. The order of the kept dimensions is that of the first.
  DimensionList partial_kept = kept;
  int64_t stride = 1;
  for (size_t d = partial_kept.size(); d-- > 0;) {
    partial_kept[d].strides[0] = stride;
    stride *= partial_kept[d].size;
  }
  DimensionList partial_reduced;
  partial_reduced.push_back({tile.splits, {results}});
  variant.inputs = accumulators_;
  variant.outputs = static_cast<uint8_t>(outputs.size());
  variant.is_first = false;
  variant.is_last = true;
  variant.is_shifted = false;
  variant.kept_is_full = false;
  const ReductionTile last = choose_reduction_tile(
      {partial_kept, partial_reduced, runtime::size_bytes(variant.accumulator[0]), accumulators_,
       accumulator_bytes, declaration_.is_exact, on_cpu, /*may_split=*/false});
  launch_pass(call, variant, partial_kept, partial_reduced, last, partial_data.data(),
              variant.accumulator.data(), output_data.data(), output_types.data());
}

}  // namespace tilewise::ops
