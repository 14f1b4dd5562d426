"""The matrix: every kernel on every case of its op that it accepts, for `rung kernels check`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import numpy as np

from rung.backends.base import KernelBackend
from rung.bench.kernels.check import Outcome, case_inputs, reference, run_inputs
from rung.bench.kernels.shapes import show
from rung.bench.kernels.targets import Case, accepts, weight_name
from rung.registry import Kernel, Op
from rung.storage import F32

Progress = Callable[[str], None]


@dataclass
class Verdict:
    """What became of one kernel: its worst case, by the share of the allowed error."""

    kernel: Kernel
    cases: int = 0
    failures: int = 0
    share: float = 0.0  # NaN where a value was missing
    error: float = 0.0
    worst_case: str = ""

    @property
    def ok(self) -> bool:
        """Whether it computed the reference in every case."""
        return not self.failures

    def add(self, outcome: Outcome, case: str) -> None:
        """Counts one more case."""
        self.cases += 1
        self.failures += not outcome.ok
        # A missing value is worse than any error, and stays.
        if not self.worst_case or outcome.share > self.share or np.isnan(outcome.share):
            if np.isnan(self.share):
                return
            self.share, self.error, self.worst_case = outcome.share, outcome.worst, case


def check_op(
    op: Op,
    backend: KernelBackend,
    *,
    form: str | None = None,
    kind: str | None = None,
    versions: Collection[int] = (),
    progress: Progress = lambda what: None,
) -> Iterator[Verdict]:
    """Checks an op's kernels of a backend on all its cases; one verdict a kernel.

    A kernel without a case has accepted none: its verdict counts no cases.
    """
    kernels = [
        kernel
        for kernel in sorted(op.kernels, key=lambda kernel: (kernel.form, kernel.version))
        if kernel.backend == backend.name
        and form in (None, kernel.form)
        and (not versions or kernel.version in versions)
    ]
    verdicts = {kernel.name: Verdict(kernel) for kernel in kernels}
    weight = weight_name(op)
    for case in op.cases:
        types = case.get("types", {})
        if kind is not None and (weight is None or types.get(weight, F32).name != kind):
            continue
        taking = [kernel for kernel in kernels if accepts(kernel, case)]
        if not taking:
            continue
        inputs = case_inputs(op, case)
        expected = reference(op, inputs, case)
        for kernel in taking:
            progress(f"{kernel.name} {show(op, case)}")
            outcome = run_inputs(kernel, case, inputs, expected, backend)
            verdicts[kernel.name].add(outcome, describe(op, case))
    yield from (v for v in verdicts.values() if v.cases or kind is None)


def describe(op: Op, case: Case) -> str:
    """A case in full: sizes, what else it is made with, types."""
    sizes = show(op, case)
    shown = {word.partition("=")[0] for word in sizes.split()} | {"types"}
    others = [f"{key}={value}" for key, value in case.items() if key not in shown]
    kinds = [f"{name} {kind.name}" for name, kind in case.get("types", {}).items()]
    return " ".join([sizes, *others, *kinds])
