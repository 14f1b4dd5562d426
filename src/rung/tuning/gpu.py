"""The speeds of GPUs on disk, so that each is measured once: gpus.json in the cache folder.

An adapter is known by its name, interface, driver and the features in use. A file that cannot be
read as that is measured anew and replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rung import env
from rung.backends.webgpu.gpu import Gpu
from rung.backends.webgpu.speeds import Speeds, measure
from rung.tuning.kept import read_entries, write_entries

# Counted up when what is measured changes its meaning: older files are measured anew.
_VERSION = 1


def path() -> Path:
    """Where the speeds are kept."""
    return env.cache_folder() / "gpus.json"


def speeds_of(gpu: Gpu) -> Speeds:
    """Those of a GPU: from the file, or measured now and kept.

    Raises BackendError when the cache folder cannot be written.
    """
    known = read_entries(path(), _VERSION, _speeds).get(_key(gpu))
    if known is not None:
        return known
    measured = measure(gpu)
    # Read again: another process may have measured meanwhile.
    entries = {**read_entries(path(), _VERSION, _speeds), _key(gpu): measured}
    values = {name: asdict(entry) for name, entry in entries.items()}
    write_entries(path(), _VERSION, values, "the GPU's speeds")
    return measured


def _key(gpu: Gpu) -> str:
    adapter, f16 = gpu.adapter, "f16" if gpu.features.f16 else "no f16"
    return " | ".join((adapter.name, adapter.api, adapter.driver, f16))


def _speeds(fields: Mapping[str, Any]) -> Speeds:
    """Speeds from their JSON. Raises ValueError, KeyError or TypeError for anything else."""
    gops = {str(kind): _positive(rate) for kind, rate in fields["gops"].items()}
    if "f32" not in gops:
        raise ValueError("no rate of float32")
    numbers = {
        name: _positive(fields[name]) for name in Speeds.__dataclass_fields__ if name != "gops"
    }
    return Speeds(gops=gops, **numbers)


def _positive(value: Any) -> float:
    number = float(value)
    if not 0 < number < float("inf"):
        raise ValueError(f"{number} is no rate")
    return number
