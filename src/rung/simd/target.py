"""What this processor can do, and what RUNG_CPU_FEATURES leaves of it for kernels to use."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from functools import cache

from rung import env
from rung.errors import UsageError

# x86-64 levels by name, each with everything below it; as in the x86-64 psABI, plus VNNI.
_AVX2 = "sse3 ssse3 sse4.1 sse4.2 popcnt cx16 sahf avx avx2 bmi bmi2 f16c fma lzcnt movbe xsave"
_AVX512 = f"{_AVX2} evex512 avx512f avx512bw avx512cd avx512dq avx512vl"
_LEVELS = {
    "none": "",
    "avx2": _AVX2,
    "avx512": _AVX512,
    "avx512vnni": f"{_AVX512} avx512vnni avx512vbmi",
}

_ARCH_PRCTL, _REQUEST_PERMISSION, _TILE_DATA = 158, 0x1023, 18  # Linux, x86-64


@dataclass(frozen=True)
class Target:
    """The processor that kernels are compiled for: its LLVM name and features in use."""

    cpu: str
    features: frozenset[str]
    chosen: str = ""  # what RUNG_CPU_FEATURES says, which then decides; else all there are
    processor: str = ""  # LLVM's name of the processor itself, whatever is compiled for
    is_x86: bool = platform.machine().lower() in ("x86_64", "amd64")  # which has SSE2 at least

    def has(self, feature: str) -> bool:
        """Whether kernels may use a feature, by its LLVM name (avx2, avx512vnni, dotprod …)."""
        return feature in self.features

    @property
    def llvm_features(self) -> str:
        """The features as LLVM takes them."""
        return ",".join(f"+{name}" for name in sorted(self.features))

    @property
    def vector_registers(self) -> int:
        """How many vectors of 16 float32 lanes the register file holds."""
        if self.has("avx512f"):
            return 32
        return 8  # 16 × 32 bytes (AVX2), or 32 × 16 bytes (NEON): half of it, or a quarter


@cache
def host() -> Target:
    """This process's target; settled once, before anything is compiled.

    Raises UsageError when RUNG_CPU_FEATURES names a feature that LLVM does not know here.
    """
    import llvmlite.binding as llvm
    from numba.core import config

    known: dict[str, bool] = dict(llvm.get_host_cpu_features())
    present = {name for name, on in known.items() if on}
    if "amx-tile" in present and not _may_use_tiles():
        present = {name for name in present if not name.startswith("amx-")}
    name = llvm.get_host_cpu_name()
    wanted = env.CPU_FEATURES.get().replace(" ", "").lower()
    if not wanted:
        return Target(name, frozenset(present), processor=name)
    kept = _apply(wanted, present, set(known))
    target = Target("generic", frozenset(kept), chosen=wanted, processor=name)
    # Numba reads these when it makes its code generator, at the first compilation.
    config.CPU_NAME = target.cpu
    config.CPU_FEATURES = target.llvm_features
    return target


def _may_use_tiles() -> bool:
    """Asks Linux for the AMX registers, which a process gets only on request."""
    if sys.platform != "linux":
        return False
    import ctypes

    system = ctypes.CDLL(None).syscall
    return int(system(_ARCH_PRCTL, _REQUEST_PERMISSION, _TILE_DATA)) == 0


def _apply(wanted: str, present: set[str], known: set[str]) -> set[str]:
    chosen = set(present)
    for word in filter(None, wanted.split(",")):
        name = word.lstrip("+-")
        if word in _LEVELS:
            chosen = present & set(_LEVELS[word].split())
        elif name not in known:
            raise UsageError(
                f"RUNG_CPU_FEATURES: no feature {name!r} on {platform.machine()}; "
                f"use a level ({', '.join(_LEVELS)}) or -feature with one of LLVM's names"
            )
        elif word.startswith("-"):
            # A switched-off parent takes what builds on it along: -avx512f ends all of AVX-512.
            family = {"avx512f": "avx512", "amx-tile": "amx-"}.get(name, name)
            chosen -= {f for f in chosen if f == name or (family != name and f.startswith(family))}
        elif name in present:
            chosen.add(name)
        else:
            raise UsageError(f"RUNG_CPU_FEATURES: this processor has no {name}")
    return chosen
