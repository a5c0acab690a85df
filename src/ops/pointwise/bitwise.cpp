// SPDX-License-Identifier: Apache-2.0
#include <ATen/ops/bitwise_and_meta.h>
#include <ATen/ops/bitwise_left_shift_meta.h>
#include <ATen/ops/bitwise_not_meta.h>
#include <ATen/ops/bitwise_or_meta.h>
#include <ATen/ops/bitwise_right_shift_meta.h>
#include <ATen/ops/bitwise_xor_meta.h>

#include "ops/framework/pointwise.h"
#include "ops/framework/pointwise_presets.h"

namespace tilewise::ops {
namespace {

constexpr uint8_t kBits = kBool | kInteger | kUnsigned;

// clang-format off: one operator a line
TILEWISE_POINTWISE("__lshift__.Tensor", BinaryPreset, "bitwise:shift_left", kInteger);
TILEWISE_POINTWISE("__rshift__.Tensor", BinaryPreset, "bitwise:shift_right", kInteger);
TILEWISE_POINTWISE("bitwise_and.Tensor", at::meta::structured_bitwise_and_Tensor, "bitwise:bitwise_and", kBits, BoolCompute::bit);
TILEWISE_POINTWISE("bitwise_left_shift.Tensor", at::meta::structured_bitwise_left_shift_Tensor, "bitwise:shift_left", kInteger);
TILEWISE_POINTWISE("bitwise_not", at::meta::structured_bitwise_not, "bitwise:bitwise_not", kBits, BoolCompute::bit);
TILEWISE_POINTWISE("bitwise_or.Tensor", at::meta::structured_bitwise_or_Tensor, "bitwise:bitwise_or", kBits, BoolCompute::bit);
TILEWISE_POINTWISE("bitwise_right_shift.Tensor", at::meta::structured_bitwise_right_shift_Tensor, "bitwise:shift_right", kInteger);
TILEWISE_POINTWISE("bitwise_xor.Tensor", at::meta::structured_bitwise_xor_Tensor, "bitwise:bitwise_xor", kBits, BoolCompute::bit);
// clang-format on

}  // namespace
}  // namespace tilewise::ops
