"""Rates on disk: rates.json in the cache folder, one set for each machine that shares it.

A machine is a processor with the features in use and a number of threads. Rates of a BLAS library's
products carry its name and version. A file that cannot be read as that counts as empty, and is
replaced when something is measured.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from rung import env
from rung.backends.base import Backend
from rung.backends.choose import Devices
from rung.backends.cpu.backend import TeamBackend
from rung.backends.cpu.machine import processor_name
from rung.errors import BackendError
from rung.schedule.rates import KernelRates, Rates
from rung.simd.target import host

# Counted up when what is measured changes its meaning.
_VERSION = 2


def path() -> Path:
    """Where rates are kept."""
    return env.cache_folder() / "rates.json"


def key(backends: Sequence[Backend]) -> str:
    """What tells one machine from another."""
    cpu = backends[-1]
    assert isinstance(cpu, TeamBackend)
    return f"{processor_name()} | {host().llvm_features} | {cpu.identity}"


def load_rates(backends: Sequence[Backend]) -> Rates:
    """What is known of this machine; nothing where it was never measured."""
    return _read().get(key(backends), Rates())


def apply_rates(backends: Sequence[Backend], devices: Devices) -> None:
    """Gives the team the threads and parts that were fastest, where the user did not say."""
    rates, cpu = load_rates(backends), backends[-1]
    assert isinstance(cpu, TeamBackend)
    team = cpu.team
    team.parts, team.parts_batch = rates.parts, rates.parts_batch
    if devices.threads is None and env.THREADS.get() == "":
        most = team.threads
        team.threads = min(rates.threads or most, most)
        if devices.threads_batch is None:
            team.batch = min(rates.threads_batch or most, most)


def add_kernels(
    backends: Sequence[Backend], kernels: Mapping[str, KernelRates], *, cache_bytes: int
) -> None:
    """Adds rates of kernels to what is known by now. Raises BackendError as keep_rates does."""
    known = load_rates(backends)
    together = {**known.kernels, **kernels}
    keep_rates(backends, replace(known, kernels=together, cache_bytes=cache_bytes))


def keep_rates(backends: Sequence[Backend], rates: Rates) -> None:
    """Writes rates beside the file and renames. Raises BackendError where that is impossible."""
    # Read again: another process may have measured meanwhile.
    machines = {**_read(), key(backends): rates}
    content = {
        "version": _VERSION,
        "machines": {name: known.to_json() for name, known in machines.items()},
    }
    target = path()
    part = target.with_suffix(f".{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(content, indent=1), encoding="utf-8")
        os.replace(part, target)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise BackendError(
            f"cannot keep what was measured in {target} ({error.strerror}); "
            "set RUNG_CACHE to a folder that can be written"
        ) from None


def _read() -> dict[str, Rates]:
    try:
        content = json.loads(path().read_text(encoding="utf-8"))
        if content["version"] != _VERSION:
            return {}
        return {name: Rates.from_json(values) for name, values in content["machines"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError):
        return {}
