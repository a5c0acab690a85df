# SPDX-License-Identifier: Apache-2.0
"""Elementary functions of fewer instructions than libdevice's, for the scalar functions that need
them: narrower ranges, no branches, an error of some ulp instead of one. A pointwise kernel on bf16
runs at the speed of an H100's memory up to about 32 instructions an element; libdevice's log1p and
expm1 alone are 30 each, a correctly rounded division 30. Most are written for any float type; fp64
takes libdevice's. Polynomials are minimax fits (tools/fit_scalar_functions.py).
"""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from common.target import on_cuda, on_gpu
from pointwise.series import polynomial

# log(1 + t) / t on [0, 1], error 3.0e-8.
_LOG1P = tl.constexpr(
    (
        0.00523088271,
        -0.0294975404,
        0.0782124812,
        -0.136619951,
        0.191053454,
        -0.248427838,
        0.333190652,
        -0.499994909,
        0.999999969,
    )
)
# log(1 - t) / t on [0, 1/2], error 2.3e-8.
_LOG1M = tl.constexpr(
    (
        -1.44110626,
        1.69580869,
        -1.25766714,
        0.203537842,
        -0.269612497,
        -0.242805111,
        -0.333700613,
        -0.499992853,
        -1.00000002,
    )
)
# (exp(t) - 1) / t on [-1/2, 1/2], error 3.0e-9.
_EXPM1 = tl.constexpr(
    (0.000198412021, 0.00139973243, 0.0083336346, 0.0416653182, 0.166666629, 0.500000042, 1.0)
)
# sin(pi t) / t and cos(pi t) by t^2 on [-1/2, 1/2], errors 5e-9 and 5e-8.
_SIN_PI = tl.constexpr((0.077560502, -0.598242193, 2.55006974, -5.16770969, 3.14159264))
_COS_PI = tl.constexpr((0.219697181, -1.33188038, 4.05841195, -4.93479286, 0.999999954))


@triton.jit
def light_log(x):
    """The natural logarithm, off by up to 1.7e-7 near 1 and by 2.4e-7 of its value elsewhere: one
    instruction on NVIDIA's chips. For sums whose other summands are not smaller."""
    if x.dtype == tl.float32 and on_cuda():
        return libdevice.fast_logf(x)
    else:
        return libdevice.log(x)


@triton.jit
def light_log_of_normal(x):
    """`light_log` for x that is no denormal: those count as 0."""
    if x.dtype == tl.float32 and on_cuda():
        log2 = tl.inline_asm_elementwise(
            "lg2.approx.ftz.f32 $0, $1;", "=f,f", [x], dtype=tl.float32, is_pure=True, pack=1
        )
        return log2 * 0.6931471805599453
    else:
        return libdevice.log(x)


@triton.jit
def light_reciprocal(x):
    """1 / x of floats within 1 ulp; on NVIDIA's chips 0 for |x| > 2^126 and infinity for denormals,
    which makes it one instruction of nine."""
    if x.dtype == tl.float32 and on_cuda():
        return tl.inline_asm_elementwise(
            "rcp.approx.ftz.f32 $0, $1;", "=f,f", [x], dtype=tl.float32, is_pure=True, pack=1
        )
    else:
        return 1.0 / x


@triton.jit
def light_reciprocal_root(x):
    """1 / sqrt(x) within 2 ulp; x as of `light_reciprocal`."""
    if x.dtype == tl.float32 and on_cuda():
        return tl.inline_asm_elementwise(
            "rsqrt.approx.ftz.f32 $0, $1;", "=f,f", [x], dtype=tl.float32, is_pure=True, pack=1
        )
    else:
        return tl.rsqrt(x)


@triton.jit
def log1p_of_fraction(t):
    """log(1 + t) for t of [0, 1], such as exp(-|x|); small ones keep their digits."""
    if t.dtype == tl.float32:
        return t * polynomial(t, _LOG1P)
    else:
        return libdevice.log1p(t)


@triton.jit
def log1m_of_half(t):
    """log(1 - t) for fp32 t of [0, 1/2]; small ones keep their digits."""
    return t * polynomial(t, _LOG1M)


@triton.jit
def expm1(x):
    """exp(x) - 1, off by up to 4 ulp on GPUs."""
    if x.dtype == tl.float32 and on_gpu():
        return tl.where(tl.abs(x) < 0.5, x * polynomial(x, _EXPM1), libdevice.exp(x) - 1)
    else:
        return libdevice.expm1(x)


@triton.jit
def sin_pi(t):
    """sin(pi t) for fp32 t of [-1/2, 1/2]."""
    return t * polynomial(t * t, _SIN_PI)


@triton.jit
def cos_pi(t):
    """cos(pi t) for fp32 t of [-1/2, 1/2]."""
    return polynomial(t * t, _COS_PI)
