# SPDX-License-Identifier: Apache-2.0
"""Conversions between fp32 and the 8-bit floats, on their bits: the same on every device, also on
those without such a type, and with PyTorch's rules: to nearest, ties to even. What lies beyond the
largest number becomes infinity in e5m2, and in the others NaN; in e4m3fn the largest number itself
if it SATURATES, as newer versions of PyTorch do.

                 bias   mantissa   infinity   NaN
    e4m3fn          7      3          no      0x7F, 0xFF
    e5m2           15      2       0x7C, 0xFC above that
    e4m3fnuz        8      3          no      0x80; there is no -0
    e5m2fnuz       16      2          no      0x80; there is no -0
    e8m0fnu       127      0          no      0xFF; there is no sign and no 0

All other types are converted by way of fp32, as PyTorch does, even fp64.
"""

import triton
import triton.language as tl


@triton.constexpr_function
def _bias(name):
    return {"e4m3fn": 7, "e5m2": 15, "e4m3fnuz": 8, "e5m2fnuz": 16}[name]


@triton.constexpr_function
def _dropped_bits(name):
    """Of an fp32 mantissa."""
    return 20 if name.startswith("e4m3") else 21


@triton.jit
def _encode_exponent(bits):
    """e8m0fnu: the power of 2, rounded in the middle between two of them to the upper one, except
    below the smallest normal fp32."""
    exponent = (bits >> 23) & 0xFF
    rest = bits & 0x7FFFFF
    rounds_up = (rest > 0x400000) | ((rest == 0x400000) & (exponent > 0))
    return tl.where(rounds_up & (exponent < 0xFF), exponent + 1, exponent)


@triton.jit
def _encode_number(bits, FORMAT: tl.constexpr, SATURATES: tl.constexpr):
    BIAS: tl.constexpr = _bias(FORMAT)
    DROPPED: tl.constexpr = _dropped_bits(FORMAT)
    SMALLEST_NORMAL: tl.constexpr = (128 - BIAS) << 23
    # Added to a small number, it moves the last bit of a subnormal to the last bit of the sum.
    ALIGNING: tl.constexpr = (128 - BIAS + DROPPED) << 23
    HALF: tl.constexpr = (1 << (DROPPED - 1)) - 1
    sign = (bits >> 24) & 0x80
    bits = bits & 0x7FFFFFFF
    aligning = tl.full(bits.shape, ALIGNING, tl.uint32)
    sum_bits = bits.to(tl.float32, bitcast=True) + aligning.to(tl.float32, bitcast=True)
    subnormal = sum_bits.to(tl.uint32, bitcast=True) - aligning
    rounded = bits + HALF + ((bits >> DROPPED) & 1) - ((127 - BIAS) << 23)
    result = tl.where(bits < SMALLEST_NORMAL, subnormal, rounded >> DROPPED)
    is_nan = bits > 0x7F800000
    # From 2^16 on nothing is finite, and the exponent must not run over.
    is_huge = bits >= 0x47800000
    if FORMAT == "e4m3fn":
        LARGEST: tl.constexpr = 0x7E if SATURATES else 0x7F
        result = tl.where(is_huge | (result > LARGEST), LARGEST, result)
        result = tl.where(is_nan, 0x7F, result) | sign
    elif FORMAT == "e5m2":
        result = tl.where(is_huge | (result > 0x7C), 0x7C, result)
        result = tl.where(is_nan, 0x7F, result) | sign
    else:
        result = tl.where(is_nan | is_huge | (result > 0x7F), 0x80, result)
        result = tl.where((result == 0) | (result == 0x80), result, result | sign)
    return result


@triton.jit
def encode(x, FORMAT: tl.constexpr, SATURATES: tl.constexpr):
    """The 8 bits of an fp32 number."""
    bits = x.to(tl.uint32, bitcast=True)
    if FORMAT == "e8m0fnu":
        result = _encode_exponent(bits)
    else:
        result = _encode_number(bits, FORMAT, SATURATES)
    return result


@triton.jit
def _decode_exponent(bits):
    result = tl.where(bits == 0, 0x00400000, bits << 23)
    return tl.where(bits == 0xFF, 0x7FC00000, result)


@triton.jit
def _decode_number(bits, FORMAT: tl.constexpr):
    BIAS: tl.constexpr = _bias(FORMAT)
    DROPPED: tl.constexpr = _dropped_bits(FORMAT)
    SMALLEST_NORMAL: tl.constexpr = (128 - BIAS) << 23
    magnitude = (bits & 0x7F) << DROPPED
    is_subnormal = magnitude < (1 << 23)
    # A subnormal is what it adds to the smallest normal number of the same exponent.
    shifted = magnitude + SMALLEST_NORMAL
    smallest = tl.full(bits.shape, SMALLEST_NORMAL, tl.uint32)
    difference = shifted.to(tl.float32, bitcast=True) - smallest.to(tl.float32, bitcast=True)
    normal = magnitude + ((127 - BIAS) << 23)
    result = tl.where(is_subnormal, difference.to(tl.uint32, bitcast=True), normal)
    sign = (bits & 0x80) << 24
    if FORMAT == "e4m3fn":
        result = tl.where((bits & 0x7F) == 0x7F, 0x7FC00000, result) | sign
    elif FORMAT == "e5m2":
        result = tl.where((bits & 0x7F) >= 0x7C, magnitude | 0x7F800000, result) | sign
    else:
        result = tl.where(bits == 0x80, 0x7FC00000, result | sign)
    return result


@triton.jit
def decode(bits, FORMAT: tl.constexpr):
    """The fp32 number of 8 bits."""
    bits = bits.to(tl.uint32)
    if FORMAT == "e8m0fnu":
        result = _decode_exponent(bits)
    else:
        result = _decode_number(bits, FORMAT)
    return result.to(tl.float32, bitcast=True)


@triton.jit
def convert(bits, FORMAT: tl.constexpr, TO: tl.constexpr, SATURATES: tl.constexpr):
    return encode(decode(bits, FORMAT), TO, SATURATES)
