# SPDX-License-Identifier: Apache-2.0
"""Tensors for the tests of small kernels, some of them before a page that must not be touched."""

import ctypes
import mmap

import torch

TYPES = {
    "fp32": torch.float32,
    "fp64": torch.float64,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "i8": torch.int8,
    "i16": torch.int16,
    "i32": torch.int32,
    "i64": torch.int64,
    "i1": torch.bool,
    "u8": torch.uint8,
}
FLOATS = ["fp32", "fp64", "fp16", "bf16"]
INTEGERS = ["i8", "i16", "i32", "i64"]
SIZES = [1, 63, 64, 1000, 1024, 3001]


def random_tensor(kind: str, *shape: int) -> torch.Tensor:
    """Values that all types hold, of both signs."""
    dtype = TYPES[kind]
    if dtype.is_floating_point:
        return torch.randn(*shape, dtype=torch.float64).to(dtype)
    if kind == "i1":
        return torch.rand(*shape) < 0.5
    low = 0 if kind == "u8" else -100
    return torch.randint(low, 100, shape, dtype=dtype)


_MAPPINGS: list[mmap.mmap] = []


def guarded(tensor: torch.Tensor) -> torch.Tensor:
    """A copy whose last byte is the last one before an unmapped page."""
    size = tensor.numel() * tensor.element_size()
    pages = (size + mmap.PAGESIZE - 1) // mmap.PAGESIZE
    area = mmap.mmap(-1, (pages + 1) * mmap.PAGESIZE)
    _MAPPINGS.append(area)
    base = ctypes.addressof(ctypes.c_char.from_buffer(area))
    libc = ctypes.CDLL(None, use_errno=True)
    end = base + pages * mmap.PAGESIZE
    assert libc.mprotect(ctypes.c_void_p(end), mmap.PAGESIZE, 0) == 0
    offset = pages * mmap.PAGESIZE - size
    copy = torch.frombuffer(area, dtype=tensor.dtype, count=tensor.numel(), offset=offset)
    copy.copy_(tensor.reshape(-1))
    return copy.reshape(tensor.shape)
