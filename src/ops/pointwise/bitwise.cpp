// SPDX-License-Identifier: Apache-2.0
#include <ATen/ops/bitwise_and_meta.h>
#include <ATen/ops/bitwise_not_meta.h>
#include <ATen/ops/bitwise_or_meta.h>
#include <ATen/ops/bitwise_xor_meta.h>

#include "ops/framework/pointwise.h"

namespace tilewise::ops {
namespace {

constexpr uint8_t kBits = kBool | kInteger;

// clang-format off: one operator a line
TILEWISE_POINTWISE("bitwise_and.Tensor", at::meta::structured_bitwise_and_Tensor, "bitwise:bitwise_and", kBits, BoolCompute::bit);
TILEWISE_POINTWISE("bitwise_not", at::meta::structured_bitwise_not, "bitwise:bitwise_not", kBits, BoolCompute::bit);
TILEWISE_POINTWISE("bitwise_or.Tensor", at::meta::structured_bitwise_or_Tensor, "bitwise:bitwise_or", kBits, BoolCompute::bit);
TILEWISE_POINTWISE("bitwise_xor.Tensor", at::meta::structured_bitwise_xor_Tensor, "bitwise:bitwise_xor", kBits, BoolCompute::bit);
// clang-format on

}  // namespace
}  // namespace tilewise::ops
