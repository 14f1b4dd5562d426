"""Every RUNG_* environment variable: name, default, meaning. The only reader of os.environ."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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
GPU = Variable(
    "RUNG_GPU",
    "",
    'the GPU that "webgpu" means, as vulkan, metal, dx12 or webgpu:1 (default: best)',
)
GPU_FEATURES = Variable(
    "RUNG_GPU_FEATURES", "", 'GPU features to switch off, as "-f16,-subgroups" or "none"'
)
GPU_MEMORY = Variable(
    "RUNG_GPU_MEMORY", "", "what may be used of a GPU's memory, as 8G or 500M (default: all)"
)
GPU_WAIT = Variable("RUNG_GPU_WAIT", "", "1 waits for the GPU after every op, to find a fault")
GPU_AHEAD = Variable(
    "RUNG_GPU_AHEAD", "1", "0 starts no token on the GPU before the last one is known on the host"
)
GPU_FUSE = Variable(
    "RUNG_GPU_FUSE", "", 'ops that neighbors are not fused to, as "-norm_qkv,-norm_mlp" or "none"'
)
SCHED_DEBUG = Variable(
    "RUNG_SCHED_DEBUG", "", "1 prints every new plan to stderr, 2 every run as well"
)
DATA = Variable("RUNG_DATA", "", "folder of real checkpoints for the tests")

VARIABLES = (
    *(PIN, CACHE, THREADS, CPU_FEATURES, BLAS, SIM),
    *(GPU, GPU_FEATURES, GPU_MEMORY, GPU_WAIT, GPU_AHEAD, GPU_FUSE, SCHED_DEBUG, DATA),
)


_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def parse_bytes(text: str) -> int:
    """A number of bytes such as 8G, 500M or 64MiB. Raises ValueError for anything else."""
    match = re.fullmatch(r"(\d+)([KMG]?)(?:i?B)?", text)
    if match is None:
        raise ValueError(text)
    return int(match[1]) * _UNITS[match[2]]


@contextmanager
def runtime_folder() -> Iterator[None]:
    """Names a folder as XDG_RUNTIME_DIR where none is named: else Mesa's drivers complain."""
    name = "XDG_RUNTIME_DIR"
    missing = name not in os.environ
    if missing:
        os.environ[name] = tempfile.gettempdir()
    try:
        yield
    finally:
        if missing:
            os.environ.pop(name, None)


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
