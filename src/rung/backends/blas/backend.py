"""The BLAS backend: matrix products by a library, on the CPU's memory and its team of threads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rung.backends.base import Backend
from rung.backends.blas.library import Library, Missing, find_library
from rung.backends.cpu.backend import TeamBackend
from rung.backends.cpu.team import Team
from rung.errors import BackendError
from rung.graph.ir import Node, concrete
from rung.ops import load_kernels
from rung.registry import Kernel

# Fewer tokens wait for memory, which the CPU's kernels read as fast as it comes; a library that was
# measured to be a little faster with wide matrices took 1.6 times as long with narrow ones.
_FEWEST_ROWS = 16


class BlasBackend(TeamBackend):
    """Products by a BLAS library, as ops of the programs that a CPU backend runs.

    The library works in the thread that calls it. So each of the team's threads asks it for its own
    part of a product: nobody else's threads are there to be woken or to fight with.
    """

    name = "blas"

    def __init__(self, cpu: TeamBackend, library: Library | Missing | None = None) -> None:
        """On a CPU backend's team, which outlives it; the library is what RUNG_BLAS says.

        Raises BackendError with the reason where there is none.
        """
        super().__init__()
        found = find_library() if library is None else library
        if isinstance(found, Missing):
            raise BackendError(f"the blas backend is not available: {found.reason}")
        load_kernels("blas")
        self.library = found
        self._cpu = cpu

    @property
    def identity(self) -> str:
        return f"{self.library.kind} {self.library.version}"

    def kernel_name(self, node: Node) -> str | None:
        return f"{super().kernel_name(node)} by {self.identity}"

    def wants_offload(self, node: Node, sizes: Mapping[str, int]) -> bool:
        rows = concrete(node.output.shape[:1], sizes)[0]
        return rows >= _FEWEST_ROWS

    @property
    def team(self) -> Team:
        return self._cpu.team

    @property
    def engine(self) -> Backend:
        return self._cpu.engine

    def describe(self) -> dict[str, Any]:
        return self.library.describe() | {"threads": self.team.threads}

    def lacks(self, kernel: Kernel) -> str:
        return lacking(self.library, kernel)

    def bound(self, kernel: Kernel) -> Kernel:
        calls: Mapping[str, str] = kernel.options["calls"]
        functions, bits = self.library.functions, self.library.integer_bits
        options = {
            **kernel.options,
            "words": {name: functions[function] for name, function in calls.items()},
            "constants": {**kernel.options.get("constants", {}), "INTEGER_BITS": lambda: bits},
        }
        return replace(kernel, options=options)

    def close(self) -> None:
        """Nothing: the threads are the CPU backend's."""


def describe() -> dict[str, Any]:
    """What a BLAS backend would use here, or why there is none; for `rung devices`."""
    found = find_library()
    return {"unavailable": found.reason} if isinstance(found, Missing) else found.describe()


def lacking(library: Library | Missing, kernel: Kernel) -> str:
    """What a kernel calls that a library does not have; nothing where all is there."""
    if isinstance(library, Missing):
        return library.reason
    missing = [f for f in kernel.options["calls"].values() if f not in library.functions]
    return f"{library.kind} here has no {', '.join(missing)}" if missing else ""
