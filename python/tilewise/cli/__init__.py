# SPDX-License-Identifier: Apache-2.0
"""The command line, `python -m tilewise`: one module for each command."""
