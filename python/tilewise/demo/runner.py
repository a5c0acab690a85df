# SPDX-License-Identifier: Apache-2.0
"""The course of the demo: encode and compare, train and compare, sum up."""

import copy
import json
import os
import platform
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from tilewise.demo import census, corpus, digits, loss_curve, minilm
from tilewise.demo.serving import Serving, StockServing, Tally

QUERIES = (
    "sort a list in place",
    "wait for a child process",
    "remove a folder and everything in it",
    "check whether a string starts with a prefix",
    "multiply two matrices",
)
# What the demo promises; it ends with status 1 and a reason if one is missed.
_MIN_COSINE = 0.99999
_MIN_SERVED = 0.95
_MIN_ACCURACY = 0.97


@dataclass(frozen=True)
class DemoOptions:
    """What the command line chose."""

    device: torch.device
    queries: tuple[str, ...] = ()
    model_folder: Path | None = None
    stock_only: bool = False
    output_folder: Path = Path()
    record: Path | None = None
    steps: int = 400


@dataclass(frozen=True)
class Encoding:
    """Figures of the encoding part; pairs are (Tilewise, stock)."""

    min_cosine: float
    sentences_per_s: tuple[float, float]
    tally: Tally


@dataclass(frozen=True)
class Training:
    """Figures of the training part; pairs are (Tilewise, stock)."""

    accuracy: tuple[float, float]
    max_curve_difference: float
    tally: Tally


def run(options: DemoOptions) -> int:
    """Runs the demo, prints its figures and returns the exit status."""
    console = Console(highlight=False)
    serving = _serving(options)
    device = options.device
    console.print(
        f"[bold]Tilewise demo[/bold] on {device.type} ({_machine(device)}), "
        f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads"
    )
    encoding = _encode(options, serving, console)
    training = _train(options, serving, console)

    kernels, compile_seconds = serving.compiled()
    served = Tally(
        encoding.tally.served + training.tally.served,
        encoding.tally.fallbacks + training.tally.fallbacks,
        encoding.tally.unknown + training.tally.unknown,
    )
    console.print(
        f"\nServed: {served.served} of the calls with a kernel, given back {served.fallbacks}, "
        f"not taken over {served.unknown.total()}; kernels compiled in this process: {kernels} in "
        f"{compile_seconds:.1f} s"
    )
    if served.unknown and not options.stock_only:
        missed = ", ".join(f"{name} {count}" for name, count in served.unknown.most_common(12))
        console.print(f"Not taken over: {missed}")
    figures = {
        "min_cosine": encoding.min_cosine,
        "served_fraction": round(served.fraction(), 4),
        "sentences_per_s": _both(encoding.sentences_per_s, 1),
        "accuracy": _both(training.accuracy, 4),
        "max_curve_difference": training.max_curve_difference,
        "seconds": round(_seconds_since_start(), 1),
    }
    status = _judge(figures, options, console)
    if options.record is not None:
        _write_record(options, figures, serving)
    console.file.flush()
    print(json.dumps(figures), flush=True)  # noqa: T201
    return status


def _serving(options: DemoOptions) -> Serving:
    if options.stock_only:
        return StockServing()
    from tilewise.demo.tilewise_serving import TilewiseServing

    return TilewiseServing()


def _encode(options: DemoOptions, serving: Serving, console: Console) -> Encoding:
    console.rule("1. What does it do? all-MiniLM-L6-v2 reads the installed documentation")
    with console.status("reading docstrings of the standard library and torch"):
        entries = corpus.collect()
    with console.status("loading the model"):
        encoder = minilm.load(options.device, options.model_folder)
    sentences = [entry.sentence for entry in entries]
    batches = encoder.batches(sentences)
    # One batch of each length first, so that the rates below are without compilation.
    lengths = list({batch.ids.shape: batch for batch in reversed(batches)}.values())
    calls_per_batch = census.count_calls(
        lambda: encoder.embed(batches[0]), options.device, serving.taken_over(options.device)
    )
    calls = Counter({name: count * len(batches) for name, count in calls_per_batch.items()})

    with serving.scope(), _progress(console, "compiling", len(lengths)) as progress:
        for batch in lengths:
            encoder.embed(batch)
            progress(1)
    for batch in lengths:
        encoder.embed(batch)
    serving.reset()
    embeddings, expected, rates = _encode_both(encoder, batches, serving, console)
    tally = serving.tally(calls)
    table = serving.table()

    # In float64 and over the lengths, which are 1 only up to float32's rounding.
    cosine = torch.nn.functional.cosine_similarity(embeddings.double(), expected.double())
    console.print(
        f"{len(sentences)} sentences; smallest cosine to stock PyTorch's embedding "
        f"{cosine.min().item():.8f}; {rates[0]:.0f} sentences/s, stock {rates[1]:.0f}"
    )
    queries = list(options.queries or QUERIES)
    with serving.scope():
        answers = encoder.encode(queries) @ embeddings.T
    for query, scores in zip(queries, answers, strict=True):
        best = scores.topk(3)
        console.print(f"\n[bold]{query}[/bold]")
        for score, index in zip(best.values.tolist(), best.indices.tolist(), strict=True):
            entry = entries[index]
            console.print(f"  {score:.2f}  [cyan]{entry.name}[/cyan]  {entry.sentence}")
    if table:
        console.print()
        console.print(table, markup=False, soft_wrap=True)
    return Encoding(cosine.min().item(), rates, tally)


def _encode_both(
    encoder: minilm.Encoder, batches: list[minilm.Batch], serving: Serving, console: Console
) -> tuple[torch.Tensor, torch.Tensor, tuple[float, float]]:
    """Embeddings by Tilewise and by stock PyTorch, and the sentences/s of both.

    The two take turns batch by batch, so that what else the machine does slows both alike.
    """
    total = sum(len(batch.indices) for batch in batches)
    rows: tuple[list[torch.Tensor], list[torch.Tensor]] = ([], [])
    seconds = [0.0, 0.0]
    with _progress(console, "encoding twice", total) as progress:
        for batch in batches:
            scopes: tuple[AbstractContextManager[object], ...] = (serving.scope(), nullcontext())
            for turn, scope in enumerate(scopes):
                start = time.perf_counter()
                with scope:
                    rows[turn].append(encoder.embed(batch))
                    _wait_for(encoder.device)
                seconds[turn] += time.perf_counter() - start
            progress(len(batch.indices))
    ours, stock = (minilm.in_order(part, batches) for part in rows)
    return ours, stock, (total / seconds[0], total / seconds[1])


def _train(options: DemoOptions, serving: Serving, console: Console) -> Training:
    console.print()
    console.rule("2. Training: a vision transformer learns handwritten digits")
    data = digits.load().to(options.device)
    initial = digits.initial_model().to(options.device)
    probe = digits.Trainer(copy.deepcopy(initial), options.steps)
    calls_per_step = census.count_calls(
        lambda: probe.step(data.train_images[:96], data.train_labels[:96]),
        options.device,
        serving.taken_over(options.device),
    )
    calls = Counter({name: count * options.steps for name, count in calls_per_step.items()})

    def train(name: str) -> digits.TrainingResult:
        with _progress(console, f"training, {name}", options.steps) as progress:
            start = time.perf_counter()
            result = digits.train(copy.deepcopy(initial), data, options.steps, progress=progress)
            seconds = time.perf_counter() - start
        console.print(
            f"{name}: loss {result.losses[0]:.3f} -> {result.losses[-1]:.3f}, "
            f"{result.accuracy:.2%} of the test images, {seconds:.1f} s"
        )
        return result

    serving.reset()
    with serving.scope():
        ours = train(serving.name)
    tally = serving.tally(calls)
    table = serving.table()
    stock = train("stock PyTorch")
    difference = digits.largest_relative_difference(ours.losses, stock.losses)
    path = options.output_folder / "demo-loss.png"
    loss_curve.draw({serving.name: ours.losses, "stock PyTorch": stock.losses}, path)
    console.print(
        f"Largest relative difference of the loss curves over {options.steps} steps: "
        f"{difference:.2e} (dropout is off, both runs begin with the same weights); "
        f"drawn in {path}"
    )
    if table:
        console.print()
        console.print(table, markup=False, soft_wrap=True)
    return Training((ours.accuracy, stock.accuracy), difference, tally)


def _write_record(options: DemoOptions, figures: dict[str, object], serving: Serving) -> None:
    assert options.record is not None
    record = {
        "machine": _machine(options.device),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "demo": figures,
        "compilation": serving.compilations(),
    }
    partial = options.record.with_suffix(".partial")
    partial.write_text(json.dumps(record, indent=1) + "\n")
    partial.replace(options.record)


def _machine(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _judge(figures: dict[str, object], options: DemoOptions, console: Console) -> int:
    accuracy = figures["accuracy"]
    assert isinstance(accuracy, dict)
    claims = {
        f"every cosine >= {_MIN_COSINE}": float(str(figures["min_cosine"])) >= _MIN_COSINE,
        f"test accuracy >= {_MIN_ACCURACY:.0%}": min(accuracy.values()) >= _MIN_ACCURACY,
    }
    if not options.stock_only:
        served = float(str(figures["served_fraction"]))
        claims[f"served calls >= {_MIN_SERVED:.0%}"] = served >= _MIN_SERVED
    for claim, holds in claims.items():
        console.print(f"[green]holds[/green]  {claim}" if holds else f"[red]MISSED[/red] {claim}")
    return 0 if all(claims.values()) else 1


@contextmanager
def _progress(console: Console, what: str, total: int) -> Iterator["_Advance"]:
    columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        yield _Advance(progress, progress.add_task(what, total=total))


class _Advance:
    """A progress bar as the parts see it: a function of how much was done."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def __call__(self, count: int) -> None:
        self._progress.advance(self._task, count)


def _both(pair: tuple[float, float], digits_kept: int) -> dict[str, float]:
    return {"tilewise": round(pair[0], digits_kept), "stock": round(pair[1], digits_kept)}


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _seconds_since_start() -> float:
    """Age of the process, imports included, which are a good part of a second run."""
    started_ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    boot_seconds = float(Path("/proc/uptime").read_text().split()[0])
    return boot_seconds - started_ticks / os.sysconf("SC_CLK_TCK")
