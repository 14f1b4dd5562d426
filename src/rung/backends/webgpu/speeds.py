"""How fast a GPU is: memory, multiply-adds, dispatches, the way to the host and back; measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rung.backends.webgpu.gpu import Command, Gpu
from rung.wgsl import ceil_div, spread
from rung.wgsl.source import expand

_PROBES = Path(__file__).parent / "probes"
_THREADS = 256
_STEPS = 256
# A run of multiply-adds is at least so long; no more workgroups than this make it so.
_LEAST_S = 1e-3
_MOST_GROUPS = 1 << 15
_REPEATS = 5
_COPY_BYTES = 256 << 20
_SOFTWARE_BYTES = 16 << 20
_MOVED_BYTES = 16 << 20
_DISPATCHES = 64


@dataclass(frozen=True)
class Speeds:
    """What a GPU does at most.

    copy_gbs: 1e9 bytes a second read and written by a kernel that copies. gops: 1e9 operations a
    second, a multiply-add being two, by type: f32, f16 where there is f16, int8 by dot products of
    four. dispatch_s: what a dispatch costs that waits for the one before. write_gbs, read_gbs: from
    the host and to it. turn_s: a small result on its way to the host, with what was submitted for
    it.
    """

    copy_gbs: float
    gops: Mapping[str, float]
    dispatch_s: float
    write_gbs: float
    read_gbs: float
    turn_s: float


def measure(gpu: Gpu, *, progress: Callable[[str], None] = lambda what: None) -> Speeds:
    """Measures all of it, in a fraction of a second on a GPU."""
    software = gpu.adapter.kind == "software"
    progress("copying memory")
    copy_gbs = _copy_gbs(gpu, _SOFTWARE_BYTES if software else _COPY_BYTES)
    gops = {}
    kinds: dict[str, dict[str, Any]] = {
        "f32": {"Element": "f32"},
        "f16": {"Element": "f16"},
        "int8": {"DOTS": True},
    }
    for kind, constants in kinds.items():
        if kind != "f16" or gpu.features.f16:
            progress(f"multiplying {kind}")
            gops[kind] = _gops(gpu, kind, constants)
    progress("dispatches and ways")
    return Speeds(copy_gbs, gops, _dispatch_s(gpu), *_ways(gpu))


def _seconds(gpu: Gpu, commands: Sequence[Command]) -> float:
    """By the GPU's clock, where it has one; at least a nanosecond."""
    if gpu.has_timestamps:
        return max(gpu.span_ns(commands) / 1e9, 1e-9)
    gpu.wait()
    start = time.perf_counter()
    gpu.submit(commands)
    gpu.wait()
    return max(time.perf_counter() - start, 1e-9)


def _best(gpu: Gpu, commands: Sequence[Command]) -> float:
    return min(_seconds(gpu, commands) for _ in range(_REPEATS))


def _command(
    gpu: Gpu,
    name: str,
    constants: Mapping[str, Any],
    buffers: Sequence[tuple[Any, int]],
    grid: tuple[int, int, int],
) -> Command:
    known = {"THREADS": _THREADS, **constants}
    source = expand(_PROBES / name, known, {"f16": gpu.features.f16}, "1")
    pipeline = gpu.pipeline(source, name)
    return gpu.command(pipeline, [(buffer, 0, size) for buffer, size in buffers], grid, 0)


def _copy_gbs(gpu: Gpu, most_bytes: int) -> float:
    size = min(most_bytes, gpu.features.binding_bytes // 4096 * 4096)
    both = [(gpu.buffer(size), size) for _ in range(2)]
    grid = spread(ceil_div(size // 16, _THREADS))
    command = _command(gpu, "copy.wgsl", {"WORDS": size // 16}, both, grid)
    return 2 * size / _best(gpu, [command]) / 1e9


def _gops(gpu: Gpu, kind: str, constants: Mapping[str, Any]) -> float:
    """Of eight chains a thread: of four multiply-adds a step each, which a dot product is, too."""
    seeds = gpu.buffer(64)
    gpu.write(seeds, 0, np.full(16, 0.5, np.float32))
    groups = 32
    while True:
        both = [(seeds, 64), (gpu.buffer(4 * groups), 4 * groups)]
        known = {"STEPS": _STEPS, **constants}
        command = _command(gpu, "multiply.wgsl", known, both, (groups, 1, 1))
        seconds = _seconds(gpu, [command])
        if seconds >= _LEAST_S or groups >= _MOST_GROUPS:
            break
        groups *= 4
    operations = 8 * groups * _THREADS * _STEPS * 8
    return operations / _best(gpu, [command]) / 1e9


def _dispatch_s(gpu: Gpu) -> float:
    """One of many small copies in turn between two buffers."""
    first, second = (gpu.buffer(16), 16), (gpu.buffer(16), 16)
    there, back = (
        _command(gpu, "copy.wgsl", {"WORDS": 1}, buffers, (1, 1, 1))
        for buffers in ((first, second), (second, first))
    )
    return _best(gpu, [there, back] * (_DISPATCHES // 2)) / _DISPATCHES


def _ways(gpu: Gpu) -> tuple[float, float, float]:
    """GB/s from the host and to it; seconds of a small result's way."""
    data = np.zeros(_MOVED_BYTES, np.uint8)
    buffer = gpu.buffer(_MOVED_BYTES)
    gpu.write(buffer, 0, data)

    def writing() -> None:
        gpu.write(buffer, 0, data)
        gpu.flush()

    def turning() -> None:
        gpu.read(buffer, 0, 16)

    turn_s = _least(turning)
    write_s = max(_least(writing) - turn_s, 1e-9)
    read_s = max(_least(lambda: gpu.read(buffer, 0, _MOVED_BYTES)) - turn_s, 1e-9)
    return _MOVED_BYTES / write_s / 1e9, _MOVED_BYTES / read_s / 1e9, turn_s


def _least(work: Callable[[], object]) -> float:
    work()
    times = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)
