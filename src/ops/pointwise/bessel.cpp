// SPDX-License-Identifier: Apache-2.0
#include <ATen/ops/i0_meta.h>
#include <ATen/ops/special_airy_ai_meta.h>
#include <ATen/ops/special_bessel_j0_meta.h>
#include <ATen/ops/special_bessel_j1_meta.h>
#include <ATen/ops/special_bessel_y0_meta.h>
#include <ATen/ops/special_bessel_y1_meta.h>
#include <ATen/ops/special_i0e_meta.h>
#include <ATen/ops/special_i1_meta.h>
#include <ATen/ops/special_i1e_meta.h>
#include <ATen/ops/special_modified_bessel_i0_meta.h>
#include <ATen/ops/special_modified_bessel_i1_meta.h>
#include <ATen/ops/special_modified_bessel_k0_meta.h>
#include <ATen/ops/special_modified_bessel_k1_meta.h>
#include <ATen/ops/special_scaled_modified_bessel_k0_meta.h>
#include <ATen/ops/special_scaled_modified_bessel_k1_meta.h>
#include <ATen/ops/special_spherical_bessel_j0_meta.h>

#include "ops/framework/pointwise.h"

namespace tilewise::ops {
namespace {

// clang-format off: one operator a line
TILEWISE_POINTWISE("i0", at::meta::structured_i0, "special_modified_bessel:modified_bessel_i0", kFloating);
TILEWISE_POINTWISE("special_airy_ai", at::meta::structured_special_airy_ai, "special_airy:airy_ai", kSingle);
TILEWISE_POINTWISE("special_bessel_j0", at::meta::structured_special_bessel_j0, "special_bessel:bessel_j0", kSingle);
TILEWISE_POINTWISE("special_bessel_j1", at::meta::structured_special_bessel_j1, "special_bessel:bessel_j1", kSingle);
TILEWISE_POINTWISE("special_bessel_y0", at::meta::structured_special_bessel_y0, "special_bessel:bessel_y0", kSingle);
TILEWISE_POINTWISE("special_bessel_y1", at::meta::structured_special_bessel_y1, "special_bessel:bessel_y1", kSingle);
TILEWISE_POINTWISE("special_i0e", at::meta::structured_special_i0e, "special_modified_bessel:modified_bessel_i0_scaled", kFloating);
TILEWISE_POINTWISE("special_i1", at::meta::structured_special_i1, "special_modified_bessel:modified_bessel_i1", kFloating);
TILEWISE_POINTWISE("special_i1e", at::meta::structured_special_i1e, "special_modified_bessel:modified_bessel_i1_scaled", kFloating);
TILEWISE_POINTWISE("special_modified_bessel_i0", at::meta::structured_special_modified_bessel_i0, "special_modified_bessel:modified_bessel_i0", kSingle);
TILEWISE_POINTWISE("special_modified_bessel_i1", at::meta::structured_special_modified_bessel_i1, "special_modified_bessel:modified_bessel_i1", kSingle);
TILEWISE_POINTWISE("special_modified_bessel_k0", at::meta::structured_special_modified_bessel_k0, "special_modified_bessel:modified_bessel_k0", kSingle);
TILEWISE_POINTWISE("special_modified_bessel_k1", at::meta::structured_special_modified_bessel_k1, "special_modified_bessel:modified_bessel_k1", kSingle);
TILEWISE_POINTWISE("special_scaled_modified_bessel_k0", at::meta::structured_special_scaled_modified_bessel_k0, "special_modified_bessel:modified_bessel_k0_scaled", kSingle);
TILEWISE_POINTWISE("special_scaled_modified_bessel_k1", at::meta::structured_special_scaled_modified_bessel_k1, "special_modified_bessel:modified_bessel_k1_scaled", kSingle);
TILEWISE_POINTWISE("special_spherical_bessel_j0", at::meta::structured_special_spherical_bessel_j0, "special_bessel:spherical_bessel_j0", kSingle);
// clang-format on

}  // namespace
}  // namespace tilewise::ops
