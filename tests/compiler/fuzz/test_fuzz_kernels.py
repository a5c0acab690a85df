# SPDX-License-Identifier: Apache-2.0
"""The same random kernels at every run; `make fuzz` runs others for longer."""

import run_kernels
import torch
from random_kernels import random_kernel


def test_random_kernels_compute_what_torch_does():
    ran, faults = run_kernels.run(first=0, count=60, seconds=40)
    assert not faults, "\n".join(faults)
    assert ran > 0


def test_equal_seeds_give_equal_kernels():
    assert random_kernel(7).source() == random_kernel(7).source()
    assert random_kernel(7).source() != random_kernel(8).source()


def test_a_difference_is_reported_with_a_shorter_kernel(monkeypatch):
    kernel = random_kernel(3)
    reference = type(kernel).reference

    def wrong(self, arguments):
        reference(self, arguments)
        arguments[-1].view(torch.uint8)[-1] ^= 1

    monkeypatch.setattr(type(kernel), "reference", wrong)
    fault = run_kernels.examine(kernel)
    assert fault is not None and "should be" in fault.message
    assert len(fault.source) < len(kernel.source())
    assert "seed 3" in run_kernels.describe(3, "x86-64-v3", fault)
