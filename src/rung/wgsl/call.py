"""A node as a WGSL kernel sees it, and the dispatches that it answers with.

A kernel is a Python function from a Call to one or more Dispatches. Each names a `.wgsl` file
beside the function; docs/webgpu-backend.md says what such a file may hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rung.registry import Specs, TensorSpec

Grid = Callable[[int], tuple[int, int, int]]
"""Workgroups for a number of tokens."""

Constant = int | float | bool | str
"""int is u32, float f32, bool also a condition, str the name of a type."""

MOST_WORKGROUPS = 65535
"""Along one dimension, on every GPU."""

WORKGROUP = "workgroup"
"""The option of kernels that says how many threads share a workgroup, where that is left open."""

LEAST_INVOCATIONS = 32
"""Threads of a workgroup: each of as many stores one sum, in kernels of several rows and tokens."""

MOST_INVOCATIONS = 1024
"""Threads of a workgroup, on any GPU; many have room for 256 alone."""


def is_workgroup(threads: int) -> bool:
    """Whether kernels that leave it open work with so many threads: they sum by halves."""
    return LEAST_INVOCATIONS <= threads <= MOST_INVOCATIONS and not threads & (threads - 1)


@dataclass(frozen=True)
class Features:
    """What kernels may use of a GPU.

    f16: half precision in shaders. subgroups: sums and broadcasts over lanes that run together,
    of `subgroup_size` lanes; 0 where that is not known or varies. matrices: cooperative matrices.
    workgroup_bytes: memory that a workgroup shares. invocations: its most threads. binding_bytes:
    the most of a buffer that a kernel can reach.
    """

    f16: bool = False
    subgroups: bool = False
    subgroup_size: int = 0
    matrices: bool = False
    workgroup_bytes: int = 16384
    invocations: int = 256
    binding_bytes: int = 1 << 27

    def has(self, name: str) -> bool:
        """Whether a feature that a kernel needs is there: f16, subgroups or matrices."""
        return bool(getattr(self, name))


@dataclass(frozen=True)
class Dispatch:
    """One start of a shader.

    shader: its file, beside the kernel's Python. grid: workgroups for a number of tokens.
    constants: names that the file uses besides dimensions and attributes. scratch: variables of the
    file that are no tensors, with their bytes for a number of tokens; nothing else uses them until
    the kernel's last dispatch is done. given: whole numbers that are no constants but read when it
    runs, as `given.NAME`, in place of attributes of these names: calls that differ in nothing else
    then share what is compiled.
    """

    shader: str
    grid: Grid
    constants: Mapping[str, Constant] = field(default_factory=dict)
    scratch: Mapping[str, Callable[[int], int]] = field(default_factory=dict)
    given: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """A node to be computed.

    dims: sizes by letter; T may be a symbol, and is then known to the grid and, as `tokens()`, to
    the shader. is_part: whether a weight lies in several buffers, and this is about one of them:
    first_row is then its first row, dims holds how many rows there are in it, `rows` how many in
    all. tokens: how many this run has, for choosing a shader; what a shader is for, it must be for
    every number of tokens that is answered alike. workgroup: threads of a workgroup, the kernel's
    option of this name.
    """

    dims: Mapping[str, Any]
    attributes: Mapping[str, Any]
    specs: Specs
    features: Features
    is_part: bool = False
    first_row: int = 0
    rows: Any = 0
    tokens: int = 1
    workgroup: int = 0

    def size(self, letter: str) -> int:
        """A dimension that is known before a run."""
        size = self.dims[letter]
        assert isinstance(size, int), f"{letter} is only known at run time"
        return size

    def spec(self, name: str) -> TensorSpec:
        """Of an input that is there."""
        spec = self.specs[name]
        assert spec is not None, name
        return spec

    def has(self, name: str) -> bool:
        """Whether an optional input is there."""
        return self.specs.get(name) is not None


def ceil_div(count: int, each: int) -> int:
    """The least whole number of `each` that hold `count`."""
    return -(-count // each)


def spread(count: int, *, z: int = 1) -> tuple[int, int, int]:
    """`count` workgroups over x and y, where x alone may not hold them.

    A shader finds its own as `workgroup.x + workgroup.y * num_workgroups.x`, and may be one that is
    too many.
    """
    y = max(1, ceil_div(count, MOST_WORKGROUPS))
    return ceil_div(count, y), y, z
