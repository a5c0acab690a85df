# SPDX-License-Identifier: Apache-2.0
"""The loss curves of two training runs as a PNG."""

from pathlib import Path
from typing import Any


def draw(curves: dict[str, list[float]], path: Path) -> None:
    """Writes the curves, one line each, and below them how far the first two are apart."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (upper, lower) = pyplot.subplots(
        2, 1, sharex=True, figsize=(8, 6), height_ratios=(3, 1), layout="constrained"
    )
    styles: tuple[dict[str, Any], ...] = (
        {"linewidth": 3.0, "alpha": 0.45},
        {"linewidth": 1.0, "linestyle": "--"},
    )
    for (name, losses), style in zip(curves.items(), styles, strict=True):
        upper.plot(losses, label=name, **style)
    upper.set(ylabel="cross entropy of the batch", yscale="log")
    upper.set_title("Vision transformer on handwritten digits, from one initial model")
    upper.legend()
    first, second = curves.values()
    lower.plot([abs(a - b) / abs(b) for a, b in zip(first, second, strict=True)], color="tab:red")
    lower.set(ylabel="relative difference", xlabel="step")
    # Under another name first: a run that is stopped leaves no half picture.
    partial = path.with_suffix(".partial")
    figure.savefig(partial, format="png", dpi=120)
    pyplot.close(figure)
    partial.replace(path)
