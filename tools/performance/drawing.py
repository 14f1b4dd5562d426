"""A Picture as SVG: the same data give the same bytes with one version of matplotlib."""

from __future__ import annotations

import io
from itertools import zip_longest
from typing import Any

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from performance.pictures import Panel, Picture

_COLORS = ("#1f6f8b", "#b8b8b8", "#d98324", "#6a994e")
_BAR, _GAP, _FRAME = 0.24, 0.35, 0.75  # inches: a bar, the gap as bars, title and axis of a panel
_WIDTH = 10.0
_STYLE: Any = {
    "svg.hashsalt": "rung",
    "svg.fonttype": "none",  # letters stay letters: a tenth of the size, and they can be searched
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def svg(picture: Picture) -> bytes:
    """The file, without a date; its description is the picture's digest."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        buffer = io.BytesIO()
        metadata = {"Date": None, "Creator": None, "Description": picture.digest}
        _figure(picture).savefig(buffer, format="svg", metadata=metadata)
    # Matplotlib leaves spaces at the ends of lines, which editors and hooks take away.
    lines = buffer.getvalue().decode("utf-8").splitlines()
    return "".join(line.rstrip() + "\n" for line in lines).encode("utf-8")


def _figure(picture: Picture) -> Figure:
    n = picture.columns
    grid = [picture.panels[at : at + n] for at in range(0, len(picture.panels), n)]
    heights = [_FRAME + max(map(_height, panels)) for panels in grid]
    figure = Figure(figsize=(_WIDTH, sum(heights) + 0.7), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.subplots(len(grid), n, squeeze=False, height_ratios=heights)
    for row, panels in zip(axes, grid, strict=True):
        for ax, panel in zip_longest(row, panels):
            if panel is None:
                ax.set_axis_off()
            else:
                _draw(ax, panel, picture)
                ax.set_xlabel(picture.axis if panel in picture.panels[-n:] else "", fontsize=8)
    figure.suptitle(picture.title, fontsize=11)
    handles = [Patch(color=_COLORS[i]) for i in range(len(picture.series))]
    if len(handles) > 1:
        figure.legend(handles, picture.series, loc="outside lower center", ncols=len(handles))
    return figure


def _height(panel: Panel) -> float:
    return _BAR * (panel.bars + _GAP * len(panel.groups))


def _draw(ax: Any, panel: Panel, picture: Picture) -> None:
    """Groups from top to bottom, the words at the ends of their bars."""
    start = 1.0 if picture.logarithmic else 0.0
    at, ticks = 0.0, []
    for group in panel.groups:
        ticks.append(at + (len(group.bars) - 1) / 2)
        for bar in group.bars:
            end = start if bar.value is None else bar.value
            ax.barh(at, end - start, 0.9, left=start, color=_COLORS[bar.series])
            place = (max(end, start), at)
            note = ax.annotate(bar.note, place, (4, 0), textcoords="offset points", va="center")
            note.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.5})
            at += 1
        at += _GAP
    ax.set_yticks(ticks, [group.label for group in panel.groups])
    ax.set_ylim(at - _GAP - 0.5, -0.5)
    longest = max(bar.value or start for group in panel.groups for bar in group.bars)
    if picture.logarithmic:
        # Words beside the longest bar need about 45% of the axis, which is one in logarithms.
        ax.set_xscale("log")
        ax.set_xlim(1, max(longest, 10) ** 1.8)
        ax.xaxis.set_major_formatter("{x:g}")
        ax.minorticks_off()
    else:
        ax.set_xlim(0, 1.35 * max(longest, picture.limit or 0) or 1)
    if picture.limit is not None:
        ax.axvline(picture.limit, color="black", linestyle="--", linewidth=1)
    ax.set_title(panel.title, fontsize=9, loc="left", fontweight="bold")
    ax.tick_params(axis="y", length=0)
