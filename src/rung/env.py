"""Every RUNG_* environment variable: name, default, meaning. The only reader of os.environ."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Variable:
    """One RUNG_* variable, as `rung devices` and docs/cpu-backend.md show it."""

    name: str
    default: str
    meaning: str

    def get(self) -> str:
        """Its value in this process, or its default."""
        return os.environ.get(self.name, self.default)


PIN = Variable("RUNG_PIN", "", 'kernel versions to use, as "linear/cpu=1,rms_norm/cpu=2"')
CACHE = Variable("RUNG_CACHE", "", "folder for compiled kernels (default: the user's cache folder)")
THREADS = Variable("RUNG_THREADS", "", "CPU threads (default: physical cores this process may use)")
CPU_FEATURES = Variable(
    "RUNG_CPU_FEATURES", "", 'CPU features to switch off or keep, as "-avx512vnni" or "none"'
)
BLAS = Variable(
    "RUNG_BLAS", "auto", "BLAS library: auto, none, accelerate, mkl, openblas, blis or a path"
)
SIM = Variable("RUNG_SIM", "", 'the made-up device, as "memory=64M,refuse=attention"')
SCHED_DEBUG = Variable(
    "RUNG_SCHED_DEBUG", "", "1 prints every new plan to stderr, 2 every run as well"
)
DATA = Variable("RUNG_DATA", "", "folder of real checkpoints for the tests")

VARIABLES = (PIN, CACHE, THREADS, CPU_FEATURES, BLAS, SIM, SCHED_DEBUG, DATA)


def cache_folder() -> Path:
    """The folder that holds compiled kernels; it may not exist yet."""
    if chosen := CACHE.get():
        return Path(chosen).expanduser()
    if os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif os.uname().sysname == "Darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "rung"
