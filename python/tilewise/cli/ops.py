# SPDX-License-Identifier: Apache-2.0
"""`tilewise ops`: the overloads that Tilewise takes over, for each device of this PyTorch."""

import argparse
import json
import sys

_DEVICES = ("cpu", "cuda")


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares the command and its options."""
    parser = commands.add_parser("ops", help="list the operators that are taken over")
    parser.add_argument("--json", action="store_true", help="a JSON object: device -> overloads")
    parser.add_argument("--device", choices=_DEVICES, help="only this one")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    try:
        import tilewise

        registered = {
            device: tilewise.registered(device)
            for device in ([options.device] if options.device else _DEVICES)
        }
    except (ImportError, RuntimeError) as error:
        print(f"tilewise ops: {error}; `tilewise doctor` says more", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(registered, indent=1))
        return 0
    _print_table(registered)
    return 0


def _print_table(registered: dict[str, list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    # One row for an operator: the names of its overloads stand side by side.
    by_operator: dict[str, dict[str, set[str]]] = {}
    for device, names in registered.items():
        for name in names:
            operator, _, overload = name.partition(".")
            by_operator.setdefault(operator, {}).setdefault(overload, set()).add(device)
    devices = [device for device, names in registered.items() if names]
    table = Table("operator", "overloads", *devices)
    for operator, overloads in sorted(by_operator.items()):
        served = [
            "yes" if all(device in where for where in overloads.values()) else "some"
            for device in devices
        ]
        table.add_row(operator, " ".join(name or "-" for name in sorted(overloads)), *served)
    console = Console()
    console.print(table)
    counts = ", ".join(f"{len(names)} overloads on {d}" for d, names in registered.items())
    console.print(f"{len(by_operator)} operators: {counts}")
