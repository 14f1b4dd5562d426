"""Whether a step has room in the memory that this machine has left, and what would have."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from rung.errors import MemoryLimitError
from rung.models.config import Config
from rung.train.memory import memory_bytes

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")
_STATM = Path("/proc/self/statm")
_PLANNED = 1 << 16


def needed_bytes(config: Config, *, batch_size: int, seq_len: int, recompute: bool) -> int:
    """Bytes of parameters, gradients, moments and activations of a step.

    Activations of more than _PLANNED tokens are told from those of two smaller batches, which lie
    on a line: a plan takes 0.1 s for 2^16 tokens and 1.4 s for 2^19 (Zen 5), several are made to
    find one that fits, and that of a batch a typing error asked for would itself fill the memory.
    """

    def bytes_of(sequences: int) -> int:
        parts = memory_bytes(config, sequences=sequences, tokens=seq_len, recompute=recompute)
        return sum(parts.values())

    some = max(2, _PLANNED // seq_len)
    if batch_size <= some:
        return bytes_of(batch_size)
    whole, half = bytes_of(some), bytes_of(some // 2)
    return whole + (whole - half) * (batch_size - some) // (some - some // 2)


def available_bytes() -> int | None:
    """Memory that can be had without swapping; None where the system does not tell."""
    found = [value for value in (_free(), _group_left(), _limit_left()) if value is not None]
    return min(found, default=None)


def check_memory(
    config: Config, *, batch_size: int, seq_len: int, grad_accum: int, recompute: bool
) -> None:
    """Raises MemoryLimitError where a step needs more than there is, with what would fit."""
    available = available_bytes()
    if available is None:
        return
    needed = needed_bytes(config, batch_size=batch_size, seq_len=seq_len, recompute=recompute)
    if needed > available:
        fits = suggestion(
            config,
            batch_size=batch_size,
            seq_len=seq_len,
            grad_accum=grad_accum,
            recompute=recompute,
            available=available,
        )
        raise MemoryLimitError(
            f"training needs {needed / 2**30:.1f} GiB, {available / 2**30:.1f} GiB are free; {fits}"
        )


def suggestion(
    config: Config,
    *,
    batch_size: int,
    seq_len: int,
    grad_accum: int,
    recompute: bool,
    available: int,
) -> str:
    """What to try where memory does not suffice: the nearest that fits."""
    for size, length, again in _smaller(batch_size, seq_len, recompute):
        if needed_bytes(config, batch_size=size, seq_len=length, recompute=again) > available:
            continue
        told = [] if size == batch_size else [f"--batch-size {size}"]
        if size != batch_size and batch_size % size == 0 and length == seq_len:
            told.append(f"--grad-accum {grad_accum * batch_size // size}")
        if length != seq_len:
            told.append(f"--seq-len {length}")
        if again != recompute:
            told.append("--recompute")
        return f"what fits: {' '.join(told)}"
    return "no batch of this model fits; a smaller --config does"


def _smaller(batch_size: int, seq_len: int, recompute: bool) -> Iterator[tuple[int, int, bool]]:
    """Batches that need less and less: first the same one with more computing."""
    if not recompute:
        yield batch_size, seq_len, True
    size = batch_size
    while size > 1:
        size //= 2
        yield size, seq_len, recompute
    if not recompute:
        yield 1, seq_len, True
    while seq_len > 16:
        seq_len //= 2
        yield 1, seq_len, True


def _free() -> int | None:
    """What Linux says can be had; elsewhere all memory there is."""
    try:
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _group_left() -> int | None:
    """What the control group of this process leaves; None without a limit."""
    try:
        most = (_CGROUP / "memory.max").read_text().strip()
        used = int((_CGROUP / "memory.current").read_text())
        # Files that were read count as used until somebody needs the memory.
        for line in (_CGROUP / "memory.stat").read_text().splitlines():
            if line.startswith("inactive_file "):
                used -= int(line.split()[1])
        return None if most == "max" else max(int(most) - used, 0)
    except (OSError, ValueError, IndexError):
        return None


def _limit_left() -> int | None:
    """What the limit of this process's addresses (`ulimit -v`) leaves; None without one."""
    try:
        import resource

        most = resource.getrlimit(resource.RLIMIT_AS)[0]
        used = int(_STATM.read_text().split()[0]) * resource.getpagesize()
    except (ImportError, AttributeError, OSError, ValueError, IndexError):
        return None
    return None if most == resource.RLIM_INFINITY else max(most - used, 0)
