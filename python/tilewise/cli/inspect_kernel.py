# SPDX-License-Identifier: Apache-2.0
"""`tilewise inspect`: a kernel at each stage of its compilation."""

import argparse
import ctypes
import sys
from pathlib import Path


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares the command and its options."""
    parser = commands.add_parser(
        "inspect",
        help="show each stage of a kernel, from Triton IR to machine code",
        description="KERNEL is FAMILY/FILE:FUNCTION as the report names it, for example "
        "foreach/norm:norm_tensors. What ran on this machine is shown as it ran; a kernel "
        "that did not gets arguments by the names of its parameters, which --set changes.",
    )
    parser.add_argument("kernel", nargs="?", metavar="KERNEL", help="without: list all kernels")
    parser.add_argument(
        "--target",
        help="cpu (default), another CPU as x86-64-v3 or aarch64, sm_90, gfx942; none of them has "
        "to be in this machine",
    )
    parser.add_argument(
        "--stage", metavar="STAGE", help="ttir, prepared, tile, llvm, asm; ttgir, ptx, sass"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a constexpr's value (BLOCK=512, ACC=fp32, LOG=true) or another parameter's type and "
        "traits (x_ptr='*bf16 aligned', dim=i32)",
    )
    parser.add_argument(
        "--nth", type=int, default=1, help="of several specializations in the store; 1 is newest"
    )
    parser.add_argument("--fresh", action="store_true", help="do not look into the store")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    try:
        return _inspect(options)
    except Exception as error:  # Triton raises many kinds; each text names the kernel's line.
        print(f"tilewise inspect: {type(error).__name__}: {error}", file=sys.stderr)
        return 1


def _inspect(options: argparse.Namespace) -> int:
    from tilewise.cli import kernel_requests, kernel_stages

    if options.kernel is None:
        _list_kernels()
        return 0
    target = kernel_stages.runtime_target(options.target or "cpu")
    names = kernel_stages.stages_of(target)
    if options.stage and options.stage not in names:
        raise ValueError(f"{target} has the stages {', '.join(names)}, not {options.stage}")
    kernel, _, function = options.kernel.rpartition(":")
    if not kernel:
        raise ValueError(f"{options.kernel} is not FAMILY/FILE:FUNCTION")

    settings = dict(setting.partition("=")[::2] for setting in options.set)
    requests = []
    if not settings and not options.fresh:
        present = _find(kernel, function)
        requests = kernel_requests.stored(_store_path(), kernel, function, present)
    if requests:
        if not 1 <= options.nth <= len(requests):
            raise ValueError(f"the store holds {len(requests)} specializations of {options.kernel}")
        request = requests[options.nth - 1]
        if request.target.partition(":")[0] != target.partition(":")[0]:
            request.options.clear()
        origin = f"specialization {options.nth} of {len(requests)} in the store"
    else:
        jit_function = _load(kernel, function)
        request = kernel_requests.made_up(kernel, function, jit_function, settings)
        origin = "arguments by the parameters' names"
    if options.target or not requests:
        request.target = target
    print(f"# {request.name} for {request.target}: {origin}")
    for parameter in request.parameters:
        print(f"#   {parameter}")
    for name, text in kernel_stages.stages(request):
        if options.stage in (None, name):
            print(f"\n# ---- {name}\n{text}")
        if options.stage == name:
            break
    return 0


def _find(kernel: str, function: str) -> object:
    """The Triton function of a file of kernels/, or None."""
    from tilewise import kernel_modules
    from tilewise.triton_backend import native

    folder = native.kernels_dir()
    if not (Path(folder) / f"{kernel}.py").is_file():
        return None
    found: object = getattr(kernel_modules.load_file(kernel, folder), function, None)
    return found if hasattr(found, "arg_names") else None


def _load(kernel: str, function: str) -> object:
    from tilewise.triton_backend import native

    folder = native.kernels_dir()
    if not (Path(folder) / f"{kernel}.py").is_file():
        raise ValueError(
            f"there is no {kernel}.py in {folder}; `tilewise inspect` without a name lists kernels"
        )
    found = _find(kernel, function)
    if found is None:
        raise ValueError(f"{kernel}.py has no Triton function {function}")
    return found


def _store_path() -> Path:
    from tilewise.triton_backend import native

    store_path = native.library().tilewise_store_path
    store_path.restype = ctypes.c_char_p
    return Path(store_path().decode())


def _list_kernels() -> None:
    import ast
    from collections import Counter

    from tilewise.cli import kernel_requests
    from tilewise.triton_backend import native

    compiled = Counter(kernel_requests.stored_names(_store_path()))
    folder = Path(native.kernels_dir())
    names = set(compiled)
    for path in folder.rglob("*.py"):
        module = path.relative_to(folder).with_suffix("").as_posix()
        for node in ast.parse(path.read_text()).body:
            # A function that returns a value is called by kernels and is none itself.
            returns = any(isinstance(n, ast.Return) and n.value for n in ast.walk(node))
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
                continue
            if node.decorator_list and not returns:
                names.add(f"{module}:{node.name}")
    for name in sorted(names):
        count = f"  ({compiled[name]} in the store)" if name in compiled else ""
        print(name + count)
