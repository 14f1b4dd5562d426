"""What the machine has: cores that this process may use, memory, the processor's name."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Any

from rung import env
from rung.errors import UsageError
from rung.simd.target import host

_NOTABLE = (
    *("avx2", "fma", "avx512f", "avx512vnni", "avx512bf16", "avxvnni"),
    *("amx-tile", "amx-int8", "amx-bf16", "neon", "dotprod", "i8mm", "sve"),
)


def notable_features() -> list[str]:
    """Those of the features in use that make a difference to kernels, by their LLVM names."""
    target = host()
    return [name for name in _NOTABLE if target.has(name)]


def allowed_cpus() -> set[int]:
    """The logical processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return set(os.sched_getaffinity(0))
    return set(range(os.cpu_count() or 1))


def physical_cores(cpus: set[int]) -> int:
    """Number of physical cores behind logical processors; their own number where it is unknown."""
    cores = set()
    for cpu in cpus:
        topology = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology")
        try:
            package = (topology / "physical_package_id").read_text().strip()
            cores.add((package, (topology / "core_id").read_text().strip()))
        except OSError:
            cores.add(("", str(cpu)))
    if sys.platform == "darwin":
        return _performance_cores() or len(cores)
    return max(1, len(cores))


def _performance_cores() -> int:
    """The fast cores of a Mac: slow ones would hold the others up."""
    import subprocess

    for name in ("hw.perflevel0.physicalcpu", "hw.physicalcpu"):
        answer = subprocess.run(
            ["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, check=False
        )
        if answer.returncode == 0 and answer.stdout.strip().isdecimal():
            return int(answer.stdout)
    return 0


_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")


def cgroup_cpus(root: Path = _CGROUPS, own: Path = _OWN_CGROUP) -> float:
    """Processors that the control groups of this process grant it; infinity without a limit."""
    granted = float("inf")
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return granted
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            base, read = root, _quota_v2
        elif "cpu" in controllers.split(","):
            base, read = root / "cpu", _quota_v1
        else:
            continue
        folder = base / path.lstrip("/")
        # A limit set on a parent group holds for its children.
        while folder.is_relative_to(base):
            granted = min(granted, read(folder))
            folder = folder.parent
    return granted


def _quota_v2(folder: Path) -> float:
    try:
        quota, period = (folder / "cpu.max").read_text().split()
        return float("inf") if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        return float("inf")


def _quota_v1(folder: Path) -> float:
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        period = int((folder / "cpu.cfs_period_us").read_text())
        return quota / period if quota > 0 and period > 0 else float("inf")
    except (OSError, ValueError):
        return float("inf")


def default_threads() -> int:
    """RUNG_THREADS, or the physical cores this process may use by affinity and control groups."""
    if text := env.THREADS.get():
        if not text.isdecimal() or int(text) < 1:
            raise UsageError(f"RUNG_THREADS is {text!r}, expected a number of threads")
        return int(text)
    cores = physical_cores(allowed_cpus())
    return max(1, int(min(cores, max(1.0, cgroup_cpus()))))


def processor_name() -> str:
    """The processor's name as it calls itself."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def memory_bytes() -> int | None:
    """Memory of the machine, where the system tells."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def describe() -> dict[str, Any]:
    """Processor, cores, features in use, memory and compiler, for `rung devices`."""
    import llvmlite
    import numba

    target = host()
    cpus = allowed_cpus()
    return {
        "name": processor_name(),
        "architecture": platform.machine(),
        "cores": physical_cores(cpus),
        "logical processors": len(cpus),
        "default threads": default_threads(),
        "memory bytes": memory_bytes(),
        "compiled for": target.cpu + (" (RUNG_CPU_FEATURES)" if target.chosen else ""),
        "features": notable_features(),
        "numba": numba.__version__,
        "llvmlite": llvmlite.__version__,
    }
