"""One run of a profile's trace as a picture: a lane for each track, a color for each op.

rung generate model.gguf --profile trace.json
python tools/trace_picture.py trace.json run.svg --run 20
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

Event = dict[str, Any]


def lanes(trace: dict[str, Any], run: int) -> tuple[float, dict[str, list[Event]]]:
    """When the run-th program starts, in µs, and the spans of its time by track.

    Raises SystemExit where there are not so many programs.
    """
    events = trace["traceEvents"]
    names = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    spans = [e for e in events if e["ph"] == "X"]
    programs = [e for e in spans if names[e["tid"]] == "programs"]
    if not 0 <= run < len(programs):
        raise SystemExit(f"there is no run {run}, only 0 to {len(programs) - 1}")
    start = programs[run]["ts"]
    end = start + programs[run]["dur"]
    found: dict[str, list[Event]] = {}
    for event in spans:
        computed = "kernel" in event["args"]
        if (computed or event["name"] == "wait") and start <= event["ts"] < end:
            lane = found.setdefault(names[event["tid"]], [])
            lane += [event] if computed else []
    return start, dict(sorted(found.items()))


def draw(start: float, tracks: dict[str, list[Event]], path: Path) -> None:
    """Writes the picture."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    took: dict[str, float] = {}
    for event in (event for events in tracks.values() for event in events):
        took[event["args"]["op"]] = took.get(event["args"]["op"], 0) + event["dur"]
    colors = colormaps["tab20"].colors
    ops = sorted(took, key=lambda op: -took[op])
    color_of = {op: colors[index % len(colors)] for index, op in enumerate(ops)}
    figure = Figure(figsize=(10, 0.9 + 0.5 * len(tracks)), layout="constrained")
    axes = figure.subplots()
    for lane, events in enumerate(tracks.values()):
        axes.broken_barh(
            [(event["ts"] - start, event["dur"]) for event in events],
            (lane - 0.4, 0.8),
            color=[color_of[event["args"]["op"]] for event in events],
        )
    axes.set_yticks(range(len(tracks)), list(tracks))
    axes.invert_yaxis()
    axes.set_xlabel("µs; what is white is waiting")
    handles = [Patch(color=color, label=op) for op, color in color_of.items()]
    figure.legend(handles=handles, ncols=6, loc="outside upper center", fontsize="small")
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def main() -> None:
    """Reads a trace and draws one run of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trace", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--run", type=int, default=1, help="which program, from 0")
    given = parser.parse_args()
    start, tracks = lanes(json.loads(given.trace.read_text(encoding="utf-8")), given.run)
    draw(start, tracks, given.picture)


if __name__ == "__main__":
    main()
