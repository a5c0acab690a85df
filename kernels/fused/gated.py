# SPDX-License-Identifier: Apache-2.0
"""Scalar functions of gated activations, activation(gate) * up; floats.

Their derivatives are derived from these (python/tilewise/fusion/derivative.py).
"""

import triton

from fused.primitives import sigmoid
from pointwise.exponential import erf, tanh


@triton.jit
def silu_and_mul(gate, up):
    return gate * sigmoid(gate) * up


@triton.jit
def gelu_and_mul(gate, up):
    return 0.5 * gate * (1 + erf(gate * 0.7071067811865476)) * up


@triton.jit
def gelu_tanh_and_mul(gate, up):
    inner = 0.7978845608028654 * (gate + 0.044715 * gate * gate * gate)  # sqrt(2 / pi)
    return 0.5 * gate * (1 + tanh(inner)) * up
