# SPDX-License-Identifier: Apache-2.0
"""`tilewise doctor`: what Tilewise finds on this machine, and each problem with its fix.

It runs where Tilewise itself does not: without libtilewise, PyTorch or Triton.
"""

import argparse
import ctypes
import importlib
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

SUPPORTED_TORCH = ((2, 11), (2, 13))
SUPPORTED_TRITON = "3.6"
SUPPORTED_LLVMLITE = "0.50"


@dataclass(frozen=True)
class Finding:
    """One line of the answer. Without a fix all is well; `fatal` makes the exit status 1."""

    subject: str
    text: str
    fix: str = ""
    fatal: bool = True


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares the command and its options."""
    parser = commands.add_parser("doctor", help="look for problems of this machine")
    parser.add_argument("--json", action="store_true", help="a JSON list of the findings")
    parser.set_defaults(run=_run)


def examine() -> list[Finding]:
    """All findings; no check ends the others."""
    findings: list[Finding] = []
    for check in (_python, _torch, _triton, _llvmlite, _library, _kernels, _store, _compiler):
        try:
            findings.extend(check())
        except Exception as error:  # A check that breaks is a finding itself.
            name = check.__name__.strip("_")
            findings.append(
                Finding(name, f"{type(error).__name__}: {error}", "report this as a bug")
            )
    return findings


def _python() -> Iterator[Finding]:
    text = f"{platform.python_version()} in {sys.prefix}, {platform.platform()}"
    yield Finding("Python", text)


def _torch() -> Iterator[Finding]:
    try:
        import torch
    except ImportError as error:
        yield Finding("PyTorch", f"cannot be imported: {error}", "run `make setup`")
        return
    lowest, highest = SUPPORTED_TORCH
    version = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
    wrong = not lowest <= version <= highest
    fix = f"install PyTorch {lowest[0]}.{lowest[1]} to {highest[0]}.{highest[1]}" if wrong else ""
    yield Finding("PyTorch", f"{torch.__version__} in {Path(torch.__file__).parent}", fix)
    yield Finding("CPU", f"{platform.machine()}, PyTorch uses {torch.get_num_threads()} threads")
    if not torch.cuda.is_available():
        yield Finding("GPU", "PyTorch sees none")
        return
    for index in range(torch.cuda.device_count()):
        device = torch.cuda.get_device_properties(index)
        kind = getattr(device, "gcnArchName", None) or f"sm_{device.major}{device.minor}"
        text = f"{index}: {device.name}, {kind}, {device.total_memory / 2**30:.0f} GiB"
        old = torch.version.hip is None and device.major < 8
        yield Finding("GPU", text, "calls on it fall back: it is older than sm_80" if old else "")


def _version_of(subject: str, names: tuple[str, ...], supported: str) -> Iterator[Finding]:
    for name in names:
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        right = version.startswith(supported + ".")
        fix = "" if right else f"pip install {names[0]}=={supported}.*"
        yield Finding(subject, version, fix)
        return
    yield Finding(subject, "missing", f"pip install {names[0]}=={supported}.*")


def _triton() -> Iterator[Finding]:
    yield from _version_of(
        "Triton", ("triton", "pytorch-triton", "pytorch-triton-rocm"), SUPPORTED_TRITON
    )
    entries = [point.value for point in metadata.entry_points(group="triton.backends")]
    if "tilewise.triton_backend" not in entries:
        yield Finding(
            "Triton on CPUs",
            "Tilewise is not registered as Triton's backend `cpu`, so your own @triton.jit kernels "
            "do not run on CPU tensors (operators do)",
            "install the package (`make setup`) instead of using PYTHONPATH",
            fatal=False,
        )


def _llvmlite() -> Iterator[Finding]:
    yield from _version_of("llvmlite", ("llvmlite",), SUPPORTED_LLVMLITE)


def _library() -> Iterator[Finding]:
    from tilewise.triton_backend import native

    path = native.library_path()
    if not path.exists():
        yield Finding("libtilewise", f"{path} does not exist", "run `make build`")
        return
    try:
        import tilewise

        counts = {device: len(tilewise.registered(device)) for device in ("cpu", "cuda")}
    except Exception as error:
        yield Finding("libtilewise", f"{path}: {error}", "run `make build` for this PyTorch")
        return
    taken = " and ".join(f"{count} on {device}" for device, count in counts.items() if count)
    yield Finding("libtilewise", f"{path}; overloads taken over: {taken}")
    try:
        yield Finding("CPU target", native.cpu_target())
    except native.NativeError as error:
        yield Finding("CPU target", str(error), "unset TILEWISE_CPU_TARGET")


def _kernels() -> Iterator[Finding]:
    native = _loaded_native()
    if native is None:
        return
    folder = native.kernels_dir()
    if not folder:
        fix = "set TILEWISE_KERNELS_DIR to the folder kernels/ of the repository"
        yield Finding("kernels", "no folder of kernels was found beside libtilewise", fix)
        return
    yield Finding("kernels", f"{folder}, {len(list(Path(folder).rglob('*.py')))} files")


def _store() -> Iterator[Finding]:
    native = _loaded_native()
    if native is not None:
        store_path = native.library().tilewise_store_path
        store_path.restype = ctypes.c_char_p
        folder = Path(store_path().decode())
    else:
        home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        folder = Path(os.environ.get("TILEWISE_CACHE_DIR") or Path(home) / "tilewise")
    if not folder.name:
        fix = "set TILEWISE_CACHE_DIR to a folder that you may write"
        yield Finding("store", "there is no folder for compiled kernels", fix, fatal=False)
        return
    files = [path for path in folder.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    text = f"{folder}, {len(files)} files, {size / 2**20:.1f} MiB"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        fix = (
            f"make {folder} writable or set TILEWISE_CACHE_DIR to a folder that is: until then "
            "every process compiles its kernels again"
        )
        yield Finding("store", f"{text}, not writable ({error.strerror})", fix)
        return
    free = shutil.disk_usage(folder).free
    full = "free some space: compiled kernels cannot be kept" if free < 64 * 2**20 else ""
    yield Finding("store", f"{text}, writable, {free / 2**30:.1f} GiB free", full)


def _compiler() -> Iterator[Finding]:
    names = [os.environ["CXX"]] if os.environ.get("CXX") else ["c++", "g++", "clang++"]
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        yield Finding(
            "C++ compiler",
            "none found; only building Tilewise needs it",
            "install GCC 11 or Clang 14 or later, or set CXX",
            fatal=False,
        )
        return
    yield Finding("C++ compiler", found)


def _loaded_native() -> Any:
    """The module `native` if libtilewise loads, else None."""
    native = importlib.import_module("tilewise.triton_backend.native")
    load: Callable[[], object] = native.library
    try:
        load()
    except Exception:
        return None
    return native


def _run(options: argparse.Namespace) -> int:
    findings = examine()
    if options.json:
        print(json.dumps([vars(finding) for finding in findings], indent=1))
    else:
        width = max(len(finding.subject) for finding in findings)
        for finding in findings:
            mark = "ok" if not finding.fix else "PROBLEM" if finding.fatal else "note"
            print(f"{mark:<7}  {finding.subject:<{width}}  {finding.text}")
            if finding.fix:
                print(f"{'':<7}  {'':<{width}}  -> {finding.fix}")
        problems = sum(1 for finding in findings if finding.fix and finding.fatal)
        print(f"\n{problems} problems" if problems != 1 else "\n1 problem")
    return 1 if any(finding.fix and finding.fatal for finding in findings) else 0
