"""The machine's limits, measured: how fast its threads read, copy, multiply and add."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rung.backends.base import KernelBackend
from rung.bench.machine.probing import Probe, ProbeTeam

MEMORY_BYTES = 1 << 28
SWEEP = tuple(1 << power for power in range(14, 30))
"""Working sets from 16 KiB, which every first-level cache holds, to 512 MiB, which none does."""

_REPEATS = 7
# One run goes over small memory so often that starting it does not count.
_LEAST_BYTES = 1 << 27
_LEAST_S = 0.005

Progress = Callable[[str], None]
"""Told what is measured next."""


@dataclass(frozen=True)
class Peak:
    """The greatest rate of a type's products: operations a second, a multiply-add being two."""

    gops: float
    instruction: str


@dataclass(frozen=True)
class Limits:
    """What so many threads of this machine, or its GPU, can do at most. GB/s count 1e9 bytes.

    threads: 0 for a GPU. Its bandwidth is that of copying, read and written together.
    """

    threads: int
    read_gbs: float
    copy_gbs: float
    sweep: tuple[tuple[int, float], ...]  # working set of all threads in bytes, GB/s read
    peaks: dict[str, Peak]  # by type: f32, int8, bf16 …

    def read_gbs_at(self, size_bytes: float) -> float:
        """GB/s at which a working set of this size is read again and again.

        It is the best of the measured sets that are no smaller, for a larger one cannot be faster
        but by accident.
        """
        fitting = [gbs for size, gbs in self.sweep if size >= size_bytes]
        return max([*fitting, self.read_gbs])


def read_bandwidth(
    threads: int, *, size_bytes: int = MEMORY_BYTES, repeats: int = _REPEATS
) -> float:
    """GB/s (1e9 bytes) at which so many threads read memory of this size, the best of some runs.

    Each thread goes over its own share again and again: memory that fits a cache is read from it.
    """
    with ProbeTeam(threads) as team:
        return _read(team, size_bytes, repeats)


def measure(
    threads: int,
    *,
    memory_bytes: int = MEMORY_BYTES,
    sweep: Sequence[int] = SWEEP,
    repeats: int = _REPEATS,
    progress: Progress = lambda what: None,
) -> Limits:
    """The limits of so many threads; about three seconds, and memory of twice the greatest size."""
    with ProbeTeam(threads) as team:
        progress("reading memory")
        read_gbs = _read(team, memory_bytes, repeats)
        progress("copying memory")
        copy_gbs = _copy(team, memory_bytes, repeats)
        swept = []
        for size in sweep:
            progress(f"reading {size >> 10:,} KiB")
            swept.append((size, _read(team, size, repeats)))
        return Limits(threads, read_gbs, copy_gbs, tuple(swept), _peaks(team, repeats, progress))


def gpu_limits(backend: KernelBackend, *, progress: Progress = lambda what: None) -> Limits:
    """The limits of a GPU, measured now: its clocks change with what else runs on it."""
    from rung.backends.webgpu.backend import WebGpuBackend
    from rung.backends.webgpu.speeds import measure as measure_gpu

    assert isinstance(backend, WebGpuBackend)
    speeds = measure_gpu(backend.gpu, progress=progress)
    how = {"int8": "dot4I8Packed"}
    peaks = {kind: Peak(gops, how.get(kind, "fma")) for kind, gops in speeds.gops.items()}
    return Limits(0, speeds.copy_gbs, speeds.copy_gbs, (), peaks)


def _read(team: ProbeTeam, size_bytes: int, repeats: int) -> float:
    from rung.bench.machine.probes.memory import read_part, share_bytes

    sums = np.zeros(share_bytes() * team.threads, np.uint8)
    size = _whole_shares(team, size_bytes)
    memory = _touched(team, size)
    return _bandwidth(team, read_part, (memory, sums), size, repeats)


def _copy(team: ProbeTeam, size_bytes: int, repeats: int) -> float:
    from rung.bench.machine.probes.memory import copy_part

    size = _whole_shares(team, size_bytes)
    both = (_touched(team, size), _touched(team, size))
    return 2 * _bandwidth(team, copy_part, both, size, repeats)


def _bandwidth(
    team: ProbeTeam,
    probe: Probe,
    memory: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    size_bytes: int,
    repeats: int,
) -> float:
    passes = max(1, _LEAST_BYTES // size_bytes)
    words = (_address(memory[0]), size_bytes, passes, _address(memory[1]))
    return size_bytes * passes / team.seconds(probe, words, repeats=repeats) / 1e9


def _whole_shares(team: ProbeTeam, size_bytes: int) -> int:
    """The greatest size up to this one that divides into shares; at least one unit a thread."""
    from rung.bench.machine.probes.memory import share_bytes

    unit = share_bytes() * team.threads
    return max(1, size_bytes // unit) * unit


def _touched(team: ProbeTeam, size_bytes: int) -> NDArray[np.uint8]:
    """Memory on a cache line, whose pages were first touched by the threads that will use them."""
    from rung.bench.machine.probes.memory import fill_part

    memory = _aligned(size_bytes)
    team.run(fill_part, (_address(memory), size_bytes))
    return memory


def _aligned(size_bytes: int) -> NDArray[np.uint8]:
    raw = np.empty(size_bytes + 64, np.uint8)
    skip = -raw.ctypes.data % 64
    return raw[skip : skip + size_bytes]


def _address(memory: NDArray[np.uint8]) -> int:
    return int(memory.ctypes.data)


def _peaks(team: ProbeTeam, repeats: int, progress: Progress) -> dict[str, Peak]:
    """The best rate of each type."""
    from rung.bench.machine.probes.rates import SEED_BYTES, SINK_BYTES, rates_here

    seeds = _aligned(SEED_BYTES)
    count = SEED_BYTES // 4
    seeds.view(np.float32)[:] = np.linspace(1, 2, count, dtype=np.float32)
    sinks = _aligned(SINK_BYTES * team.threads)
    peaks: dict[str, Peak] = {}
    for rate in rates_here():
        progress(f"multiplying {rate.type} ({rate.instruction})")

        def seconds(steps: int, repeats: int, probe: Probe = rate.probe) -> float:
            return team.seconds(probe, (steps, _address(seeds), _address(sinks)), repeats=repeats)

        steps = 1 << 12
        steps = max(steps, int(steps * _LEAST_S / seconds(steps, 1)))
        operations = rate.operations * steps * team.threads
        gops = operations / seconds(steps, repeats) / 1e9
        if rate.type not in peaks or gops > peaks[rate.type].gops:
            peaks[rate.type] = Peak(gops, rate.instruction)
    return peaks
