"""Products in integers: the same bits in any company, and exact at the ends of their ranges."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from rung.backends.base import Step
from rung.backends.cpu.backend import CpuBackend
from rung.graph.ir import Graph
from rung.registry import OPS
from rung.storage import F32, StoredTensor, quantize

TYPES = ("i8", "q8_0", "q4_0", "q4_k", "q5_k", "q6_k")


@pytest.fixture(scope="module")
def backends() -> Iterator[list[CpuBackend]]:
    opened = [CpuBackend(threads=1), CpuBackend(threads=3)]
    yield opened
    for backend in opened:
        backend.close()


def _product(backend: CpuBackend, x: StoredTensor, w: StoredTensor) -> NDArray[np.float32]:
    graph = Graph("product")
    inputs = [graph.tensor(name, v.shape, "input", v.type) for name, v in (("x", x), ("w", w))]
    graph.outputs.append(graph.add(OPS["linear"], *inputs, None, None, name="y"))
    output = backend.allocate(F32, (x.shape[0], w.shape[0]))
    output.planes[0].fill(np.nan)
    memory = dict(zip([*inputs, graph.outputs[0]], [x, w, output], strict=True))
    program = backend.compile([Step(node, backend) for node in graph.nodes], memory)
    program.submit({})
    program.synchronize()
    return output.planes[0]


def _rows(x: StoredTensor, start: int, stop: int) -> StoredTensor:
    planes = tuple(np.ascontiguousarray(plane[start:stop]) for plane in x.planes)
    return StoredTensor(x.type, (stop - start, x.shape[1]), planes)


@pytest.mark.parametrize("name", TYPES)
def test_company_changes_no_bit(name: str, backends: list[CpuBackend]) -> None:
    rng = np.random.default_rng(7)
    T, N, K = 11, 47, 768 if name.endswith("k") else 736
    w = quantize(rng.standard_normal((N, K)).astype(np.float32), name)
    x = quantize(rng.standard_normal((T, K)).astype(np.float32), "q8_s")
    together = _product(backends[0], x, w)
    assert not np.isnan(together).any()
    np.testing.assert_array_equal(_product(backends[1], x, w), together)
    for size in (1, 2, 9):
        pieces = [
            _product(backends[0], _rows(x, t, min(t + size, T)), w) for t in range(0, T, size)
        ]
        np.testing.assert_array_equal(np.concatenate(pieces), together)


@pytest.mark.parametrize("name", ["i8", "q8_0"])
@pytest.mark.parametrize("activation", [-127, 127])
def test_the_most_negative_weight(name: str, activation: int, backends: list[CpuBackend]) -> None:
    """−128 has no positive twin in a byte; files may hold it though our encoder never writes it."""
    N, K = 5, 160
    w = quantize(np.ones((N, K), np.float32), name)
    if name == "i8":
        w.planes[0].fill(-128)
    else:
        w.planes[0].reshape(N, K // 32, 34)[:, :, 2:] = 0x80
    x = quantize(np.full((1, K), activation, np.float32), "q8_s")
    expected = x.float64() @ w.float64().T
    np.testing.assert_allclose(_product(backends[0], x, w), expected, rtol=1e-5)
