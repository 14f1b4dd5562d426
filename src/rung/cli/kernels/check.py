"""`rung kernels check`: every kernel on every case of its op, beside the float64 reference."""

from __future__ import annotations

import json as json_format
from typing import TYPE_CHECKING, Any

import typer

from rung.cli import options
from rung.cli.numbers import numbers
from rung.cli.progress import doing

if TYPE_CHECKING:
    from rung.bench.kernels.matrix import Verdict

FAILED = 1


def check(
    op: options.OptionalOp = None,
    backend: options.KernelBackend = "cpu",
    form: options.Form = None,
    kind: options.WeightType = None,
    version: options.Versions = None,
    threads: options.Threads = None,
    json: options.Json = False,
) -> None:
    """Check kernels against their op's float64 reference on all its test cases.

    Prints a line a kernel: its worst error, as a share of what is allowed. The exit status is 1
    when one computes something else.
    """
    from rung.bench.kernels.matrix import check_op
    from rung.bench.kernels.targets import find_form, find_op, load_backend, opened
    from rung.errors import UsageError
    from rung.registry import OPS

    load_backend(backend)
    versions = numbers(version, "--version")
    ops = [find_op(op)] if op is not None else list(OPS.values())
    if form is not None:
        if op is None:
            raise UsageError("--form needs an OP, for forms are names of an op's ladders")
        find_form(ops[0], backend, form)
    verdicts: list[Verdict] = []
    with opened(backend, threads) as processor, doing() as progress:
        for known in ops:
            for verdict in check_op(
                known, processor, form=form, kind=kind, versions=versions, progress=progress
            ):
                verdicts.append(verdict)
                if not json:
                    print(_line(verdict), flush=True)
    if not verdicts:
        raise UsageError("no kernel is of that form, type and version; see rung kernels list")
    failed = [verdict for verdict in verdicts if not verdict.ok]
    if json:
        print(json_format.dumps([_facts(verdict) for verdict in verdicts], indent=2))
    else:
        cases = sum(verdict.cases for verdict in verdicts)
        print(f"{len(verdicts)} kernels, {cases} cases, {len(failed)} failed")
    if failed:
        raise typer.Exit(FAILED)


def _line(verdict: Verdict) -> str:
    name = f"{verdict.kernel.name:<26}"
    if not verdict.cases:
        missing = ", ".join(verdict.kernel.missing)
        why = f": lacks {missing}" if missing else f": {lack}" if (lack := _lack(verdict)) else ""
        return f"none  {name} accepts no case here{why}"
    result = "ok  " if verdict.ok else "FAIL"
    text = (
        f"{result}  {name} {verdict.cases:3d} cases, {_share(verdict.share)} of the allowed error"
    )
    if verdict.ok:
        return text
    return f"{text}; {verdict.failures} failed, the worst: {verdict.worst_case}"


def _lack(verdict: Verdict) -> str:
    from rung.bench.kernels.targets import lacks

    return lacks(verdict.kernel)


def _share(share: float) -> str:
    return "values missing instead" if share != share else f"{100 * share:6.1f}%"


def _facts(verdict: Verdict) -> dict[str, Any]:
    kernel = verdict.kernel
    return {
        "op": kernel.op.name,
        "form": kernel.form,
        "backend": kernel.backend,
        "version": kernel.version,
        "ok": verdict.ok,
        "cases": verdict.cases,
        "failures": verdict.failures,
        "worst_error": _finite(verdict.error),
        "worst_error_of_allowed": _finite(verdict.share),
        "worst_case": verdict.worst_case,
    }


def _finite(value: float) -> float | None:
    """A number that JSON has; None for a missing value, and for an error where none is allowed."""
    return value if abs(value) < float("inf") else None
