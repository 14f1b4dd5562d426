"""Rows: what was measured of one kernel, beside what the machine could do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rung.bench.kernels.prepare import Prepared
from rung.bench.kernels.runner import Entry
from rung.bench.kernels.shapes import letters
from rung.bench.kernels.targets import activation_type, weight_name
from rung.bench.machine.limits import Limits
from rung.bench.results import origin
from rung.errors import KernelError
from rung.registry import PARTS, Cost
from rung.storage import F32
from rung.wgsl.call import WORKGROUP

READING = "reading"


@dataclass(frozen=True)
class Bound:
    """The least time that a machine needs for some operations and bytes, and what it waits for."""

    seconds: float
    by: str  # READING, or the type whose products take longer


@dataclass(frozen=True)
class Row:
    """One kernel, one shape, one number of threads.

    Times are seconds of one run: wall-clock, or by the GPU's own clock. A GPU has 0 threads and
    parts; workgroup is the size of its workgroups where the kernel leaves it open, else 0.
    """

    op: str
    form: str
    version: int
    backend: str
    dtype: str  # storage type of the weights, or of what is computed where there are none
    activations: str
    shape: Mapping[str, int]
    threads: int
    parts_per_thread: int
    workgroup: int
    copies: int  # of the weights; with one, they stay in the cache where they fit
    samples: int
    p20_s: float
    p50_s: float
    p80_s: float
    gb_per_s: float
    gflop_per_s: float
    limit_s: float
    limited_by: str
    fraction_of_limit: float
    speedup_over_1: float | None
    selected: bool
    worst_error_of_allowed: float
    machine: str
    features: str  # what RUNG_CPU_FEATURES says, or ALL_FEATURES
    instructions: Sequence[str]  # the notable features in use
    rung: str
    commit: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def bound(cost: Cost, limits: Limits, *, rate: str, read_gbs: float) -> Bound:
    """The roofline: the longer of operations at the type's rate, and bytes at the bandwidth.

    Source: Williams, Waterman and Patterson, Roofline, 2009. Raises KernelError where the rate of
    that type was not measured.
    """
    if rate not in limits.peaks:
        known = ", ".join(limits.peaks)
        raise KernelError(f"no rate of {rate} was measured on this machine; there are: {known}")
    arithmetic = cost.flops / (limits.peaks[rate].gops * 1e9)
    reading = cost.bytes / (read_gbs * 1e9)
    return Bound(arithmetic, rate) if arithmetic > reading else Bound(reading, READING)


def rate_of(entry: Entry, prepared: Prepared) -> str:
    """The type whose products a kernel is measured by: its option `rate`, or its activations'."""
    if "rate" in entry.kernel.options:
        return str(entry.kernel.options["rate"])
    kind = activation_type(prepared.op, prepared.case.get("types", {}))
    return "f32" if kind.startswith("f") else "int8"


def make_row(
    entry: Entry,
    prepared: Prepared,
    limits: Limits,
    *,
    first: Entry | None,
    selected: bool,
) -> Row:
    """The row of an entry that was timed; `first` is version 1 in the same conditions."""
    assert entry.outcome is not None
    op, cost = prepared.op, prepared.cost
    p20, p50, p80 = (float(value) for value in np.percentile(entry.samples, (20, 50, 80)))
    from_memory = len(prepared.copies) > 1
    read_gbs = limits.read_gbs if from_memory else limits.read_gbs_at(cost.bytes)
    least = bound(cost, limits, rate=rate_of(entry, prepared), read_gbs=read_gbs)
    types, weight = prepared.case.get("types", {}), weight_name(op)
    activations = activation_type(op, types)
    over = None
    if first is not None and first.samples:
        over = float(np.median(first.samples)) / p50
    own = entry.kernel.options
    per_thread = entry.parts or own["split"].per_thread or PARTS if "split" in own else 0
    return Row(
        op=op.name,
        form=entry.kernel.form,
        version=entry.kernel.version,
        backend=entry.kernel.backend,
        dtype=activations if weight is None else types.get(weight, F32).name,
        activations=activations,
        shape={letter: prepared.case[letter] for letter in letters(op)},
        threads=entry.threads,
        parts_per_thread=per_thread,
        workgroup=entry.workgroup or int(own.get(WORKGROUP, 0)),
        copies=len(prepared.copies),
        samples=len(entry.samples),
        p20_s=p20,
        p50_s=p50,
        p80_s=p80,
        gb_per_s=cost.bytes / p50 / 1e9,
        gflop_per_s=cost.flops / p50 / 1e9,
        limit_s=least.seconds,
        limited_by=least.by,
        fraction_of_limit=least.seconds / p50,
        speedup_over_1=over,
        selected=selected,
        worst_error_of_allowed=entry.outcome.share,
        **origin(entry.backend.origin),
    )
