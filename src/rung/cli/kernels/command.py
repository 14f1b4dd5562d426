"""`rung kernels`: every numbered kernel; check them, time them."""

from __future__ import annotations

import json as json_format
from typing import TYPE_CHECKING

import typer

from rung.cli import options
from rung.cli.kernels import bench as kernels_bench
from rung.cli.kernels import check as kernels_check
from rung.cli.tables import print_table

if TYPE_CHECKING:
    from rung.bench.kernels.survey import Standing

app = typer.Typer(name="kernels", help="List, check and time the numbered kernels of every op.")
app.command("check")(kernels_check.check)
app.command("bench")(kernels_bench.bench)


@app.callback(invoke_without_command=True)
def kernels(context: typer.Context) -> None:
    """List, check and time the numbered kernels of every op. Without a command, list them."""
    if context.invoked_subcommand is None:
        list_kernels()


@app.command("list")
def list_kernels(
    op: options.OptionalOp = None,
    backend: options.KernelBackend = "cpu",
    kind: options.WeightType = None,
    json: options.Json = False,
) -> None:
    """List kernels: what each is for, which run here, and which of them this machine takes."""
    from rung.backends import NAMES
    from rung.bench.kernels.survey import survey
    from rung.bench.kernels.targets import find_op, load_backend
    from rung.errors import UsageError
    from rung.registry import OPS

    load_backend(backend)
    ops = [find_op(op)] if op is not None else list(OPS.values())
    found = [standing for known in ops for standing in survey(known, backend, kind=kind)]
    if not found and kind is None:
        raise UsageError(f"{op} has no {backend} kernels; --backend takes {', '.join(NAMES)}")
    if not found:
        raise UsageError(f"no {backend} kernel takes weights of type {kind}")
    if json:
        print(json_format.dumps([_facts(standing) for standing in found], indent=2))
        return
    rows = [(s.kernel.name, _why(s), ", ".join(s.types), _standing(s)) for s in found]
    print_table(("kernel", "why", "for example", "here"), rows, left=4)


def _why(standing: Standing) -> str:
    kernel = standing.kernel
    return f"{kernel.why} ({kernel.terms})" if kernel.terms else kernel.why


def _standing(standing: Standing) -> str:
    if standing.why_not:
        return f"not here: {standing.why_not}"
    return "* " + " and ".join(standing.selected) if standing.selected else ""


def _facts(standing: Standing) -> dict[str, object]:
    kernel = standing.kernel
    return {
        "op": kernel.op.name,
        "form": kernel.form,
        "backend": kernel.backend,
        "version": kernel.version,
        "why": kernel.why,
        "needs": [*kernel.needs, *kernel.options.get("features", ())],
        "tokens": list(kernel.tokens),
        "types": dict(text.split() for text in standing.types),
        "selected": list(standing.selected),
        "runs_here": not standing.why_not,
        "why_not": standing.why_not,
    }
