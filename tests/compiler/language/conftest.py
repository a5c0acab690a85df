# SPDX-License-Identifier: Apache-2.0
"""The kernels of this folder are launched by stock Triton on CPU tensors."""

import pytest


@pytest.fixture(autouse=True)
def on_the_cpu():
    """Where a GPU is present its driver is the active one."""
    from triton.runtime.driver import driver

    from tilewise.triton_backend.driver import CPUDriver

    driver.set_active(CPUDriver())
    yield
    driver.reset_active()
