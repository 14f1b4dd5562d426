"""The BLAS backend: products in company, the same bits at any number of threads, what it lacks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rung import ops
from rung.backends.base import Step
from rung.backends.blas.backend import BlasBackend, lacking
from rung.backends.blas.library import SBGEMM, SGEMM, Library, Missing, find_library
from rung.backends.cpu.backend import CpuBackend
from rung.backends.cpu.program import Block
from rung.errors import BackendError, KernelError
from rung.graph.ir import Graph, Tensor
from rung.registry import Kernel
from rung.storage import StoredTensor, quantize, storage_type, stored


@pytest.fixture(scope="module", params=["auto", "scipy_openblas64"])
def library(request: pytest.FixtureRequest) -> Library:
    """The one that is used, and one whose sizes have 64 bits."""
    place = request.param
    if place != "auto":
        spec = find_spec(place)
        if spec is None or not spec.submodule_search_locations:
            pytest.skip(f"{place} is not installed")
        place = next(
            str(file)
            for file in Path(spec.submodule_search_locations[0], "lib").glob("*openblas*")
            if file.suffix in (".so", ".dylib", ".dll")
        )
    found = find_library(place)
    if isinstance(found, Missing):
        pytest.skip(found.reason)
    assert found.integer_bits == 64 or place == "auto"
    return found


@pytest.fixture
def blas(library: Library) -> Iterator[BlasBackend]:
    cpu = CpuBackend(threads=2)
    yield BlasBackend(cpu, library)
    cpu.close()


def _kernel(name: str) -> Kernel:
    return next(kernel for kernel in ops.linear.kernels if kernel.name == name)


class Products:
    """Several products of the same inputs in one graph, so that threads are in many at once."""

    def __init__(self, T: int, N: int, K: int, types: dict[str, str], count: int) -> None:
        rng = np.random.default_rng(7)
        self.graph = Graph("products")
        self.memory: dict[Tensor, StoredTensor] = {}
        x, w = (
            self._input(name, rng.standard_normal(shape), types.get(name, "f32"))
            for name, shape in (("x_TK", (T, K)), ("w_NK", (N, K)))
        )
        self.expected = self.memory[x].float64() @ self.memory[w].float64().T
        for index in range(count):
            result = self.graph.add(ops.linear, x, w, None, None, name=f"y{index}")
            self.graph.outputs.append(result)
            self.memory[result] = stored(np.empty((T, N), np.float32))

    def _input(self, name: str, values: Any, kind: str) -> Tensor:
        tensor = self.graph.tensor(name, values.shape, "input", storage_type(kind))
        values = values.astype(np.float32)
        self.memory[tensor] = stored(values) if kind == "f32" else quantize(values, kind)
        return tensor

    def run(self, backend: BlasBackend, times: int) -> Iterator[np.ndarray]:
        """Every product of every run, its memory filled with NaN before."""
        steps = [Step(node, backend) for node in self.graph.nodes]
        program = backend.engine.compile(steps, self.memory)
        outputs = [self.memory[tensor].planes[0] for tensor in self.graph.outputs]
        for _ in range(times):
            for output in outputs:
                output.fill(np.nan)
            program.submit({})
            program.synchronize()
            yield from outputs


@pytest.mark.parametrize(
    "types",
    [{}, {"w_NK": "q4_0"}, {"x_TK": "q8_s", "w_NK": "q4_k"}, {"x_TK": "bf16", "w_NK": "bf16"}],
    ids=str,
)
@pytest.mark.parametrize("T", [1, 70])
def test_many_threads_at_once_give_the_same_bits(
    T: int, types: dict[str, str], library: Library
) -> None:
    products = Products(T, 700, 768, types, 5)
    allowed = 1e-5 * np.abs(products.expected).max()
    first = None
    for threads in (1, 2, 3, 8):
        cpu = CpuBackend(threads)
        for result in products.run(BlasBackend(cpu, library), 8):
            first = result.copy() if first is None else first
            assert np.abs(first - products.expected).max() <= allowed
            assert np.array_equal(result, first), threads
        cpu.close()


def test_only_products_are_supported(blas: BlasBackend) -> None:
    graph = Graph("both")
    x, w = graph.tensor("x", (3, 64), "input"), graph.tensor("w", (64,), "weight")
    m = graph.tensor("m", (10, 64), "weight")
    empty = graph.tensor("empty", (3, 0), "input")
    nothing = graph.tensor("nothing", (10, 0), "weight")
    graph.add(ops.rms_norm, x, w, name="norm", eps=1e-5)
    graph.add(ops.linear, x, m, None, None, name="product")
    graph.add(ops.linear, empty, nothing, None, None, name="empty product")
    assert [blas.supports(node) for node in graph.nodes] == [False, True, False]
    with pytest.raises(KernelError, match="no blas kernel of rms_norm"):
        blas.kernel(graph.nodes[0])


def test_a_program_of_both_backends(blas: BlasBackend) -> None:
    graph = Graph("both")
    x, w = graph.tensor("x", (3, 64), "input"), graph.tensor("w", (64,), "weight")
    m = graph.tensor("m", (10, 64), "weight")
    y = graph.add(ops.rms_norm, x, w, name="norm", eps=1e-5)
    z = graph.add(ops.linear, y, m, None, None, name="product")
    rng = np.random.default_rng(3)
    memory = {t: stored(rng.standard_normal(t.shape).astype(np.float32)) for t in (x, w, m, y, z)}
    cpu = blas.engine
    steps = [Step(node, backend) for node, backend in zip(graph.nodes, (cpu, blas), strict=True)]
    program = cpu.compile(steps, memory)
    program.submit({})
    assert [kernel.backend for kernel in program.kernels] == ["cpu", "blas"]
    values = {t: memory[t].float64() for t in (x, w, m)}
    norm = values[x] / np.sqrt((values[x] ** 2).mean(axis=1, keepdims=True) + 1e-5) * values[w]
    np.testing.assert_allclose(memory[z].planes[0], norm @ values[m].T, rtol=1e-4, atol=1e-4)


def test_the_description(blas: BlasBackend, library: Library) -> None:
    facts = blas.describe()
    assert facts["library"].startswith(library.kind)
    assert facts["integers"] in ("32 bits", "64 bits")
    assert "f32" in facts["products of"]
    assert facts["threads"] == 2
    assert blas.identity == facts["library"]


def test_addresses_are_not_compiled_in(blas: BlasBackend, library: Library) -> None:
    products = Products(2, 5, 32, {}, 1)
    kernel = blas.kernel(products.graph.nodes[0])
    block = Block(kernel, products.graph.nodes[0], products.memory)
    address = library.functions[SGEMM]
    assert address in block.words
    assert str(address) not in block.source


def test_a_product_that_the_library_lacks_is_not_taken(library: Library) -> None:
    cpu = CpuBackend(threads=1)
    without = replace(library, functions={SGEMM: library.functions[SGEMM]})
    complete = replace(library, functions={SGEMM: 1, SBGEMM: 2})
    node = Products(2, 5, 32, {"x_TK": "bf16", "w_NK": "bf16"}, 1).graph.nodes[0]
    versions = [BlasBackend(cpu, found).kernel(node).version for found in (without, complete)]
    cpu.close()
    assert versions == [1, 2]
    newest = _kernel("linear:bf16_bf16/blas=2")
    assert lacking(without, newest) == f"{library.kind} here has no sbgemm"
    assert lacking(complete, newest) == ""


def test_without_a_library_there_is_a_reason() -> None:
    cpu = CpuBackend(threads=1)
    with pytest.raises(BackendError, match="not available: nothing of the kind"):
        BlasBackend(cpu, Missing("nothing of the kind"))
    cpu.close()
    assert lacking(Missing("why"), _kernel("linear:f32/blas=1")) == "why"


def test_pins_may_name_its_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNG_PIN", "linear:f32/blas=1")
    CpuBackend(threads=1).close()
    monkeypatch.setenv("RUNG_PIN", "rms_norm/blas=1")
    with pytest.raises(KernelError, match="rms_norm/blas, which has no kernels"):
        CpuBackend(threads=1)
