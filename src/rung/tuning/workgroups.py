"""How large workgroups are best on a GPU: measured for the kernels that leave it open.

Each is timed where it runs by default, for one token and for several, with weights from memory.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rung import ops
from rung.backends.webgpu.backend import WebGpuBackend
from rung.backends.webgpu.program import GpuProgram
from rung.registry import Kernel
from rung.storage import F32, storage_type
from rung.tuning.measure import Subject, chain, subject_node
from rung.tuning.tune import Progress
from rung.wgsl.call import WORKGROUP

SIZES = (32, 64, 128, 256)
"""Threads of a workgroup that are tried."""

# As products of a model of a billion parameters: output of attention, and down.
_MATRICES = ({"N": 2048, "K": 2048}, {"N": 2048, "K": 5632})
_TOKENS = (1, 8)
_MOST_COPIES = 24
_SAMPLES = 5
_MOST_S = 0.5  # of turns with one matrix, where runs take long
# Another size than the kernel's own only where it is faster by so much.
_BETTER = 0.97


@dataclass(frozen=True)
class Sweep:
    """A kernel's own size of workgroups, and the seconds that products take at each size."""

    own: int
    seconds: Mapping[int, float]

    @property
    def best(self) -> int:
        """The fastest size; the kernel's own where none is faster by more than chance."""
        fastest = min(self.seconds, key=lambda size: self.seconds[size])
        return fastest if self.seconds[fastest] <= _BETTER * self.seconds[self.own] else self.own


@dataclass(frozen=True)
class Swept:
    """A sweep for each kernel by name, and the names of what there was no time for."""

    sweeps: Mapping[str, Sweep]
    left_out: tuple[str, ...]


def sweep(
    backend: WebGpuBackend,
    *,
    types: Sequence[str],
    budget_s: float,
    progress: Progress = lambda done, total, name: None,
) -> Swept:
    """Measures the kernels of products with weights of these types, most used first.

    The backend is left with the sizes that it had.
    """
    start = time.perf_counter()
    jobs: dict[str, _Job] = {}
    for name, job in _jobs(backend, types):
        jobs.setdefault(name, job)  # one token comes first, and most often
    before, found, left_out = backend.workgroups, {}, []
    try:
        for done, (name, (kernel, kind, tokens)) in enumerate(jobs.items()):
            progress(done, len(jobs), name)
            if time.perf_counter() - start > budget_s:
                left_out.append(name)
                continue
            found[name] = _sweep(backend, kernel, kind, tokens)
    finally:
        backend.workgroups = before
    progress(len(jobs), len(jobs), "")
    return Swept(found, tuple(left_out))


_Job = tuple[Kernel, str, int]
"""A kernel with a type of weights and a number of tokens that it is for."""


def _jobs(backend: WebGpuBackend, types: Sequence[str]) -> Iterator[tuple[str, _Job]]:
    """Kernels that leave the size open, by name; for one token, then for several."""
    for tokens in _TOKENS:
        for kind in types:
            node = subject_node(_subject(kind, _MATRICES[0], 1))
            if not backend.supports(node):
                continue
            kernel = backend.kernel(node, tokens)
            if WORKGROUP in kernel.options:
                yield kernel.name, (kernel, kind, tokens)


def _subject(kind: str, sizes: Mapping[str, int], copies: int) -> Subject:
    types = {"w_NK": storage_type(kind), "x_TK": F32}
    return Subject(ops.linear, sizes, types=types, copies=copies)


def _sweep(backend: WebGpuBackend, kernel: Kernel, kind: str, tokens: int) -> Sweep:
    own = int(kernel.options[WORKGROUP])
    most = backend.gpu.features.invocations
    seconds = dict.fromkeys(sorted({own, *(size for size in SIZES if size <= most)}), 0.0)
    for sizes in _MATRICES:
        size_bytes = storage_type(kind).size_bytes((sizes["N"], sizes["K"]))
        copies = min(_MOST_COPIES, 2 * backend.cache_bytes // size_bytes + 1)
        if backend.gpu.adapter.kind == "software":
            copies = 1  # it computes for so long that where weights come from hardly counts
        built = chain(_subject(kind, sizes, copies), backend, tokens, nodes=copies)
        programs = {}
        for threads in seconds:
            backend.workgroups = {kernel.name: threads}
            programs[threads] = backend.compile(built.steps, built.memory)
            programs[threads].commands({"T": tokens})  # made with this size
        for threads, taken in _by_turns(backend, programs, tokens).items():
            seconds[threads] += taken / copies
    return Sweep(own, seconds)


def _by_turns(
    backend: WebGpuBackend, programs: Mapping[int, GpuProgram], tokens: int
) -> dict[int, float]:
    """The median time of each size, by turns, for a machine's speed drifts; the first one warms."""
    times: dict[int, list[float]] = {size: [] for size in programs}
    until = time.perf_counter() + _MOST_S
    for turn in range(_SAMPLES + 1):
        if turn > 1 and time.perf_counter() > until:
            break
        for size, program in programs.items():
            taken = _seconds(backend, program, {"T": tokens}, first=not turn)
            if turn:
                times[size].append(taken)
    return {size: sorted(each)[len(each) // 2] for size, each in times.items()}


def _seconds(
    backend: WebGpuBackend, program: GpuProgram, sizes: Mapping[str, int], *, first: bool
) -> float:
    """By the GPU's clock, where it has one. The first run writes sizes where shaders read them."""
    if backend.gpu.has_timestamps and not first:
        return backend.gpu.span_ns(program.commands(sizes)) / 1e9
    start = time.perf_counter()
    program.submit(sizes)
    program.synchronize()
    return time.perf_counter() - start
