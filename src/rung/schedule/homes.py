"""Homes: which backend holds each weight and each state, as the user asks or as memory allows.

Layers are counted from the end, as llama.cpp does: one layer on a device is the output, then the
last block, and so on down to the first. The token embedding stays on the host until all are there,
unless it is the output's matrix as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rung.backends.base import HOST, Backend
from rung.errors import BackendError, UsageError
from rung.graph.ir import Graph, Node, Tensor, concrete
from rung.schedule.problem import Home

CacheOn = Literal["device", "host"]
Layers = int | Literal["auto", "all"]

_BLOCK = re.compile(r"blk\.(\d+)\.|cache_[kv]-(\d+)$")
_EMBEDDINGS = ("token_embd.", "position_embd.")


@dataclass(frozen=True)
class Override:
    """Weights whose names match `pattern` (searched, as re.search does) live on `backend`."""

    pattern: re.Pattern[str]
    backend: str

    @staticmethod
    def parse(text: str) -> Override:
        """REGEX=BACKEND. Raises UsageError where that is not what it is."""
        pattern, equals, backend = text.rpartition("=")
        if not (equals and pattern and backend):
            raise UsageError(f"override {text!r} is not of the form REGEX=BACKEND")
        try:
            return Override(re.compile(pattern), backend.strip())
        except re.error as error:
            raise UsageError(f"override {text!r}: {pattern!r} is not a pattern: {error}") from None


@dataclass(frozen=True)
class Wishes:
    """Where a user wants things.

    gpu_layers: so many layers from the end on the device; "auto" is all that fit. overrides: later
    ones count more. cache_on: keys and values of a layer with its weights, or on the host.
    """

    gpu_layers: Layers = "auto"
    overrides: tuple[Override, ...] = ()
    cache_on: CacheOn = "device"


def layer_count(graph: Graph) -> int:
    """Layers that can be on a device: the blocks and the output."""
    blocks = [_block(tensor) for tensor in graph.tensors.values()]
    return 1 + max((block for block in blocks if block is not None), default=-1) + 1


def parse_layers(text: str) -> Layers:
    """auto, all, or a number. Raises UsageError for anything else."""
    if text in ("auto", "all"):
        return "auto" if text == "auto" else "all"
    if not text.isdecimal():
        raise UsageError(f"--gpu-layers is {text!r}, expected a number, auto or all")
    return int(text)


def check_cache_on(text: str) -> CacheOn:
    """device or host. Raises UsageError for anything else."""
    if text not in ("device", "host"):
        raise UsageError(f"--cache-on is {text!r}, expected device or host")
    return "device" if text == "device" else "host"


def find_homes(
    graph: Graph, backends: Sequence[Backend], wishes: Wishes, constants: frozenset[str]
) -> dict[Tensor, Home]:
    """The home of every weight of the model and of every state.

    backends: greatest priority first. constants: weights that are in no file; they have no home.
    Raises UsageError for more layers than there are, and for an override that names no backend or
    matches no weight; BackendError for a state that its backend cannot hold in one piece.
    """
    host = backends[-1]
    device = next((backend for backend in backends if backend.memory != HOST), None)
    layers = layer_count(graph)
    wanted = wanted_layers(graph, backends, wishes, constants)
    readers = _readers(graph)
    homes: dict[Tensor, Home] = {}
    cause = f"layers on {device.name}: {wanted} of {layers}" if device else "the only memory"
    for tensor in _movable(graph, constants):
        on_device = device is not None and _is_offloaded(graph, tensor, layers, wanted)
        if tensor.role == "state" and wishes.cache_on == "host":
            homes[tensor] = Home(host, "--cache-on host" if on_device else cause)
        else:
            homes[tensor] = Home(device if device and on_device else host, cause)
    for override in wishes.overrides:
        _override(homes, override, backends)
    for tensor, home in homes.items():
        if tensor.role == "weight" and not _is_read_there(home.backend, readers.get(tensor, [])):
            homes[tensor] = Home(host, f"{home.backend.name} has no kernel that reads it")
        elif tensor.role == "state" and not _all_there(home.backend, readers.get(tensor, [])):
            homes[tensor] = Home(host, f"{home.backend.name} has no kernels for attention on it")
        elif tensor.role == "state":
            _check_size(tensor, home.backend)
    return homes


def _check_size(tensor: Tensor, backend: Backend) -> None:
    size = tensor.type.size_bytes(concrete(tensor.shape, {}))
    if backend.largest_bytes is not None and size > backend.largest_bytes:
        raise BackendError(
            f"{tensor.name} takes {size / 2**20:,.1f} MiB, and {backend.name} can hold "
            f"{backend.largest_bytes / 2**20:,.1f} MiB in one piece: take a smaller --context, "
            "fewer slots, --cache-type f16 or --cache-on host"
        )


def wanted_layers(
    graph: Graph, backends: Sequence[Backend], wishes: Wishes, constants: frozenset[str]
) -> int:
    """How many layers go to the device. Raises UsageError for more than there are."""
    layers = layer_count(graph)
    device = next((backend for backend in backends if backend.memory != HOST), None)
    if wishes.gpu_layers == "auto":
        return 0 if device is None else fitting_layers(graph, device, wishes, constants)
    if wishes.gpu_layers == "all":
        return _checked(layers, device)
    if not 0 <= wishes.gpu_layers <= layers:
        raise UsageError(
            f"{wishes.gpu_layers} layers for a device, but this model has {layers}: "
            f"{layers - 1} blocks and the output; auto takes what fits"
        )
    return _checked(wishes.gpu_layers, device)


def _checked(layers: int, device: Backend | None) -> int:
    if layers and device is None:
        raise UsageError(f"{layers} layers for a device, but no device is in use; see --device")
    return layers


_SPARE = 0.05
"""Share of a device's free memory that is left for activations, copies and programs."""


def fitting_layers(graph: Graph, device: Backend, wishes: Wishes, constants: frozenset[str]) -> int:
    """The most layers whose weights and caches fit the memory that a device has free."""
    layers = layer_count(graph)
    free = device.free_bytes()
    if free is None:
        return layers
    for count in range(layers, 0, -1):
        needed = sum(
            tensor.type.size_bytes(concrete(tensor.shape, {}))
            for tensor in _movable(graph, constants)
            if _is_offloaded(graph, tensor, layers, count)
            and not (tensor.role == "state" and wishes.cache_on == "host")
        )
        if needed <= free * (1 - _SPARE):
            return count
    return 0


def _movable(graph: Graph, constants: frozenset[str]) -> list[Tensor]:
    weights = [t for t in graph.of_role("weight") if t.name not in constants]
    return weights + graph.of_role("state")


def _block(tensor: Tensor) -> int | None:
    match = _BLOCK.search(tensor.name)
    return int(match[1] or match[2]) if match else None


def _is_offloaded(graph: Graph, tensor: Tensor, layers: int, wanted: int) -> bool:
    """Whether a tensor belongs to the last `wanted` of so many layers; the output is the last."""
    block = _block(tensor)
    if block is None and tensor.name.startswith(_EMBEDDINGS) and not _is_output(graph, tensor):
        return wanted == layers
    return wanted > 0 and (layers - 1 if block is None else block) >= layers - wanted


def _is_output(graph: Graph, tensor: Tensor) -> bool:
    """Whether a table of embeddings is also the output's matrix."""
    return tensor.name == "token_embd.weight" and "output.weight" not in graph.tensors


def _override(homes: dict[Tensor, Home], override: Override, backends: Sequence[Backend]) -> None:
    named = {backend.name: backend for backend in backends}
    if override.backend not in named:
        raise UsageError(
            f"override {override.pattern.pattern!r}: no backend {override.backend!r} is in use; "
            f"there are {', '.join(named)}"
        )
    matched = [t for t in homes if t.role == "weight" and override.pattern.search(t.name)]
    if not matched:
        some = ", ".join(tensor.name for tensor in list(homes)[:3])
        raise UsageError(
            f"override {override.pattern.pattern!r} matches no weight of this model, "
            f"which has {some} …"
        )
    for tensor in matched:
        homes[tensor] = Home(
            named[override.backend], f"override {override.pattern.pattern}={override.backend}"
        )


def _readers(graph: Graph) -> Mapping[Tensor, list[Node]]:
    found: dict[Tensor, list[Node]] = {}
    for node in graph.nodes:
        for root in dict.fromkeys(tensor.root for tensor in node.tensors):
            found.setdefault(root, []).append(node)
    return found


def _is_read_there(backend: Backend, readers: Sequence[Node]) -> bool:
    return backend.memory == HOST or any(backend.supports(node) for node in readers)


def _all_there(backend: Backend, readers: Sequence[Node]) -> bool:
    return backend.memory == HOST or all(backend.supports(node) for node in readers)
