# SPDX-License-Identifier: Apache-2.0
"""Fused operators that neural networks are made of; see `tilewise.nn.functional`."""
