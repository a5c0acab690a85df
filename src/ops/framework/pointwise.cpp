// SPDX-License-Identifier: Apache-2.0
#include "ops/framework/pointwise.h"

#include <algorithm>
#include <cstring>

#include "dispatch/refusal.h"
#include "ops/framework/pointwise_tiles.h"
#include "ops/framework/scalar_range.h"

namespace tilewise::ops {
namespace {

using codegen::InnerStride;
using codegen::PointwiseVariant;

DType checked_element_type(at::ScalarType dtype) {
  const auto type = element_type(dtype);
  if (!type.has_value()) throw dispatch::Refusal{"dtype without a Triton type"};
  return *type;
}

// The integer type of a bool computation only has to hold 0, 1 and small sums of them.
DType compute_type(at::ScalarType dtype, BoolCompute bool_compute, bool as_stored) {
  if (dtype == at::kBool) return bool_compute == BoolCompute::bit ? DType::i1 : DType::i32;
  const DType stored = checked_element_type(dtype);
  return as_stored ? stored : accumulate_type(stored);
}

at::ScalarType part_dtype(at::ScalarType dtype) {
  return is_pair(dtype) ? c10::toRealValueType(dtype) : dtype;
}

// In single numbers: a complex one is two.
int64_t element_stride(const at::TensorIteratorBase& iter, int operand, int dim) {
  const auto size = static_cast<int64_t>(c10::elementSize(part_dtype(iter.dtype(operand))));
  return iter.strides(operand)[static_cast<size_t>(dim)] / size;
}

PointwiseVariant describe(at::TensorIteratorBase& iter, DType compute, int scalars) {
  if (iter.ntensors() > codegen::kMaxOperands) throw dispatch::Refusal{"more than 16 operands"};
  PointwiseVariant variant;
  variant.outputs = static_cast<uint8_t>(iter.noutputs());
  variant.inputs = static_cast<uint8_t>(iter.ninputs());
  variant.scalars = static_cast<uint8_t>(scalars);
  variant.rank = static_cast<uint8_t>(std::max(1, iter.ndim()));
  variant.compute = compute;
  const bool on_gpu = !iter.device(0).is_cpu();
  const bool single = iter.ndim() == 0 || (iter.ndim() == 1 && iter.shape()[0] == 1);
  for (int i = 0; i < iter.ntensors(); ++i) {
    auto& operand = variant.operands[static_cast<size_t>(i)];
    operand.dtype = checked_element_type(part_dtype(iter.dtype(i)));
    operand.is_complex = is_pair(iter.dtype(i));
    if (on_gpu && i >= iter.noutputs() && iter.is_cpu_scalar(i))
      operand.inner = InnerStride::value;
    else if (single)
      operand.inner = InnerStride::unit;
    else {
      const int64_t stride = element_stride(iter, i, 0);
      operand.inner = stride == 1   ? InnerStride::unit
                      : stride == 0 ? InnerStride::zero
                                    : InnerStride::any;
    }
  }
  return variant;
}

// Both parts, for functions of pairs.
void add_pair(runtime::ArgumentPack& pack, const at::Scalar& value, DType compute) {
  const auto number = value.toComplexDouble();
  for (const double part : {number.real(), number.imag()})
    if (compute == DType::fp64)
      pack.floating64(part);
    else
      pack.floating(part);
}

// A number as the kernel computes with it.
void add_number(runtime::ArgumentPack& pack, const at::Scalar& value, DType compute) {
  if (value.isComplex())
    throw dispatch::Refusal{"complex number"};  // ATen's own error, if it is one
  switch (compute) {
    case DType::fp64:
      pack.floating64(value.toDouble());
      break;
    case DType::fp32:
    case DType::fp16:
    case DType::bf16:
      pack.floating(value.toDouble());
      break;
    default:
      // Range checks are the meta functions' business; here a number only has to keep its bits.
      pack.integer(value.isFloatingPoint() ? static_cast<int64_t>(value.toDouble())
                   : value.isBoolean()     ? static_cast<int64_t>(value.toBool())
                                           : value.to<int64_t>());
  }
}

// As a value of the type in which tensors of `dtype` are stored.
at::Scalar rounded_to(at::ScalarType dtype, const at::Scalar& value) {
  if (dtype == at::kHalf) return static_cast<double>(value.to<at::Half>());
  if (dtype == at::kBFloat16) return static_cast<double>(value.to<at::BFloat16>());
  return value;
}

at::Scalar read_cpu_scalar(at::TensorIteratorBase& iter, int operand) {
  const at::ScalarType dtype = iter.dtype(operand);
  if (at::isFloatingType(dtype)) return iter.scalar_value<double>(operand);
  if (at::isComplexType(dtype)) return iter.scalar_value<c10::complex<double>>(operand);
  return iter.scalar_value<int64_t>(operand);
}

void add_operands(runtime::ArgumentPack& pack, at::TensorIteratorBase& iter,
                  const PointwiseVariant& variant) {
  for (int i = 0; i < iter.ntensors(); ++i) {
    const auto& operand = variant.operands[static_cast<size_t>(i)];
    if (operand.inner == InnerStride::value && variant.is_complex)
      add_pair(pack, read_cpu_scalar(iter, i), variant.compute);
    else if (operand.inner == InnerStride::value)
      add_number(pack, read_cpu_scalar(iter, i), variant.compute);
    else
      pack.pointer(iter.data_ptr(i), operand.dtype);
  }
}

// Sizes and strides, all of one width so that no index overflows.
void add_geometry(runtime::ArgumentPack& pack, at::TensorIteratorBase& iter,
                  const PointwiseVariant& variant, bool wide, bool specialize_strides) {
  const auto add = [&](int64_t value) {
    if (wide)
      pack.typed_integer(value, DType::i64);
    else
      pack.integer(value);
  };
  // Where it is known that neighbors are read from the last to the first (flip), the CPU reads
  // vectors instead of lanes.
  const auto add_inner_stride = [&](int64_t value) {
    if (value == -1)
      pack.constant(value);
    else
      add(value);
  };
  if (variant.is_flat()) {
    // Where Triton knows that 16 divides n, a mask is uniform over 16 lanes and GPU accesses are
    // wide. (A 1 would become a constexpr, which has no type for the kernel to index with.)
    if (specialize_strides && !wide && iter.numel() != 1)
      pack.stride(iter.numel());
    else
      add(iter.numel());
    for (int i = 0; i < iter.ntensors(); ++i)
      if (variant.operands[static_cast<size_t>(i)].inner == InnerStride::any)
        add_inner_stride(element_stride(iter, i, 0));
    return;
  }
  for (int d = 0; d < variant.rank; ++d) {
    const int64_t size = iter.shape()[static_cast<size_t>(d)];
    if (d == 0 && specialize_strides && !wide && size != 1)
      pack.stride(size);  // divisibility makes the column mask uniform over wide accesses
    else
      add(size);
  }
  for (int i = 0; i < iter.ntensors(); ++i) {
    const InnerStride inner = variant.operands[static_cast<size_t>(i)].inner;
    if (inner == InnerStride::value) continue;
    if (inner == InnerStride::any) add_inner_stride(element_stride(iter, i, 0));
    for (int d = 1; d < variant.rank; ++d) {
      const int64_t stride = element_stride(iter, i, d);
      // On GPUs a row's start must be known to be aligned for wide loads; the CPU does not care.
      // There it is the 1 that counts, by which the compiler knows transposed operands.
      const bool is_transposed = inner == InnerStride::any && d == 1 && stride == 1;
      if ((specialize_strides || is_transposed) && !wide)
        pack.stride(stride);
      else
        add(stride);
    }
  }
}

// The functions of kernels/pointwise/complex.py.
constexpr std::string_view kComplexFunctions[] = {
    "absolute",    "add",      "conjugate", "constant",  "copy",   "divide",   "equal",
    "masked_fill", "multiply", "negate",    "not_equal", "select", "subtract", "reverse_subtract",
};

// Arguments that a kernel of the variant has at most; see pointwise_source.h.
bool fits_argument_pack(const PointwiseVariant& variant) {
  const int parts = variant.is_complex ? 2 : 1;
  const int count =
      variant.operand_count() * (parts + variant.rank) + variant.scalars * parts + variant.rank + 2;
  return count <= runtime::kMaxArguments;
}

codegen::ScalarFunction kernel_file_function(std::string_view module_and_name) {
  const size_t colon = module_and_name.find(':');
  return {"pointwise/" + std::string(module_and_name.substr(0, colon)),
          std::string(module_and_name.substr(colon + 1)), ""};
}

}  // namespace

void refuse_zero_divisor(at::TensorIteratorBase& iter) {
  if (!iter.device(0).is_cpu() || !at::isIntegralType(iter.common_dtype(), /*includeBool=*/false))
    return;
  const at::TensorBase& divisor = iter.tensor(iter.noutputs() + 1);
  std::atomic<bool> found{false};
  auto values = at::TensorIteratorConfig().add_const_input(divisor).build();
  const size_t size = iter.element_size(0);
  values.for_each([&](char** data, const int64_t* strides, int64_t columns, int64_t rows) {
    static constexpr std::array<char, 8> kZero{};
    bool zero = false;
    for (int64_t row = 0; row < rows; ++row) {
      const char* value = data[0] + row * strides[1];
      for (int64_t i = 0; i < columns; ++i, value += strides[0])
        zero |= std::memcmp(value, kZero.data(), size) == 0;
    }
    if (zero) found.store(true, std::memory_order_relaxed);
  });
  if (found.load()) throw dispatch::Refusal{"division by zero"};
}

PointwiseFunction::PointwiseFunction(const char* function, uint16_t dtypes,
                                     BoolCompute bool_compute)
    : function_(kernel_file_function(function)),
      dtypes_(dtypes),
      bool_compute_(bool_compute),
      takes_complex_(std::ranges::find(kComplexFunctions, function_.name) !=
                     std::end(kComplexFunctions)) {}

PointwiseFunction::PointwiseFunction(codegen::ScalarFunction function)
    : function_(std::move(function)),
      dtypes_(kAll | kUnsigned),
      bool_compute_(BoolCompute::integer) {}

const Kernel& PointwiseFunction::kernel(const PointwiseVariant& variant,
                                        const std::string& literals) {
  const auto find = [&]() -> const Generated* {
    for (auto* entry = generated_.load(std::memory_order_acquire); entry; entry = entry->next)
      if (entry->variant == variant && entry->literals == literals) return entry;
    return nullptr;
  };
  if (const Generated* found = find()) return found->kernel;
  const std::lock_guard lock(mutex_);
  if (const Generated* found = find()) return found->kernel;
  codegen::ScalarFunction function = function_;
  function.literals = literals;
  if (variant.is_complex) function.module = "pointwise/complex";
  auto* entry = new Generated{variant, literals,
                              Kernel(codegen::pointwise_name(function, variant), "kernel",
                                     codegen::pointwise_source(function, variant)),
                              generated_.load(std::memory_order_relaxed)};
  generated_.store(entry, std::memory_order_release);
  return entry->kernel;
}

void PointwiseFunction::run(at::TensorIteratorBase& iter, at::ScalarType compute,
                            const PointwiseArguments& arguments) {
  // PyTorch's kernel has the error for a number that does not fit (lerp's weight), and of no
  // elements too, on some devices.
  if (at::isFloatingType(compute))
    for (int i = 0; i < arguments.count(); ++i)
      if (!is_representable(arguments.scalar(i), compute))
        throw dispatch::Refusal{"value does not fit the dtype"};
  if (iter.numel() == 0) return;
  const bool is_complex = is_pair(compute);
  if (is_complex ? !takes_complex_ : (dtypes_ & class_of(compute)) == 0)
    throw dispatch::Refusal{"no kernel for this dtype"};
  const DType type = compute_type(part_dtype(compute), bool_compute_, (dtypes_ & kAsStored) != 0);
  PointwiseVariant variant = describe(iter, type, arguments.count());
  variant.is_complex = is_complex;
  variant.is_logical = compute == at::kBool && bool_compute_ == BoolCompute::integer;
  variant.streams = !is_complex && streams_outputs(iter);
  if (!fits_argument_pack(variant)) throw dispatch::Refusal{"more strides than a kernel takes"};
  if (!is_complex)
    for (int i = 0; i < variant.operand_count(); ++i)
      if (variant.operands[static_cast<size_t>(i)].is_complex)
        throw dispatch::Refusal{"complex numbers converted to real ones"};
  runtime::ArgumentPack pack;
  add_operands(pack, iter, variant);
  const bool rounds = (dtypes_ & kNumbersAsStored) != 0;
  for (int i = 0; i < arguments.count(); ++i) {
    const at::Scalar& number = arguments.scalar(i);
    if (is_complex)
      add_pair(pack, number, type);
    else
      add_number(pack, rounds ? rounded_to(compute, number) : number, type);
  }

  const c10::Device device = iter.device(0);
  const PointwiseTile tile = choose_tile(iter, variant, (dtypes_ & kIterates) != 0);
  add_geometry(pack, iter, variant, !iter.can_use_32bit_indexing(), !device.is_cpu());
  if (!variant.is_flat()) pack.constant(tile.block_y);
  pack.constant(tile.block_x);
  launch_packed(kernel(variant, arguments.literals()), pack, tile.options, grid_1d(tile.programs),
                device);
}

}  // namespace tilewise::ops
