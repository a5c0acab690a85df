// SPDX-License-Identifier: Apache-2.0
#include "codegen/pointwise_source.h"

#include <gtest/gtest.h>

namespace tilewise::codegen {
namespace {

PointwiseVariant binary(uint8_t rank, InnerStride first, InnerStride second) {
  PointwiseVariant variant;
  variant.inputs = 2;
  variant.scalars = 1;
  variant.rank = rank;
  variant.operands[0] = {DType::bf16, InnerStride::unit};
  variant.operands[1] = {DType::bf16, first};
  variant.operands[2] = {DType::fp32, second};
  return variant;
}

const ScalarFunction kAdd{"pointwise/arithmetic", "add", ""};

TEST(PointwiseSource, FlatKernelHasNoStrides) {
  const auto variant = binary(1, InnerStride::unit, InnerStride::zero);
  EXPECT_TRUE(variant.is_flat());
  EXPECT_EQ(pointwise_source(kAdd, variant), R"(import triton
import triton.language as tl
from pointwise.arithmetic import add


@triton.jit
def kernel(out0, in0, in1, s0, n, BLOCK: tl.constexpr):
    index = tl.program_id(0).to(n.dtype) * BLOCK + tl.arange(0, BLOCK)
    mask = index < n
    x0 = tl.load(in0 + index, mask).to(tl.float32)
    x1 = tl.load(in1).to(tl.float32)
    s0 = s0.to(tl.float32)
    y0 = add(x0, x1, s0)
    y0 = tl.broadcast_to(y0.to(tl.bfloat16), (BLOCK,))
    tl.store(out0 + index, y0, mask)
)");
}

TEST(PointwiseSource, StridedKernelSplitsTheRowNumber) {
  const auto variant = binary(3, InnerStride::any, InnerStride::zero);
  EXPECT_FALSE(variant.is_flat());
  const std::string source = pointwise_source(kAdd, variant);
  EXPECT_NE(
      source.find("def kernel(out0, in0, in1, s0, size0, size1, size2, out0_stride1, out0_stride2, "
                  "in0_stride0, in0_stride1, in0_stride2, in1_stride1, in1_stride2, "),
      std::string::npos)
      << source;
  EXPECT_NE(source.find("i1 = row % size1\n    rest1 = row // size1\n    i2 = rest1\n"),
            std::string::npos)
      << source;
  EXPECT_NE(source.find("tl.load(in1 + i1 * in1_stride1 + i2 * in1_stride2, row_mask)"),
            std::string::npos)
      << source;
}

TEST(PointwiseSource, FunctionMayBringItsText) {
  const ScalarFunction own{"", "own", "", "@triton.jit\ndef own(x, y, s):\n    return x + y * s"};
  const std::string source = pointwise_source(own, binary(1, InnerStride::unit, InnerStride::unit));
  EXPECT_NE(source.find("import triton.language as tl\n@triton.jit\ndef own(x, y, s):\n"
                        "    return x + y * s\n\n\n@triton.jit\ndef kernel("),
            std::string::npos)
      << source;
  EXPECT_NE(source.find("y0 = own(x0, x1, s0)"), std::string::npos) << source;
  EXPECT_EQ(source.find("from"), std::string::npos) << source;
}

TEST(PointwiseSource, NumbersTakeNoStrides) {
  const auto variant = binary(2, InnerStride::unit, InnerStride::value);
  const std::string source = pointwise_source(kAdd, variant);
  EXPECT_NE(source.find("x1 = in1.to(tl.float32)"), std::string::npos) << source;
  EXPECT_EQ(source.find("in1_stride"), std::string::npos) << source;
}

TEST(PointwiseSource, LiteralsFollowTheArguments) {
  PointwiseVariant variant;
  variant.inputs = 1;
  const std::string source =
      pointwise_source({"pointwise/activation", "gelu", ", 'tanh'"}, variant);
  EXPECT_NE(source.find("y0 = gelu(x0, 'tanh')"), std::string::npos) << source;
}

TEST(PointwiseSource, ComplexNumbersArePairs) {
  PointwiseVariant variant = binary(1, InnerStride::any, InnerStride::unit);
  variant.is_complex = true;
  variant.operands[0] = {DType::fp32, InnerStride::any, true};
  variant.operands[1] = {DType::fp32, InnerStride::any, true};
  EXPECT_EQ(pointwise_source({"pointwise/complex", "add", ""}, variant), R"(import triton
import triton.language as tl
from pointwise.complex import add


@triton.jit
def kernel(out0, in0, in1, s0, s0_imag, n, out0_stride0, in0_stride0, BLOCK: tl.constexpr):
    index = tl.program_id(0).to(n.dtype) * BLOCK + tl.arange(0, BLOCK)
    mask = index < n
    x0 = tl.load(in0 + index * in0_stride0, mask).to(tl.float32)
    x0_imag = (tl.load(in0 + 1 + index * in0_stride0, mask)).to(tl.float32)
    x1 = tl.load(in1 + index, mask).to(tl.float32)
    x1_imag = ((x1 != x1) & False).to(tl.float32)
    s0 = s0.to(tl.float32)
    s0_imag = s0_imag.to(tl.float32)
    y0, y0_imag = add(x0, x0_imag, x1, x1_imag, s0, s0_imag)
    y0 = tl.broadcast_to(y0.to(tl.float32), (BLOCK,))
    tl.store(out0 + index * out0_stride0, y0, mask)
    y0_imag = tl.broadcast_to(y0_imag.to(tl.float32), (BLOCK,))
    tl.store(out0 + 1 + index * out0_stride0, y0_imag, mask)
)");
}

TEST(PointwiseSource, NamesSayFunctionLayoutAndTypes) {
  EXPECT_EQ(pointwise_name(kAdd, binary(1, InnerStride::unit, InnerStride::unit)),
            "add_flat_bf16_bf16_fp32");
  EXPECT_EQ(pointwise_name(kAdd, binary(2, InnerStride::unit, InnerStride::zero)),
            "add_2d_bf16_bf16_fp32");
}

}  // namespace
}  // namespace tilewise::codegen
