# SPDX-License-Identifier: Apache-2.0
"""x^y of floats. fp32 on GPUs: 2 to the power of y times log2 |x|, which is a sum of two numbers;
without branches, in two thirds of the instructions of libdevice's.
"""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from common.target import on_gpu
from pointwise.elementary import light_reciprocal


@triton.jit
def _log2(a):
    """(hi, lo) with hi + lo = log2(a) within 2^-31 of it, for fp32 a >= 0 (infinity at the ends):
    an exponent, and 2 / log(2) atanh(s) of a factor m of [0.7, 1.4), s = (m - 1) / (m + 1)."""
    is_denormal = a < 1.1754943508222875e-38
    bits = tl.where(is_denormal, a * 16777216.0, a).to(tl.int32, bitcast=True)
    exponent = (bits - 0x3F3504F3) & -0x800000
    t = (bits - exponent).to(tl.float32, bitcast=True) - 1
    exponent = exponent.to(tl.float32) * 1.1920928955078125e-07 - tl.where(is_denormal, 24.0, 0.0)
    inverse = light_reciprocal(t + 2)
    s = t * inverse
    s_rest = tl.fma(-s, t, t - 2 * s) * inverse  # of the quotient's rounding
    square = s * s
    series = ((0.117912995 * square + 0.142686432) * square + 0.200001678) * square + 0.333333328
    main = s * 2.885390043258667
    rest = tl.fma(s, 2.885390043258667, -main) + (s * 3.851926e-08 + s_rest * 2.885390043258667)
    rest += main * (square * series)
    total = main + rest
    rest = (main - total) + rest
    hi = exponent + total
    lo = ((exponent - hi) + total) + rest
    is_end = (a == 0) | (a == float("inf"))
    return tl.where(is_end, tl.where(a == 0, float("-inf"), a), hi), lo


@triton.jit
def _power_f32(x, y):
    a = tl.abs(x)
    hi, lo = _log2(a)
    main = y * hi
    rest = tl.fma(y, hi, -main) + y * lo
    # The power of a large exponent is infinite only after the rest, which an infinite one lacks.
    is_large = main > 64
    result = tl.exp2(main - tl.where(is_large, 64.0, 0.0))
    result = tl.where(tl.abs(main) < 200, result + result * (rest * 0.6931471805599453), result)
    result *= tl.where(is_large, 18446744073709551616.0, 1.0)
    half = 0.5 * y
    is_whole = tl.floor(y) == y
    is_odd = is_whole & (tl.floor(half) != half)
    result = tl.where((a == 1) | (y == 0), 1.0, tl.where(x == x, result, x))
    result = tl.where((x < 0) & (a < float("inf")) & ~is_whole, float("nan"), result)
    sign = x.to(tl.int32, bitcast=True) & tl.where(is_odd, -0x80000000, 0)
    return (result.to(tl.int32, bitcast=True) ^ sign).to(tl.float32, bitcast=True)


@triton.jit
def real_power(x, y):
    if x.dtype == tl.float32 and on_gpu():
        return _power_f32(x, y)
    else:
        return libdevice.pow(x, y)
