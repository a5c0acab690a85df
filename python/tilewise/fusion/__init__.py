# SPDX-License-Identifier: Apache-2.0
"""Fused operators from functions of elements: `@tilewise.pointwise`. docs/fusion.md explains it."""

from tilewise.fusion.errors import FusionError
from tilewise.fusion.operator import PointwiseOperator, pointwise

__all__ = ["FusionError", "PointwiseOperator", "pointwise"]
