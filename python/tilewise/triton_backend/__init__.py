# SPDX-License-Identifier: Apache-2.0
"""Tilewise's CPU compiler as a backend of stock Triton (entry point group `triton.backends`).

Triton imports `compiler` and `driver` of this package when it is imported itself, so nothing here
may import libtilewise, llvmlite or torch before a kernel is compiled or launched.
"""
