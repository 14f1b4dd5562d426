"""Rates on disk: rates.json in the cache folder, one set for each machine that shares it.

A machine is a processor with the features in use and a number of threads. Rates of a BLAS library's
products carry its name and version. A file that cannot be read as that counts as empty, and is
replaced when something is measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rung import env
from rung.backends.base import Backend
from rung.backends.choose import Devices
from rung.backends.cpu.backend import TeamBackend, threads_identity
from rung.backends.cpu.machine import processor_name
from rung.schedule.rates import KernelRates, Rates
from rung.simd.target import host
from rung.tuning.kept import read_entries, write_entries

# Counted up when what is measured changes its meaning.
_VERSION = 2


def path() -> Path:
    """Where rates are kept."""
    return env.cache_folder() / "rates.json"


def key(backends: Sequence[Backend]) -> str:
    """What tells one machine from another."""
    cpu = backends[-1]
    assert isinstance(cpu, TeamBackend)
    return _key(cpu.identity)


def _key(identity: str) -> str:
    return f"{processor_name()} | {host().llvm_features} | {identity}"


def tuned_on(threads: int) -> str:
    """The day when `rung tune` last ran here for so many threads; empty where it never did."""
    return _read().get(_key(threads_identity(threads)), Rates()).date


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
    values = {name: known.to_json() for name, known in machines.items()}
    write_entries(path(), _VERSION, values, "what was measured")


def _read() -> dict[str, Rates]:
    return read_entries(path(), _VERSION, Rates.from_json)
