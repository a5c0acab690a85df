# SPDX-License-Identifier: Apache-2.0
"""The request that libtilewise sends on a miss (src/runtime/compile_request.h), parsed."""

from __future__ import annotations

from dataclasses import dataclass, field

_FORMAT = "1"


@dataclass
class Request:
    """One compilation: everything that shapes the binary."""

    kernel: str = ""
    function: str = ""
    target: str = ""
    options: dict[str, int | bool] = field(default_factory=dict)
    parameters: list[str] = field(default_factory=list)
    source: str = ""  # Empty: the kernel is a file of kernels/.

    @property
    def name(self) -> str:
        """As errors and reports spell a kernel."""
        return f"{self.kernel}:{self.function}"

    def compiler_options(self) -> dict[str, int | bool]:
        """What Triton's backend is told.

        On GPUs `tl.device_assert` is compiled in: a kernel asserts what PyTorch's own asserts on
        the device. (On a CPU the operators look before they launch, and raise.) The checks of
        integer overflow, which come with it, are not.
        """
        if self.target.startswith("cpu"):
            return dict(self.options)
        return {**self.options, "debug": True, "sanitize_overflow": False}


def parse_request(text: str) -> Request:
    """Reads the lines up to `source=`; what follows is the generated module."""
    head, _, source = text.partition("\nsource=\n")
    request = Request(source=source)
    for line in head.splitlines():
        key, _, value = line.partition("=")
        if key == "tilewise_request" and value != _FORMAT:
            raise ValueError(
                f"libtilewise writes requests of format {value} and this package reads {_FORMAT}: "
                "install both from one build"
            )
        if key in ("kernel", "function", "target"):
            setattr(request, key, value)
        elif key in ("num_warps", "num_stages"):
            request.options[key] = int(value)
        elif key == "fp_fusion":
            request.options["enable_fp_fusion"] = value == "1"
        elif key == "libdevice_ftz":
            request.options["enable_reflect_ftz"] = value == "1"
        elif key == "parameter":
            request.parameters.append(value)
    return request
