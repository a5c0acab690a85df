# SPDX-License-Identifier: Apache-2.0
"""tl.device_assert, tl.device_print, bounds and overflow checks of TRITON_DEBUG."""

import pytest
import torch
import triton
import triton.language as tl


@triton.jit(debug=True)
def checked(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + i, i < n, 0)
    tl.device_assert(x >= 0, "x must not be negative", mask=i < n)
    tl.device_assert(n > 0, "n must be positive")
    tl.store(y_ptr + i, x, i < n)


def test_a_failed_assertion_names_its_message_and_line():
    x, y = torch.arange(100), torch.zeros(100, dtype=torch.int64)
    checked[(4,)](x, y, 100, 32)
    assert torch.equal(x, y)
    x[77] = -1
    with pytest.raises(RuntimeError, match=r"x must not be negative \(.*test_messages\.py:1\d:"):
        checked[(4,)](x, y, 100, 32)
    with pytest.raises(RuntimeError, match="n must be positive"):
        checked[(1,)](x, y, 0, 32)


@triton.jit(debug=True)
def stops(y_ptr, index):
    tl.device_assert(index < 4, "out of bounds")
    tl.store(y_ptr + index, 1)


def test_nothing_behind_a_failed_assertion_is_run():
    y = torch.zeros(8)
    with pytest.raises(RuntimeError, match="out of bounds"):
        stops[(1,)](y, 6)
    assert (y == 0).all()


@triton.jit
def product(x_ptr, y_ptr, BLOCK: tl.constexpr):
    i = tl.arange(0, BLOCK)
    tl.store(y_ptr + i, tl.load(x_ptr + i) * 3)


def test_debug_finds_overflows():
    x = torch.arange(16, dtype=torch.int32)
    y = torch.empty_like(x)
    product[(1,)](x, y, 16, debug=True)
    assert torch.equal(y, x * 3)
    x[5] = 2**30
    product[(1,)](x, y, 16)
    assert torch.equal(y, x * 3)
    with pytest.raises(RuntimeError, match="int32 overflow detected for operation mul"):
        product[(1,)](x, y, 16, debug=True)


@triton.jit
def printing(x_ptr, n, BLOCK: tl.constexpr):
    i = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + i)
    tl.device_print("x", x)
    tl.device_print("both", n, x > 1)
    tl.device_print("hex", n.to(tl.uint8), hex=True)
    tl.device_print("done")
    tl.static_print("compiling", BLOCK)
    tl.static_assert(BLOCK < 100)


def test_print(capfd):
    printing[(1,)](torch.tensor([0.5, -2.0, float("inf"), 3.0]), -2, 4)
    lines = capfd.readouterr().out.splitlines()
    assert lines[0] == "compiling constexpr[4]" or lines[0] == "compiling 4"
    assert lines[1:] == [
        "pid (0, 0, 0) idx (0) x: 0.5",
        "pid (0, 0, 0) idx (1) x: -2",
        "pid (0, 0, 0) idx (2) x: inf",
        "pid (0, 0, 0) idx (3) x: 3",
        "pid (0, 0, 0) idx () both: (operand 0) -2",
        "pid (0, 0, 0) idx (0) both: (operand 1) 0",
        "pid (0, 0, 0) idx (1) both: (operand 1) 0",
        "pid (0, 0, 0) idx (2) both: (operand 1) 1",
        "pid (0, 0, 0) idx (3) both: (operand 1) 1",
        "pid (0, 0, 0) idx () hex: 0xfe",
        "pid (0, 0, 0) done",
    ]
