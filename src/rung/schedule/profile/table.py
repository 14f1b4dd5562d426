"""A profile's summary as text: a table of kernels, one of layers, for prompts and for decoding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rung.schedule.profile.summary import PhaseSummary, Row, Summary
from rung.schedule.units import size_text, time_text

_COLUMNS = ("calls", "total", "share", "a call", "predicted", "GB/s", "GFLOP/s")


def summary_text(summary: Summary) -> str:
    """All tables, and what is missing in them."""
    parts = [_phase_text(phase) for phase in summary.phases]
    return "\n\n".join([*(parts or ["nothing ran"]), *summary.gaps])


def _phase_text(phase: PhaseSummary) -> str:
    several = len({row.backend for row in phase.kernels}) > 1
    rows = [_cells(row, phase.wall_s, several=several) for row in phase.kernels]
    rows += [
        [name, calls, time_text(seconds), _share(seconds, phase.wall_s)]
        for name, calls, seconds in _others(phase)
        if seconds
    ]
    a_run = (time_text(seconds / phase.runs) for seconds in (phase.wall_s, phase.predicted_s))
    rows.append(["all, by runs", str(phase.runs), time_text(phase.wall_s), _share(1, 1), *a_run])
    layers = [_cells(row, phase.wall_s, several=False) for row in phase.layers]
    return "\n".join(
        [
            _title(phase),
            *_table(("kernel", *_COLUMNS), rows),
            "",
            *_table(("layers", *_COLUMNS), layers),
        ]
    )


def _title(phase: PhaseSummary) -> str:
    a_token = time_text(phase.wall_s / phase.tokens) if phase.tokens else "no time"
    return (
        f"{phase.name}: {_many(phase.tokens, 'token')} in {_many(phase.runs, 'run')}, "
        f"{time_text(phase.wall_s)}, {a_token} a token"
    )


def _others(phase: PhaseSummary) -> list[tuple[str, str, float]]:
    """Where the time goes that no kernel takes: what, how often, seconds."""
    copied = f"copies ({size_text(phase.copied_bytes)})"
    return [
        ("waiting for other threads", "", phase.waiting_s if phase.waiting_s > 1e-9 else 0.0),
        (copied, str(phase.copies), phase.copies_s),
        ("starting programs", "", phase.starting_s),
        ("making batches", "", phase.engine_s),
        ("sampling", "", phase.sampling_s),
        ("between steps (the caller)", "", phase.between_s),
    ]


def _cells(row: Row, wall_s: float, *, several: bool) -> list[str]:
    return [
        f"{row.name} on {row.backend}" if several else row.name,
        str(row.calls),
        time_text(row.total_s),
        _share(row.total_s, wall_s),
        time_text(row.calls_s / row.calls),
        time_text(row.predicted_s / row.calls),
        f"{row.gbs:.1f}",
        f"{row.gflops:.1f}",
    ]


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else ""


def _many(count: int, one: str) -> str:
    return f"{count:,} {one}{'' if count == 1 else 's'}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table; the first column is text, the others are numbers."""
    padded = [[*row, *[""] * (len(columns) - len(row))] for row in (columns, *rows)]
    widths = [max(map(len, column)) for column in zip(*padded, strict=True)]
    return [
        "  ".join(
            [row[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        ).rstrip()
        for row in padded
    ]
