"""The machine's limits on disk, so that they are measured once: machine.json in the cache folder.

One file holds several machines that share a folder, each by its processor's name, the features in
use and the number of threads. A file that cannot be read as that is measured anew and replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rung import env
from rung.backends.cpu.machine import processor_name
from rung.bench.machine.limits import Limits, Peak, Progress, measure
from rung.simd.target import host
from rung.tuning.kept import read_entries, write_entries

# Counted up when what is measured changes its meaning: older files are measured anew.
_VERSION = 1


def path() -> Path:
    """Where the limits are kept."""
    return env.cache_folder() / "machine.json"


def key(threads: int) -> str:
    """What tells one measurement from another."""
    return f"{processor_name()} | {host().llvm_features} | {threads} threads"


def limits(threads: int, *, fresh: bool = False, progress: Progress = lambda what: None) -> Limits:
    """The limits of so many threads: from the file, or measured now and kept.

    Raises BackendError when the cache folder cannot be written.
    """
    if not fresh and (known := _read().get(key(threads))) is not None:
        return known
    measured = measure(threads, progress=progress)
    # Read again: another process may have measured meanwhile.
    _write({**_read(), key(threads): measured})
    return measured


def _read() -> dict[str, Limits]:
    return read_entries(path(), _VERSION, _limits)


def _limits(fields: Mapping[str, Any]) -> Limits:
    """Limits from their JSON. Raises ValueError, KeyError or TypeError for anything else."""
    peaks = {
        str(name): Peak(_positive(peak["gops"]), str(peak["instruction"]))
        for name, peak in fields["peaks"].items()
    }
    if "f32" not in peaks:
        raise ValueError("no rate of float32")
    return Limits(
        threads=int(fields["threads"]),
        read_gbs=_positive(fields["read_gbs"]),
        copy_gbs=_positive(fields["copy_gbs"]),
        sweep=tuple((int(size), _positive(gbs)) for size, gbs in fields["sweep"]),
        peaks=peaks,
    )


def _positive(value: Any) -> float:
    number = float(value)
    if not 0 < number < float("inf"):
        raise ValueError(f"{number} is no rate")
    return number


def _write(machines: dict[str, Limits]) -> None:
    values = {name: asdict(known) for name, known in machines.items()}
    write_entries(path(), _VERSION, values, "the machine's limits")
