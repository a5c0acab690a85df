# SPDX-License-Identifier: Apache-2.0
"""fp8e4b15, which Triton's front end keeps as an i8 and leaves to each backend to convert.

It is an fp16 of positive exponent bits 0xxxx, cut to its upper mantissa bits: sign, four exponent
bits of bias 15, three mantissa bits; no infinity and no NaN. As on NVIDIA's chips, fp32 is cut to
fp16 first, the largest number is 1.75, and middles round away from zero.
"""

from __future__ import annotations

from typing import Any

import triton.language.core as tl

_LARGEST_FP16_BITS = 0x3F00  # 1.75


def convert_custom_types(
    value: Any, target: Any, fp_downcast_rounding: Any = None, _semantic: Any = None
) -> Any:
    """The codegen function of this name that `tl.cast` asks a backend for."""
    ops = _semantic
    scalar = target.scalar

    def constant(number: int) -> Any:
        return ops.to_tensor(tl.constexpr(number))

    def integer(bits: Any) -> Any:
        return ops.cast(bits, tl.int32)

    if value.type.scalar.is_fp8e4b15():
        bits = integer(ops.bitcast(value, tl.uint8))
        sign = ops.shl(ops.and_(bits, constant(0x80)), constant(8))
        magnitude = ops.shl(ops.and_(bits, constant(0x7F)), constant(7))
        half = ops.bitcast(ops.cast(ops.or_(sign, magnitude), tl.int16), tl.float16)
        return half if scalar.is_fp16() else ops.cast(half, scalar)

    half = value
    if not value.type.scalar.is_fp16():
        half = ops.cast(ops.cast(value, tl.float32), tl.float16, fp_downcast_rounding="rtz")
    bits = integer(ops.bitcast(half, tl.uint16))
    magnitude = ops.minimum(
        ops.and_(bits, constant(0x7FFF)), constant(_LARGEST_FP16_BITS), tl.PropagateNan.NONE
    )
    rounded = ops.lshr(ops.add(magnitude, constant(0x40), False), constant(7))
    sign = ops.and_(ops.lshr(bits, constant(8)), constant(0x80))
    return ops.bitcast(ops.cast(ops.or_(sign, rounded), tl.uint8), scalar)
