"""Every kernel and whether it runs here, for `rung kernels`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rung.bench.kernels.shapes import DECODE, PROMPT, cases
from rung.bench.kernels.targets import Target, accepts, example, forms, lacks, ladder, selected
from rung.errors import UsageError
from rung.registry import Kernel, Op

_PHASES = {DECODE: "decode", PROMPT: "prompt"}


@dataclass(frozen=True)
class Standing:
    """A kernel on this machine."""

    kernel: Kernel
    types: tuple[str, ...]  # storage types of the inputs that are not float32, for an example
    selected: tuple[str, ...]  # of decode and prompt: where it is what runs
    why_not: str  # empty where it runs here


def survey(op: Op, backend: str, *, kind: str | None = None) -> Iterator[Standing]:
    """All kernels of an op on a backend, form by form, oldest first.

    kind: only those that take weights of this storage type. Raises UsageError for an unknown one.
    """
    for form in forms(op, backend):
        target = example(op, backend, form, kind=kind)
        if target is None:
            continue
        chosen = _chosen(target)
        for kernel in ladder(op, backend, form):
            phases = tuple(name for name, best in chosen.items() if best is kernel)
            types = tuple(f"{name} {kind.name}" for name, kind in target.types.items())
            yield Standing(kernel, types, phases, _why_not(kernel))


def _chosen(target: Target) -> dict[str, Kernel | None]:
    """What runs for each phase, on the shapes that are benchmarked."""
    found = {}
    for tokens, phase in _PHASES.items():
        try:
            [case] = cases(target, tokens=[tokens])
        except UsageError:
            continue  # no such shape in these types
        found[phase] = selected(target.op, target.backend, case)
    return found


def _why_not(kernel: Kernel) -> str:
    if kernel.missing:
        return f"this processor lacks {', '.join(kernel.missing)}"
    if lack := lacks(kernel):
        return lack
    if any(accepts(kernel, case) for case in kernel.op.cases):
        return ""
    return "accepts none of its op's cases here"
