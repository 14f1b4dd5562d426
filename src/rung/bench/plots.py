"""Drawings of measurements: the machine, a ladder beside its limit, the roofline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.bench.machine.limits import Limits
from rung.errors import UsageError

if TYPE_CHECKING:
    from rung.bench.kernels.rows import Row

_SUFFIXES = (".png", ".svg")


def check_plot_file(path: Path) -> None:
    """Raises UsageError where no drawing can be written there: before anything is measured."""
    if path.suffix.lower() not in _SUFFIXES:
        raise UsageError(f"--plot {path}: expected a name that ends in .png or .svg")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"--plot {path}: there is no folder {path.parent}")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise UsageError('--plot needs matplotlib: pip install "rung[plot]"') from None


def _figure(width: float, height: float, columns: int) -> tuple[Any, Any]:
    """A figure that needs no screen, with axes side by side."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, columns, squeeze=False)[0]


def plot_machine(name: str, measured: Sequence[Limits], path: Path) -> None:
    """Bandwidth by working set, and the rates of products, for each number of threads."""
    figure, (left, right) = _figure(11, 4.5, 2)
    for limits in measured:
        sizes = [size / 2**20 for size, _ in limits.sweep]
        left.plot(sizes, [gbs for _, gbs in limits.sweep], "o-", label=_threads(limits.threads))
    left.set(xscale="log", yscale="log", xlabel="working set, MiB", ylabel="GB/s read")
    left.set_title(name)
    left.legend()
    kinds = list(measured[0].peaks)
    height = 0.8 / len(measured)
    for index, limits in enumerate(measured):
        places = [row + index * height for row in range(len(kinds))]
        rates = [limits.peaks[kind].gops for kind in kinds]
        bars = right.barh(places, rates, height, label=_threads(limits.threads))
        right.bar_label(bars, fmt="%.0f", padding=3)
    right.set_yticks([row + 0.4 - height / 2 for row in range(len(kinds))], kinds)
    right.set(xlabel="Gop/s, a multiply-add being two", title="products")
    right.margins(x=0.15)
    right.legend()
    figure.savefig(path)


def plot_ladders(rows: Sequence[Row], limits: Sequence[Limits], path: Path) -> None:
    """Each version as a share of the limit, and all of them under the roofline."""
    figure, (left, right) = _figure(14, max(4.5, 1.5 + 0.3 * len(rows)), 2)
    labels = [_label(row, rows) for row in rows]
    places = range(len(rows), 0, -1)
    colors = [f"C{row.version - 1}" for row in rows]
    bars = left.barh(places, [100 * row.fraction_of_limit for row in rows], color=colors)
    left.bar_label(bars, [_time(row.p50_s) for row in rows], padding=3)
    left.set_yticks(list(places), labels)
    left.axvline(100, color="black", linestyle="--", linewidth=1)
    left.set(xlabel="% of the machine's limit", title="time of a run, median")
    left.margins(x=0.15)
    _roofline(right, rows, limits)
    figure.savefig(path)


def _roofline(axes: Any, rows: Sequence[Row], limits: Sequence[Limits]) -> None:
    """Operations a second against operations a byte, and the limits as lines."""
    computing = [row for row in rows if row.gflop_per_s > 0]
    per_byte = [row.gflop_per_s / row.gb_per_s for row in computing] or [1.0]
    ends = min(per_byte) / 4, max(per_byte) * 4
    for known in limits:
        for kind, peak in known.peaks.items():
            knee = peak.gops / known.read_gbs
            xs = sorted({*ends, min(max(knee, ends[0]), ends[1])})
            ys = [min(peak.gops, x * known.read_gbs) for x in xs]
            axes.plot(xs, ys, linewidth=1, label=f"{kind}, {_threads(known.threads)}")
    for row in computing:
        place = (row.gflop_per_s / row.gb_per_s, row.gflop_per_s)
        axes.plot(*place, "o", color=f"C{row.version - 1}")
        axes.annotate(
            f"{row.form} {row.version}".strip(),
            place,
            xytext=(5, -3),
            fontsize=7,
            textcoords="offset points",
        )
    axes.set(xscale="log", yscale="log", xlabel="operations a byte", ylabel="Gop/s")
    axes.set_title("roofline, reading from memory")
    axes.legend(fontsize=8)


def _label(row: Row, rows: Sequence[Row]) -> str:
    """What tells a row from the others."""
    form = f":{row.form}" if row.form else ""
    words = [f"{row.op}{form} {row.version}"]
    words += [f"{k}={v}" for k, v in row.shape.items() if len({r.shape.get(k) for r in rows}) > 1]
    if len({other.workgroup for other in rows}) > 1:
        words.append(f"workgroup={row.workgroup}")
    if len({other.threads for other in rows}) > 1:
        words.append(f"threads={row.threads}")
    if len({other.parts_per_thread for other in rows}) > 1:
        words.append(f"parts={row.parts_per_thread}")
    return " ".join(words)


def _threads(count: int) -> str:
    if not count:
        return "GPU"
    return f"{count} thread{'s' if count > 1 else ''}"


def _time(seconds: float) -> str:
    if seconds < 1e-3:
        return f"{seconds * 1e6:.3g} µs"
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
