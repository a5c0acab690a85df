# SPDX-License-Identifier: Apache-2.0
"""The tests of this folder make their tensors on the device that TILEWISE_TEST_DEVICE names."""

import os

import pytest
import torch


@pytest.fixture(autouse=True)
def device():
    name = os.environ.get("TILEWISE_TEST_DEVICE", "cpu")
    with torch.device(name):
        yield name
