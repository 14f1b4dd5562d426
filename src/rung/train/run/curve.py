"""The loss curve as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

_SMOOTHED = 50  # steps of the running mean
_WIDE = 5  # the greatest loss beside the least, from which on their axis is logarithmic


def can_draw() -> bool:
    """Whether matplotlib is there."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draws losses by step: each, their running mean, and those of validation."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    trained = _points(rows, "loss")
    if trained:
        steps, losses = zip(*trained, strict=True)
        axes.plot(steps, losses, color="C0", alpha=0.3, linewidth=0.8)
        axes.plot(steps, _running_mean(losses), color="C0", label="training, running mean")
    held = _points(rows, "val_loss")
    if held:
        axes.plot(*zip(*held, strict=True), "o-", color="C1", markersize=3, label="validation")
    if trained or held:
        axes.legend()
    axes.set(xlabel="step", ylabel="loss, nats a token")
    positive = [loss for _, loss in (*trained, *held) if loss > 0]
    if positive and max(positive) > _WIDE * min(positive):
        _spread(axes)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


def _spread(axes: Any) -> None:
    """A logarithmic axis, with plain numbers: else the end of the curve is a flat line."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _points(rows: Sequence[dict[str, Any]], name: str) -> list[tuple[int, float]]:
    """Steps and what they have under a name; what is no number is left out."""
    return [(row["step"], row[name]) for row in rows if isinstance(row.get(name), (int, float))]


def _running_mean(losses: Sequence[float]) -> list[float]:
    width = max(1, min(_SMOOTHED, len(losses) // 10))
    means = []
    for index in range(len(losses)):
        part = losses[max(0, index + 1 - width) : index + 1]
        means.append(sum(part) / len(part))
    return means
