"""Rows of weights cut over threads that keep their part of the activations in registers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rung.storage import StorageType
from rung.wgsl.call import Constant, Features, ceil_div
from rung.wgsl.types import unit_of

_UNITS_EACH = 3
"""Units of a row for a thread, where a workgroup has room for so many threads."""
_MOST_ROWS = 8
"""What digits cost is spread over, as far as registers go."""
_BYTES_AT_ONCE = 128
"""Of all rows together that a thread has on their way: what registers hold."""
_GROUPS = 512
"""Workgroups that keep a large GPU's memory busy: four for each of an H200's 132 processors."""


@dataclass(frozen=True)
class Slices:
    """What slice.wgsl and its neighbors are compiled for.

    A workgroup of `threads` has `each` rows, a thread `unroll` units of a row; `ragged` where some
    threads have one less.
    """

    threads: int
    each: int
    unroll: int
    ragged: bool

    def constants(self) -> Mapping[str, Constant]:
        """By their names in shaders."""
        return {
            "DIGITS": True,
            "THREADS": self.threads,
            "EACH": self.each,
            "UNROLL": self.unroll,
            "RAGGED": self.ragged,
        }


def slices(
    kind: StorageType, width: int, rows: int, features: Features, *, least: int = 1
) -> Slices:
    """How workgroups share `rows` rows of `width` values, `least` or more for each.

    Digits cost a thread as much as a few rows' products, so that a workgroup takes several rows;
    few workgroups leave processors idle.
    """
    units = width // unit_of(kind)
    threads = 32
    while threads < min(256, features.invocations) and ceil_div(units, threads) > _UNITS_EACH:
        threads *= 2
    unroll = ceil_div(units, threads)
    each = max(_MOST_ROWS, least)
    row_bytes = unroll * (16 if unit_of(kind) > 16 else 8)
    while each > least and (each * row_bytes > _BYTES_AT_ONCE or ceil_div(rows, each) < _GROUPS):
        each //= 2
    return Slices(threads, each, unroll, units % threads > 0)
