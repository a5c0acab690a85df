# SPDX-License-Identifier: Apache-2.0
"""Entry point of `tilewise` and `python -m tilewise`."""

import argparse
import sys
from collections.abc import Sequence

from tilewise.cli import demo, doctor, inspect_kernel, ops


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="tilewise", description="PyTorch's operators as Triton kernels, launched from C++."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (demo, doctor, ops, inspect_kernel):
        command.add_parser(commands)
    options = parser.parse_args(arguments)
    try:
        status: int = options.run(options)
    except BrokenPipeError:  # `tilewise ops | head`
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        print("tilewise: stopped", file=sys.stderr)
        return 130
    return status


if __name__ == "__main__":
    sys.exit(main())
