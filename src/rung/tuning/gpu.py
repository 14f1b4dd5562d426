"""What was measured of GPUs, on disk in the cache folder: gpus.json and workgroups.json.

gpus.json has the speeds, measured once; workgroups.json what `rung tune` found best. An adapter is
known by its name, interface, driver and whether float16 is in use. A file that cannot be read as
that counts as empty, and is replaced when something is measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rung import env
from rung.backends.webgpu.gpu import Gpu
from rung.backends.webgpu.speeds import Speeds, measure
from rung.errors import MemoryLimitError
from rung.tuning.kept import read_entries, write_entries
from rung.wgsl.call import is_workgroup

# Counted up when what is measured changes its meaning: older files are measured anew.
_VERSION = 1


def path() -> Path:
    """Where the speeds are kept."""
    return env.cache_folder() / "gpus.json"


def speeds_of(gpu: Gpu) -> Speeds:
    """Those of a GPU: from the file, or measured now and kept.

    Raises BackendError when the cache folder cannot be written, MemoryLimitError where there is no
    room to measure.
    """
    known = read_entries(path(), _VERSION, _speeds).get(_key(gpu))
    return known if known is not None else measure_speeds(gpu)


def measure_speeds(gpu: Gpu) -> Speeds:
    """Measures a GPU now, and keeps that. Raises as `speeds_of` does."""
    try:
        measured = measure(gpu)
    except MemoryLimitError as error:
        raise MemoryLimitError(
            f"{str(error).partition(';')[0]}; how fast this GPU is was never measured, which takes "
            "half a GiB of its memory for a moment: rung tune --device webgpu without "
            "RUNG_GPU_MEMORY does it, once"
        ) from None
    # Read again: another process may have measured meanwhile.
    entries = {**read_entries(path(), _VERSION, _speeds), _key(gpu): measured}
    values = {name: asdict(entry) for name, entry in entries.items()}
    write_entries(path(), _VERSION, values, "the GPU's speeds")
    return measured


def workgroups_path() -> Path:
    """Where the sizes of workgroups are kept."""
    return env.cache_folder() / "workgroups.json"


def workgroups_of(gpu: Gpu) -> dict[str, int]:
    """Threads of a workgroup by kernel, as `rung tune` found them; none where it never ran."""
    known = read_entries(workgroups_path(), _VERSION, _workgroups).get(_key(gpu), {})
    return {name: size for name, size in known.items() if size <= gpu.features.invocations}


def keep_workgroups(gpu: Gpu, sizes: Mapping[str, int]) -> None:
    """Adds sizes to those that are known. Raises BackendError where that is impossible."""
    machines = read_entries(workgroups_path(), _VERSION, _workgroups)
    together = {**machines.get(_key(gpu), {}), **sizes}
    kept = {**machines, _key(gpu): together}
    write_entries(workgroups_path(), _VERSION, kept, "sizes of workgroups")


def _workgroups(fields: Mapping[str, Any]) -> dict[str, int]:
    """Sizes from their JSON. Raises ValueError or AttributeError for anything else."""
    found = {str(name): size for name, size in fields.items()}
    for size in found.values():
        if type(size) is not int or not is_workgroup(size):
            raise ValueError(f"{size} is no size of a workgroup")
    return found


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
