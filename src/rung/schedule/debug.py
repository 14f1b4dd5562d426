"""What RUNG_SCHED_DEBUG tells on stderr: plans as they are made, and runs as they end."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

from rung import env
from rung.errors import UsageError
from rung.schedule.plan import Plan
from rung.schedule.profile.runs import Run
from rung.schedule.show import lines
from rung.schedule.units import size_text, time_text


def debug_level() -> int:
    """0, 1 or 2, as the user says. Raises UsageError for anything else."""
    text = env.SCHED_DEBUG.get() or "0"
    if text not in ("0", "1", "2"):
        raise UsageError(f"RUNG_SCHED_DEBUG is {text!r}, expected 0, 1 or 2")
    return int(text)


def tell_plan(plan: Plan) -> None:
    """Splits, copies, nodes with their causes."""
    _say(lines(plan))


def tell_run(run: Run) -> None:
    """Sizes, the plan's batch, what the host's time went to."""
    stages = "".join(
        f", {stage.facts.engine} {time_text((stage.end_ns - stage.start_ns) / 1e9)}"
        for stage in run.stages
    )
    copied = sum(copy.size_bytes for copy in run.copies)
    copying = time_text(sum(copy.end_ns - copy.start_ns for copy in run.copies) / 1e9)
    copies = f", {size_text(copied)} copied in {len(run.copies)}: {copying}" if run.copies else ""
    took = time_text((run.end_ns - run.start_ns) / 1e9)
    planned = run.plan.problem.sizes["T"]
    _say([f"## RUN {_named(run.sizes)} # plan of T={planned} # {took}{stages}{copies}"])


def _named(sizes: Mapping[str, int]) -> str:
    return " ".join(f"{name}={size}" for name, size in sizes.items())


def _say(said: Iterable[str]) -> None:
    # In one piece, so that other threads' lines do not come between.
    sys.stderr.write("".join(f"{line}\n" for line in said))
    sys.stderr.flush()
