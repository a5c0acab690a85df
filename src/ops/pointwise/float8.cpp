// SPDX-License-Identifier: Apache-2.0
#include "ops/pointwise/float8.h"

#include <ATen/TensorIterator.h>

#include "dispatch/refusal.h"
#include "ops/framework/pointwise.h"

namespace tilewise::ops {
namespace {

// The names by which kernels/pointwise/float8.py knows them.
c10::string_view format(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat8_e4m3fn:
      return "e4m3fn";
    case at::kFloat8_e5m2:
      return "e5m2";
    case at::kFloat8_e4m3fnuz:
      return "e4m3fnuz";
    case at::kFloat8_e5m2fnuz:
      return "e5m2fnuz";
    default:
      return "e8m0fnu";
  }
}

}  // namespace

void copy_float8(const at::Tensor& self, const at::Tensor& src) {
  static PointwiseFunction copy("arithmetic:copy");
  static PointwiseFunction encode("float8:encode", kSingle);
  static PointwiseFunction decode("float8:decode", kInteger);
  static PointwiseFunction convert("float8:convert", kInteger);
  if (self.numel() == 0) return;
  if (self.is_complex() || src.is_complex()) throw dispatch::Refusal{"8-bit floats and complex"};
  const bool to = is_float8(self.scalar_type());
  const bool from = is_float8(src.scalar_type());
  auto iter = at::TensorIteratorConfig()
                  .add_owned_output(to ? self.view(at::kByte) : self)
                  .add_owned_const_input(from ? src.view(at::kByte) : src)
                  .resize_outputs(false)
                  .check_all_same_dtype(false)
                  .build();
  PointwiseArguments formats;
  if (self.scalar_type() == src.scalar_type()) return copy.run(iter, at::kByte, formats);
  if (from) formats.add(format(src.scalar_type()));
  if (to) {
    // PyTorch's own conversion in the headers that we are built with.
    static const bool saturates = at::Float8_e4m3fn(1e6F).x == 0x7E;
    formats.add(format(self.scalar_type()));
    formats.add(saturates);
  }
  if (from)
    (to ? convert : decode).run(iter, at::kByte, formats);
  else
    encode.run(iter, at::kFloat, formats);
}

}  // namespace tilewise::ops
