# SPDX-License-Identifier: Apache-2.0
"""The dot micro-kernel against exact products, on every target that this machine runs."""

import ctypes

import numpy as np
import pytest
from generated_code import (
    CompiledText,
    generate,
    host_target,
    optimize,
    target_machine,
    targets_here,
)

# Whole blocks, blocks with a rest in each dimension, and less than a vector.
SHAPES = [
    (64, 64, 32), (16, 16, 16), (32, 128, 64), (128, 32, 8), (4, 64, 4), (64, 16, 1), (1, 64, 64),
    (2, 8, 16), (16, 4, 32), (8, 2, 2), (32, 1, 16), (1, 1, 1), (7, 80, 3), (13, 37, 19), (5, 3, 6),
]  # fmt: skip


RUN = (ctypes.c_void_p, ctypes.c_int64, *[ctypes.c_void_p] * 2, *[ctypes.c_int64] * 3)


def guarded(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """A tile of integers, and the memory around it: 16 sevens at each end."""
    memory = np.full(rows * columns + 32, 7, np.float32)
    tile = memory[16:-16].reshape(rows, columns)
    rng = np.random.default_rng(rows * 1000 + columns)
    tile[:] = rng.integers(-8, 9, tile.shape)
    return tile, memory


@pytest.mark.parametrize("target", targets_here())
@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: "x".join(map(str, s)))
def test_adds_the_product_and_nothing_else(shape: tuple[int, int, int], target: str) -> None:
    m, n, k = shape
    code = CompiledText(generate("dot", target, str(m), str(n), str(k)), target)
    (a, _), (b, _), (c, around) = guarded(m, k + 5), guarded(k, n), guarded(m, n)
    expected = c + a[:, :k] @ b  # Small integers: exact in any order.
    code.function("run", *RUN)(a.ctypes.data, 4 * (k + 5), b.ctypes.data, c.ctypes.data, m, n, k)
    np.testing.assert_array_equal(c, expected)
    assert (around[:16] == 7).all() and (around[-16:] == 7).all()


def test_sums_in_the_order_of_k_with_one_rounding_each() -> None:
    m, n, k = 8, 32, 64
    target = host_target()
    code = CompiledText(generate("dot", target, str(m), str(n), str(k)), target)
    rng = np.random.default_rng(0)
    a, b, c = (rng.standard_normal(s).astype(np.float32) for s in ((m, k), (k, n), (m, n)))
    expected = c.copy()
    for i in range(k):  # A product of two f32 is exact in f64; the sum rounds, rarely twice.
        wide = expected + a[:, i, None].astype(np.float64) * b[None, i].astype(np.float64)
        expected = wide.astype(np.float32)
    code.function("run", *RUN)(a.ctypes.data, 4 * k, b.ctypes.data, c.ctypes.data, m, n, k)
    np.testing.assert_array_max_ulp(c, expected, 1 if "v2" not in target else 64)


@pytest.mark.skipif("bf16" not in host_target(), reason="no dot products of bf16 pairs here")
@pytest.mark.parametrize("shape", [(64, 64, 32), (16, 16, 16), (5, 28, 6), (1, 4, 2), (32, 80, 8)])
def test_bf16_pairs(shape: tuple[int, int, int]) -> None:
    m, n, k = shape
    target = host_target()
    code = CompiledText(generate("bf16-dot", target, str(m), str(n), str(k)), target)
    (a, _), (b, _), (c, around) = guarded(m, k + 3), guarded(k, n), guarded(m, n)
    expected = c + a[:, :k] @ b  # Small integers: exact also in bf16.
    a_bf16 = (a.view(np.uint32) >> 16).astype(np.uint16)
    b_bf16 = (b.view(np.uint32) >> 16).astype(np.uint16)
    pairs = np.ascontiguousarray(b_bf16.reshape(k // 2, 2, n).transpose(0, 2, 1))
    run = code.function("run", *RUN)
    run(a_bf16.ctypes.data, 2 * (k + 3), pairs.ctypes.data, c.ctypes.data, m, n, k)
    np.testing.assert_array_equal(c, expected)
    assert (around[:16] == 7).all() and (around[-16:] == 7).all()


@pytest.mark.parametrize("target", ["aarch64", "riscv64"])
def test_foreign_targets_compile(target: str) -> None:
    machine = target_machine(target, jit=False)
    module = optimize(generate("dot", target, "32", "64", "32"), machine)
    assert len(machine.emit_object(module)) > 500
