"""Which nodes are measured, each in a small and a large size, and rates from their times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rung import ops
from rung.backends.base import Backend, Compiling
from rung.errors import KernelError, UsageError
from rung.ops.attention.op import PAGE
from rung.registry import Op
from rung.schedule.costs import rates_key
from rung.schedule.rates import KernelRates, Point
from rung.storage import F16, F32, Q8_S, StorageType, storage_type
from rung.tuning.measure import Chain, Subject, chain

TOKENS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""Batch sizes that are measured."""

WEIGHT_TYPES = ("f32", "q8_0", "f16", "q4_0", "q4_k", "i8", "q6_k", "bf16", "q5_k")
"""Types of weights, the most used first."""

_MATRIX = ({"N": 256, "K": 256}, {"N": 1024, "K": 1024})
# Weights that are read from memory: so many times what the last cache holds, but not more.
_CACHES = 2
_MOST_BYTES = 1 << 29
_FAR_TOKENS = (1, 4, 16, 64, 256)
# As wide as the widest matrices of a model of a billion parameters.
_FAR = {"N": 5632, "K": 2048}


def check_types(names: Sequence[str]) -> list[str]:
    """The names, if they are types of weights. Raises UsageError otherwise."""
    for name in names:
        if name not in WEIGHT_TYPES:
            raise UsageError(f"no weights of type {name!r}; there are {', '.join(WEIGHT_TYPES)}")
    return list(names)


@dataclass(frozen=True)
class Pair:
    """An op in two sizes; `weight` is the type of its matrix, if it is a product."""

    small: Subject
    large: Subject
    weight: StorageType | None = None

    @property
    def name(self) -> str:
        """For people."""
        kind = f" {self.weight.name}" if self.weight else ""
        return f"{self.small.op.name}{kind}"


def products(kind: str, *, rounded: bool) -> Pair:
    """The product with weights of a type; with activations rounded to int8, or float32."""
    weight = storage_type(kind)
    types = {"w_NK": weight, "x_TK": Q8_S if rounded else F32}
    small, large = (Subject(ops.linear, sizes, types=types) for sizes in _MATRIX)
    return Pair(small, large, weight)


def others(kind: str | None = None) -> Iterator[Pair]:
    """Everything but products; with tables of a type, if that is given."""
    for op, attributes in _BY_WIDTH.items():
        yield _pair(op, attributes, {"D": 256}, {"D": 2048})
    for op in _BY_HIDDEN:
        yield _pair(op, {}, {"F": 512}, {"F": 4096})
    yield _pair(ops.quantize_blocks, {}, {"K": 256}, {"K": 2048})
    heads = {"D": 64, "S": 1, "L": PAGE, "C": 512, "P": 512 // PAGE}
    yield _pair(ops.head_norm, {"eps": 1e-5}, {"H": 4, "D": 64}, {"H": 32, "D": 64})
    for layout in ("interleaved", "half"):
        sizes = {"D": 64, "F": 64}
        yield _pair(ops.rope, {"layout": layout}, {"H": 4, **sizes}, {"H": 32, **sizes})
    yield _pair(ops.rope_angles, {"scale": 1.0}, {"E": 24}, {"E": 64})
    for cache in (F32, F16):
        for write, name in ((ops.cache_write, "cache_SGCD"), (ops.cache_write_keys, "cache_SGPDL")):
            pair = _pair(write, {}, {**heads, "G": 2}, {**heads, "G": 8})
            yield _typed(pair, {name: cache})
        sizes = {"D": 64, "S": 1, "L": PAGE}
        pair = _pair(
            ops.attention,
            {"scale": 0.125, "window": 0, "softcap": 0.0},
            {**sizes, "H": 4, "G": 2, "C": 256, "P": 256 // PAGE},
            {**sizes, "H": 16, "G": 4, "C": 768, "P": 768 // PAGE},
        )
        yield _typed(pair, {"k_SGPDL": cache, "v_SGCD": cache})
    for table in dict.fromkeys(("f32", kind or "f32")):
        pair = _pair(ops.embedding, {}, {"V": 512, "D": 256}, {"V": 512, "D": 2048})
        yield _typed(pair, {"table_VD": storage_type(table)})


_BY_WIDTH: Mapping[Op, Mapping[str, Any]] = {
    ops.rms_norm: {"eps": 1e-5},
    ops.rms_norm_rounded: {"eps": 1e-5},
    ops.layer_norm: {"eps": 1e-5},
    ops.layer_norm_rounded: {"eps": 1e-5},
    ops.add: {},
}
_BY_HIDDEN = (
    ops.swiglu,
    ops.swiglu_rounded,
    ops.gelu,
    ops.gelu_rounded,
    ops.geglu,
    ops.geglu_rounded,
)


def _pair(
    op: Op, attributes: Mapping[str, Any], small: Mapping[str, int], large: Mapping[str, int]
) -> Pair:
    return Pair(Subject(op, small, attributes), Subject(op, large, attributes))


def _typed(pair: Pair, types: Mapping[str, StorageType]) -> Pair:
    return Pair(replace(pair.small, types=types), replace(pair.large, types=types))


def measure_rates(
    pair: Pair,
    backend: Backend,
    *,
    cache_bytes: int,
    tokens: Sequence[int] = TOKENS,
    on_compile: Compiling | None = None,
) -> tuple[str, KernelRates]:
    """The key of the kernel that runs, and its rates. Raises KernelError where none accepts this.

    A large product takes turns with several matrices, which fit the last cache together, as those
    of a small model do.
    """
    most = max(tokens)
    sets = 1
    if pair.weight is not None:
        size = pair.weight.size_bytes((pair.large.sizes["N"], pair.large.sizes["K"]))
        sets = max(1, min(16, cache_bytes // 3 // size))
    small = chain(pair.small, backend, most, nodes=16, on_compile=on_compile)
    large = chain(replace(pair.large, copies=sets), backend, most, nodes=4, on_compile=on_compile)
    key = rates_key(backend, small.steps[0].node)
    if key is None:
        raise KernelError(f"{backend.name} has no kernels to measure")
    points = tuple(_point(small, large, count) for count in tokens)
    far = () if pair.weight is None else _far(pair.large, pair.weight, backend, cache_bytes)
    return key, KernelRates(points, far)


def _point(small: Chain, large: Chain, tokens: int) -> Point:
    """A line through both sizes; through the larger alone where that would begin below zero."""
    first, second = small.seconds(tokens), large.seconds(tokens)
    less, more = small.work(tokens), large.work(tokens)
    slope = (second - first) / (more - less)
    fixed = first - slope * less
    if slope <= 0 or fixed < 0:
        return Point(tokens, 0.0, second / more)
    return Point(tokens, fixed, slope)


def _far(
    subject: Subject, weight: StorageType, backend: Backend, cache_bytes: int
) -> tuple[Point, ...]:
    """Points with weights that are in no cache; none where that cannot be arranged."""
    size = weight.size_bytes((_FAR["N"], _FAR["K"]))
    copies = -(-_CACHES * cache_bytes // size)
    if copies * size > _MOST_BYTES:
        return ()
    rotating = chain(
        replace(subject, sizes=_FAR, copies=copies), backend, max(_FAR_TOKENS), nodes=copies
    )
    return tuple(
        Point(tokens, 0.0, rotating.seconds(tokens) / rotating.work(tokens))
        for tokens in _FAR_TOKENS
    )
