# SPDX-License-Identifier: Apache-2.0
"""One training step of whole transformers: kernels compiled, calls served, time against ATen.

    python benchmarks/bench_training_step.py --device cuda --out benchmarks/results/NAME.json

Models of transformers with random weights and the sizes below: forward, loss, backward and an AdamW
step with its gradient norm clipped. Both sides start from the same weights and see the same tokens;
losses of a few steps are compared, then steps are timed in turns. Each model runs in a process of
its own, and kernels are counted over its first two steps.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch
from bench_ops import keep_freed_memory, machine_name, synchronize
from transformers import BertConfig, BertForMaskedLM, LlamaConfig, LlamaForCausalLM

import tilewise

SIZES = {
    "cpu": {"hidden_size": 256, "layers": 4, "batch": 2, "length": 128},
    "cuda": {"hidden_size": 1024, "layers": 8, "batch": 8, "length": 512},
}
STEPS = 5


def make_model(name: str, hidden_size: int, layers: int) -> torch.nn.Module:
    torch.manual_seed(0)
    common: dict[str, Any] = {
        "vocab_size": 8192,
        "hidden_size": hidden_size,
        "intermediate_size": 4 * hidden_size,
        "num_hidden_layers": layers,
        "num_attention_heads": hidden_size // 64,
    }
    if name == "llama":
        return LlamaForCausalLM(LlamaConfig(**common, num_key_value_heads=hidden_size // 128))
    # Dropout draws other numbers on each side; without it the losses can be compared.
    config = BertConfig(**common, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    return BertForMaskedLM(config)


class Training:
    """A model with its optimizer; `step()` returns the loss."""

    def __init__(self, name: str, device: str, dtype: torch.dtype, sizes: dict[str, int]) -> None:
        self.model = make_model(name, sizes["hidden_size"], sizes["layers"])
        self.model.to(device=device, dtype=dtype).train()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4, foreach=True)
        generator = torch.Generator().manual_seed(1)
        shape = (sizes["batch"], sizes["length"])
        self.tokens = torch.randint(8192, shape, generator=generator).to(device)

    def step(self) -> float:
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.model(input_ids=self.tokens, labels=self.tokens).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return float(loss.detach())


def timed_ms(step: Any, device: str) -> float:
    synchronize(device)
    begin = time.perf_counter()
    step()
    synchronize(device)
    return (time.perf_counter() - begin) * 1e3


def measure_model(name: str, device: str, dtype_name: str) -> dict[str, Any]:
    if device == "cpu":
        keep_freed_memory()
    dtype = getattr(torch, dtype_name)
    stock = Training(name, device, dtype, SIZES[device])
    ours = Training(name, device, dtype, SIZES[device])
    losses: tuple[list[float], list[float]] = ([], [])
    times: tuple[list[float], list[float]] = ([], [])
    kernels = 0
    for i in range(STEPS):
        losses[1].append(stock.step())
        with tilewise.use():
            losses[0].append(ours.step())
        if i == 1:
            kernels = tilewise.report()["runtime"]["kernels_loaded"]
    for _ in range(2 * STEPS):
        times[1].append(timed_ms(stock.step, device))
        with tilewise.use():
            times[0].append(timed_ms(ours.step, device))
    report = tilewise.report()
    fell_back = {
        name: entry["fell_back"]
        for name, entry in report["operators"].items()
        if entry["fell_back"]
    }
    ours_ms, stock_ms = (statistics.median(t) for t in times)
    return {
        "model": name,
        "dtype": dtype_name,
        **SIZES[device],
        "kernels": kernels,
        "served": report["served"],
        "fell_back": report["fell_back"],
        "fell_back_why": fell_back,
        "largest_loss_difference": max(abs(a - b) for a, b in zip(*losses, strict=True)),
        "tilewise_ms": round(ours_ms, 2),
        "aten_ms": round(stock_ms, 2),
        "ratio": round(stock_ms / ours_ms, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--dtype", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--models", nargs="+", default=["llama", "bert"])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows = []
    spawn = multiprocessing.get_context("spawn")
    for name in options.models:
        for dtype in options.dtype:
            with ProcessPoolExecutor(1, mp_context=spawn) as process:
                row = process.submit(measure_model, name, options.device, dtype).result()
            rows.append(row)
            print(
                f"{name:6} {dtype:9} {row['kernels']:4} kernels  served {row['served']} fell back "
                f"{row['fell_back']}  tilewise {row['tilewise_ms']:.1f} ms  "
                f"ATen {row['aten_ms']:.1f} ms  ratio {row['ratio']:.2f}  "
                f"losses within {row['largest_loss_difference']:.1e}",
                flush=True,
            )
    if options.out is not None:
        result = {
            "machine": machine_name(options.device),
            "torch": torch.__version__,
            "tilewise": tilewise.__version__,
            "rows": rows,
        }
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
