# SPDX-License-Identifier: Apache-2.0
"""Norms and losses against ATen, in one process on the same inputs.

    python benchmarks/bench_norms_losses.py --device cuda --out benchmarks/results/NAME.json

Without --sets all that fit the device: on a GPU `large` (device time with a flushed L2 cache, and
the part of the copy bandwidth reached, measured in the same run) and `small` (wall time per call of
one row); on a CPU `middle` (1024 x 4096) and `small`. `memory` compares linear_cross_entropy with
what it stands for: time and peak memory, on a GPU.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from bench_ops import burst_us, device_us, keep_freed_memory, machine_name, synchronize

import tilewise

Call = Callable[[], object]
# Name -> (call, bytes that must be read and written once).
Cases = dict[str, tuple[Call, int]]


def with_backward(forward: Callable[..., torch.Tensor], *inputs: torch.Tensor) -> Call:
    """A call that runs forward and backward."""
    leaves = [t.detach().clone().requires_grad_(t.is_floating_point()) for t in inputs]
    wanted = [t for t in leaves if t.requires_grad]
    out = forward(*leaves)
    grad = torch.randn_like(out) if out.dim() else torch.ones_like(out)
    return lambda: torch.autograd.grad(forward(*leaves), wanted, grad)


def norms(x: torch.Tensor) -> Cases:
    """Norms of rows and of columns."""
    rows, n = x.shape
    size = x.numel() * x.element_size()
    weight, bias, mean = (torch.randn(n, device=x.device).to(x.dtype) for _ in range(3))
    variance = mean.abs() + 0.5
    groups = x.reshape(rows, n // 16, 16) if rows > 1 else x.reshape(1, n // 64, 64)
    group_weight = weight[: groups.shape[1]].contiguous()
    cases: Cases = {
        "layer_norm": (lambda: F.layer_norm(x, (n,), weight, bias), 2 * size),
        "rms_norm": (lambda: F.rms_norm(x, (n,), weight, 1e-6), 2 * size),
        "rms_norm + backward": (
            with_backward(lambda x, w: F.rms_norm(x, (n,), w, 1e-6), x, weight),
            5 * size,
        ),
        "group_norm": (lambda: F.group_norm(groups, 16, group_weight, group_weight), 2 * size),
        "batch_norm inference": (
            lambda: F.batch_norm(x, mean, variance, weight, bias),
            2 * size,
        ),
    }
    cases["layer_norm + backward"] = (
        with_backward(lambda x, w, b: F.layer_norm(x, (n,), w, b), x, weight, bias),
        5 * size,
    )
    if rows > 1:
        cases["batch_norm training"] = (
            lambda: F.batch_norm(x, mean, variance, weight, bias, training=True),
            2 * size,
        )
        cases["batch_norm + backward"] = (
            with_backward(
                lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True), x, weight, bias
            ),
            5 * size,
        )
    return cases


def losses(x: torch.Tensor) -> Cases:
    """Losses of two tensors, and of classes."""
    size = x.numel() * x.element_size()
    target = torch.rand_like(x)
    probability = torch.rand_like(x).clamp(0.01, 0.99)
    classes = torch.randint(0, x.shape[1], (x.shape[0],), device=x.device)
    log_probs = torch.log_softmax(x, -1)
    logit_loss = F.binary_cross_entropy_with_logits
    return {
        "mse_loss": (lambda: F.mse_loss(x, target), 2 * size),
        "mse_loss + backward": (with_backward(lambda x: F.mse_loss(x, target), x), 5 * size),
        "smooth_l1_loss": (lambda: F.smooth_l1_loss(x, target), 2 * size),
        "huber_loss none": (lambda: F.huber_loss(x, target, reduction="none"), 3 * size),
        "binary_cross_entropy": (lambda: F.binary_cross_entropy(probability, target), 2 * size),
        "bce_with_logits": (lambda: logit_loss(x, target), 2 * size),
        "soft_margin_loss": (lambda: F.soft_margin_loss(x, target), 2 * size),
        "nll_loss": (lambda: F.nll_loss(log_probs, classes), 0),
        "cross_entropy": (lambda: F.cross_entropy(x, classes), size),
        "cross_entropy + backward": (
            with_backward(lambda x: F.cross_entropy(x, classes), x),
            3 * size,
        ),
    }


def images(dtype: torch.dtype, device: str, scale: int) -> Cases:
    """Norms and losses of images; `scale` divides the batch."""
    x = torch.randn(max(1, 16 // scale), 512, 64, 64, device=device).to(dtype)
    size = x.numel() * x.element_size()
    channels_last = x.contiguous(memory_format=torch.channels_last)
    weight, bias, mean = (torch.randn(512, device=device).to(dtype) for _ in range(3))
    variance = mean.abs() + 0.5
    wide = [t.float() for t in (mean, variance, weight, bias)]
    few = torch.randn(max(2, 16 // scale), 21, 256, 256, device=device).to(dtype)
    labels = torch.randint(0, 21, (few.shape[0], 256, 256), device=device)

    def norm(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return F.group_norm(x, 32, w, b)

    def batch(x: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
        return F.batch_norm(x, *rest, training=True)

    return {
        "group_norm image": (lambda: norm(x, weight, bias), 2 * size),
        "group_norm image + backward": (with_backward(norm, x, weight, bias), 5 * size),
        "batch_norm image": (lambda: batch(x, mean, variance, weight, bias), 2 * size),
        "batch_norm image f32 weights": (lambda: batch(x, *wide), 2 * size),
        "batch_norm image channels_last": (lambda: batch(channels_last, *wide), 2 * size),
        "batch_norm image + backward": (
            with_backward(
                lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True), x, weight, bias
            ),
            5 * size,
        ),
        "instance_norm image": (lambda: F.instance_norm(x), 2 * size),
        "nll_loss2d": (lambda: F.nll_loss(few, labels), 0),
        "cross_entropy image + backward": (
            with_backward(lambda x: F.cross_entropy(x, labels), few),
            3 * few.numel() * few.element_size(),
        ),
    }


def fused(x: torch.Tensor) -> dict[str, tuple[Call, Call, int]]:
    """tilewise.nn.functional: (ours, composed, bytes)."""
    from tilewise.nn.functional import add_layer_norm, add_rms_norm

    n = x.shape[1]
    size = x.numel() * x.element_size()
    residual = torch.randn_like(x)
    weight, bias = (torch.randn(n, device=x.device).to(x.dtype) for _ in range(2))
    return {
        "add + rms_norm": (
            lambda: add_rms_norm(x, residual, weight, eps=1e-6),
            lambda: F.rms_norm(x + residual, (n,), weight, 1e-6),
            4 * size,
        ),
        "add + layer_norm": (
            lambda: add_layer_norm(x, residual, weight, bias),
            lambda: F.layer_norm(x + residual, (n,), weight, bias),
            4 * size,
        ),
    }


def copy_bandwidth(device: str) -> float:
    """GB/s of reading and writing a large tensor once."""
    source = torch.empty(256 << 20, dtype=torch.int8, device=device)
    target = torch.empty_like(source)
    flush = torch.empty(256 << 20, dtype=torch.int8, device=device)
    times = [device_us(lambda: target.copy_(source), flush) for _ in range(20)]
    return 2 * source.numel() / statistics.median(times) / 1e3


class Bench:
    """Measures pairs of calls and collects the rows of the table."""

    def __init__(self, device: str, dtype: str) -> None:
        """`dtype`: its name, for the table."""
        self.device, self.dtype = device, dtype
        self.rows: list[dict[str, Any]] = []
        self.bandwidth = copy_bandwidth(device) if device == "cuda" else 0.0

    def run(self, what: str, name: str, ours: Call, theirs: Call, size: int, events: bool) -> None:
        """`events`: device time; else wall time per call."""
        for _ in range(2):  # what compiles in the background is there the second time
            with tilewise.use(strict=True):
                ours()
            synchronize(self.device)
        flush = torch.empty(256 << 20, dtype=torch.int8, device=self.device) if events else None
        count = 1
        if flush is None:
            once = burst_us(ours, 3, self.device)
            count = max(1, min(500, int(2000 / max(once, 0.5))))

        def once_us(call: Call) -> float:
            if flush is not None:
                return device_us(call, flush)
            return burst_us(call, count, self.device)

        our_times, their_times = [], []
        for _ in range(15):
            their_times.append(once_us(theirs))
            with tilewise.use():
                our_times.append(once_us(ours))
        our_us, their_us = statistics.median(our_times), statistics.median(their_times)
        row = {
            "set": what,
            "operator": name,
            "dtype": self.dtype,
            "tilewise_us": round(our_us, 3),
            "aten_us": round(their_us, 3),
            "ratio": round(their_us / our_us, 3),
        }
        line = f"{what:7} {name:32} tilewise {our_us:10.2f} us  ATen {their_us:10.2f} us"
        line += f"  ratio {row['ratio']:.2f}"
        if self.bandwidth and size and events:
            row["of_copy_bandwidth"] = round(size / our_us / 1e3 / self.bandwidth, 3)
            line += f"  {row['of_copy_bandwidth']:.0%} of copy"
        print(line, flush=True)
        self.rows.append(row)

    def run_all(self, what: str, cases: Cases, events: bool) -> None:
        """Every case; one that cannot run is reported and left out."""
        for name, (call, size) in cases.items():
            try:
                self.run(what, name, call, call, size, events)
            except (NotImplementedError, RuntimeError) as error:
                print(f"{what:7} {name:32} {str(error).splitlines()[0][:120]}", flush=True)


def measure_memory(dtype: torch.dtype) -> list[dict[str, Any]]:
    """linear_cross_entropy of a language model's last layer: 8192 tokens, 128 k classes."""
    from tilewise.nn.functional import linear_cross_entropy

    x = torch.randn(8192, 4096, device="cuda").to(dtype).requires_grad_()
    weight = (torch.randn(128_256, 4096, device="cuda") / 64).to(dtype).requires_grad_()
    target = torch.randint(0, weight.shape[0], (8192,), device="cuda")
    rows = []
    variants: dict[str, Callable[[], torch.Tensor]] = {
        "composed": lambda: F.cross_entropy(F.linear(x, weight), target),
        "tilewise": lambda: linear_cross_entropy(x, weight, target),
    }
    stock = getattr(F, "linear_cross_entropy", None)
    if stock is not None:
        variants["torch.nn.functional.linear_cross_entropy"] = lambda: stock(x, weight, target)
    for name, call in variants.items():
        try:
            run = lambda call=call: torch.autograd.grad(call(), (x, weight))  # noqa: E731
            run()
            torch.cuda.synchronize()
            before = torch.cuda.memory_allocated()
            torch.cuda.reset_peak_memory_stats()
            times = [burst_us(run, 1, "cuda") for _ in range(3)]
            peak = torch.cuda.max_memory_allocated() - before
        except (RuntimeError, TypeError) as error:
            print(f"memory  {name}: {str(error).splitlines()[0][:120]}")
            continue
        rows.append(
            {
                "operator": f"linear_cross_entropy {name}",
                "ms": round(statistics.median(times) / 1e3, 2),
                "peak_mib": peak >> 20,
            }
        )
        print(f"memory  {name:44} {rows[-1]['ms']:8.2f} ms  peak {rows[-1]['peak_mib']} MiB")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--dtype", default=None)
    parser.add_argument("--sets", nargs="+", choices=["large", "middle", "small", "memory"])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    on_gpu = options.device == "cuda"
    name = options.dtype or ("bfloat16" if on_gpu else "float32")
    dtype = getattr(torch, name)
    sets = options.sets or (["large", "small", "memory"] if on_gpu else ["middle", "small"])
    bench = Bench(options.device, name)
    torch.manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape, device=options.device).to(dtype)

    for what in sets:
        if what == "memory":
            continue
        events = what == "large"
        shape = {"large": (8192, 8192), "middle": (1024, 4096), "small": (1, 4096)}[what]
        x = random(*shape)
        bench.run_all(what, norms(x), events)
        if what == "large":
            del x
            bench.run_all(what, losses(random(8192, 32_000)), events)
        else:
            bench.run_all(what, losses(x), events)
        if what != "small":
            bench.run_all(what, images(dtype, options.device, 1 if on_gpu else 8), events)
        for case, (ours, composed, size) in fused(random(*shape)).items():
            bench.run(what, case, ours, composed, size, events)
    memory = measure_memory(dtype) if "memory" in sets and on_gpu else []

    for what in sets:
        ratios = [row["ratio"] for row in bench.rows if row["set"] == what]
        if ratios:
            mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
            print(f"{what}: geomean {mean:.3f}, lowest {min(ratios):.3f} of {len(ratios)}")
    if options.out is not None:
        result = {
            "machine": machine_name(options.device),
            "torch": torch.__version__,
            "tilewise": tilewise.__version__,
            "copy_bandwidth_gb_s": round(bench.bandwidth, 1),
            "rows": bench.rows,
            "memory": memory,
        }
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
