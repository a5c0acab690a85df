// SPDX-License-Identifier: Apache-2.0
#include <ATen/ops/special_chebyshev_polynomial_t_meta.h>
#include <ATen/ops/special_chebyshev_polynomial_u_meta.h>
#include <ATen/ops/special_chebyshev_polynomial_v_meta.h>
#include <ATen/ops/special_chebyshev_polynomial_w_meta.h>
#include <ATen/ops/special_hermite_polynomial_h_meta.h>
#include <ATen/ops/special_hermite_polynomial_he_meta.h>
#include <ATen/ops/special_laguerre_polynomial_l_meta.h>
#include <ATen/ops/special_legendre_polynomial_p_meta.h>
#include <ATen/ops/special_shifted_chebyshev_polynomial_t_meta.h>
#include <ATen/ops/special_shifted_chebyshev_polynomial_u_meta.h>
#include <ATen/ops/special_shifted_chebyshev_polynomial_v_meta.h>
#include <ATen/ops/special_shifted_chebyshev_polynomial_w_meta.h>

#include "ops/framework/pointwise.h"

namespace tilewise::ops {
namespace {

// clang-format off: one operator a line
TILEWISE_POINTWISE("special_chebyshev_polynomial_t", at::meta::structured_special_chebyshev_polynomial_t, "orthogonal_polynomials:chebyshev_t", kSingle | kIterates);
TILEWISE_POINTWISE("special_chebyshev_polynomial_u", at::meta::structured_special_chebyshev_polynomial_u, "orthogonal_polynomials:chebyshev_u", kSingle | kIterates);
TILEWISE_POINTWISE("special_chebyshev_polynomial_v", at::meta::structured_special_chebyshev_polynomial_v, "orthogonal_polynomials:chebyshev_v", kSingle | kIterates);
TILEWISE_POINTWISE("special_chebyshev_polynomial_w", at::meta::structured_special_chebyshev_polynomial_w, "orthogonal_polynomials:chebyshev_w", kSingle | kIterates);
TILEWISE_POINTWISE("special_hermite_polynomial_h", at::meta::structured_special_hermite_polynomial_h, "orthogonal_polynomials:hermite_h", kSingle | kIterates);
TILEWISE_POINTWISE("special_hermite_polynomial_he", at::meta::structured_special_hermite_polynomial_he, "orthogonal_polynomials:hermite_he", kSingle | kIterates);
TILEWISE_POINTWISE("special_laguerre_polynomial_l", at::meta::structured_special_laguerre_polynomial_l, "orthogonal_polynomials:laguerre_l", kSingle | kIterates);
TILEWISE_POINTWISE("special_legendre_polynomial_p", at::meta::structured_special_legendre_polynomial_p, "orthogonal_polynomials:legendre_p", kSingle | kIterates);
TILEWISE_POINTWISE("special_shifted_chebyshev_polynomial_t", at::meta::structured_special_shifted_chebyshev_polynomial_t, "orthogonal_polynomials:shifted_chebyshev_t", kSingle | kIterates);
TILEWISE_POINTWISE("special_shifted_chebyshev_polynomial_u", at::meta::structured_special_shifted_chebyshev_polynomial_u, "orthogonal_polynomials:shifted_chebyshev_u", kSingle | kIterates);
TILEWISE_POINTWISE("special_shifted_chebyshev_polynomial_v", at::meta::structured_special_shifted_chebyshev_polynomial_v, "orthogonal_polynomials:shifted_chebyshev_v", kSingle | kIterates);
TILEWISE_POINTWISE("special_shifted_chebyshev_polynomial_w", at::meta::structured_special_shifted_chebyshev_polynomial_w, "orthogonal_polynomials:shifted_chebyshev_w", kSingle | kIterates);
// clang-format on

}  // namespace
}  // namespace tilewise::ops
