# SPDX-License-Identifier: Apache-2.0
"""Imports the modules that hold Triton kernels: files of kernels/, and generated text."""

from __future__ import annotations

import hashlib
import importlib.util
import linecache
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

_loaded: dict[str, ModuleType] = {}
_shared_modules: dict[str, ModuleType] = {}  # `common` and what else kernels import by plain names.


@contextmanager
def _kernel_imports(kernels_dir: str) -> Iterator[None]:
    """Lets a kernel file import its siblings by plain names (`from common.philox import ...`).

    The names are visible only while kernel files are executed, so a program's own package called
    `common` is neither hidden nor picked up.
    """
    families = {
        entry.name
        for entry in Path(kernels_dir).iterdir()
        if entry.is_dir() and entry.name not in sys.stdlib_module_names
    }

    def ours(name: str) -> bool:
        return name.partition(".")[0] in families

    set_aside = {name: sys.modules.pop(name) for name in list(sys.modules) if ours(name)}
    sys.modules.update(_shared_modules)
    sys.path.insert(0, kernels_dir)
    try:
        yield
    finally:
        sys.path.remove(kernels_dir)
        for name in [name for name in sys.modules if ours(name)]:
            _shared_modules[name] = sys.modules.pop(name)
        sys.modules.update(set_aside)


def load_file(module: str, kernels_dir: str) -> ModuleType:
    """kernels/<module>.py, executed once per process."""
    if module not in _loaded:
        path = Path(kernels_dir) / f"{module}.py"
        name = "tilewise_kernels." + module.replace("/", ".")
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ImportError(f"cannot import {path}")
        loaded = importlib.util.module_from_spec(spec)
        with _kernel_imports(kernels_dir):
            spec.loader.exec_module(loaded)
        _loaded[module] = loaded
    return _loaded[module]


def load_source(name: str, source: str, kernels_dir: str) -> ModuleType:
    """A generated module. Its text goes to linecache, where inspect and tracebacks find it."""
    digest = hashlib.sha256(source.encode()).hexdigest()[:16]
    key = f"{name}#{digest}"
    if key not in _loaded:
        filename = f"<generated {key}>"
        module = ModuleType("tilewise_kernels.generated_" + digest)
        module.__file__ = filename
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
        code = compile(source, filename, "exec")
        with _kernel_imports(kernels_dir):
            exec(code, module.__dict__)
        sys.modules[module.__name__] = module  # inspect looks a function's module up by its name.
        _loaded[key] = module
    return _loaded[key]
