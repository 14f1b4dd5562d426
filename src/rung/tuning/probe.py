"""A quick probe: the few products that decide between backends, where `rung tune` never ran.

Each pair of types that a model multiplies is timed once on a machine, for a few batch sizes, on
every backend that could take it. That is some 50 ms, and it is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rung import ops
from rung.backends.base import HOST, Backend, Compiling
from rung.backends.cpu.backend import TeamBackend
from rung.backends.cpu.caches import last_cache_bytes
from rung.graph.ir import Graph, Node, concrete
from rung.schedule.costs import MachineCosts, rates_key
from rung.schedule.rates import KernelRates, Point
from rung.storage import Q8_S
from rung.tuning.file import add_kernels, load_rates
from rung.tuning.measure import Subject, chain

TOKENS = (1, 8, 32, 128)
_SIZES = {"N": 512, "K": 512}
_MOST_S = 0.01


def machine_costs(
    backends: Sequence[Backend], graph: Graph, *, on_compile: Compiling | None = None
) -> MachineCosts:
    """What is known of this machine; products that several host backends could take are probed."""
    use_measured(backends[0])
    rates = load_rates(backends)
    weights = sum(t.type.size_bytes(concrete(t.shape, {})) for t in graph.of_role("weight"))
    host = [backend for backend in backends if backend.memory == HOST]
    if len(host) == 1:
        return MachineCosts(rates, weights)
    added: dict[str, KernelRates] = {}
    for node in _products(graph):
        able = [backend for backend in host if backend.supports(node)]
        for backend in able if len(able) > 1 else []:
            key = rates_key(backend, node)
            if key is not None and key not in rates.kernels:
                added[key] = _probe(node, backend, on_compile)
    if added:
        cache = rates.cache_bytes or last_cache_bytes()
        rates = replace(rates, kernels={**rates.kernels, **added}, cache_bytes=cache)
        if _has_usual_threads(backends[-1]):
            add_kernels(backends, added, cache_bytes=cache)
    return MachineCosts(rates, weights)


def use_measured(device: Backend) -> None:
    """Gives a GPU what was measured of it: sizes of workgroups, speeds when somebody asks."""
    if device.name != "webgpu":
        return
    from rung.backends.webgpu.backend import WebGpuBackend
    from rung.tuning.gpu import speeds_of, workgroups_of

    assert isinstance(device, WebGpuBackend)
    device.find_speeds = speeds_of
    device.workgroups = workgroups_of(device.gpu)


def _has_usual_threads(cpu: Backend) -> bool:
    """Whether prompts take as many threads as tokens do: else the rates hold for this run alone."""
    return not isinstance(cpu, TeamBackend) or cpu.team.batch == cpu.team.threads


def _products(graph: Graph) -> list[Node]:
    """One product for each pair of types.

    Activations in int8 are left out: the CPU multiplies them in integers, where others would expand
    them and the weights; three to four times as slow with AVX-512, and never faster.
    """
    found: dict[tuple[str, ...], Node] = {}
    for node in graph.nodes:
        if node.op is ops.linear and node.tensors[0].type is not Q8_S:
            found.setdefault(tuple(tensor.type.name for tensor in node.tensors[:2]), node)
    return list(found.values())


def _probe(node: Node, backend: Backend, on_compile: Compiling | None) -> KernelRates:
    """Rates from one size; its time counts as work alone."""
    types = {
        name: tensor.type
        for name, tensor in node.inputs.items()
        if tensor is not None and name in ("x_TK", "w_NK")
    }
    subject = Subject(ops.linear, _SIZES, node.attributes, types)
    probed = chain(subject, backend, max(TOKENS), nodes=2, on_compile=on_compile)
    return KernelRates(
        tuple(
            Point(tokens, 0.0, probed.seconds(tokens, most_s=_MOST_S) / probed.work(tokens))
            for tokens in TOKENS
        )
    )
