"""What is trained: parameters by name, with their gradients and moments, in a device's memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from rung.backends.base import Backend, Buffer
from rung.errors import UsageError
from rung.models.config import Config, weight_shapes
from rung.models.trainable import Packed, packed_weights
from rung.storage import F32, stored

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Weight:
    """Where a trained tensor lives: values, gradient, moments."""

    packed: Packed
    values: Buffer
    gradient: Buffer
    moments: tuple[Buffer, Buffer]
    decays: bool


def is_matrix(name: str, shape: tuple[int, ...]) -> bool:
    """What decays by default: matrices, embeddings among them; not biases nor norms."""
    return len(shape) > 1


class Parameters:
    """The trained tensors of a Config, read and written by the names of its weights.

    `states` are their buffers, by the names that they have in the graphs; `weights` are the trained
    tensors by name. Raises UsageError for weights in one tensor of which some decay,
    MemoryLimitError where memory does not suffice.
    """

    def __init__(
        self, config: Config, device: Backend, decays: Callable[[str, tuple[int, ...]], bool]
    ) -> None:
        self._device = device
        self._shapes = weight_shapes(config)
        self.weights: dict[str, Weight] = {}
        self.states: dict[str, Buffer] = {}
        for packed in packed_weights(config).values():
            self._allocate(packed, decays)
        self._holder = {part: w for w in self.weights.values() for part in w.packed.rows}

    @property
    def names(self) -> list[str]:
        """Every parameter, in the order of a file."""
        return list(self._shapes)

    @property
    def size_bytes(self) -> int:
        """What the parameters take, without gradients and moments."""
        return sum(weight.values.size_bytes for weight in self.weights.values())

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a parameter. Raises UsageError where there is none of that name."""
        if name not in self._shapes:
            raise UsageError(f"no parameter {name!r}; there are: {', '.join(self._shapes)}")
        return self._shapes[name]

    def weight(self, name: str) -> Weight:
        """The trained tensor that holds a parameter."""
        self.shape(name)
        return self._holder[name]

    def read(self, name: str, buffer: Buffer) -> Array:
        """A copy of a parameter's rows of one of its tensor's buffers."""
        packed = self.weight(name).packed
        whole = stored(np.empty(packed.shape, np.float32))
        self._device.read(buffer, whole, packed.shape)
        first, after = packed.rows[name]
        values = whole.float32()
        return values if len(packed.rows) == 1 else values[first:after].copy()

    def write(self, name: str, buffer: Buffer, values: Array) -> None:
        """Sets a parameter's rows of one of its tensor's buffers. Raises UsageError."""
        if values.shape != self.shape(name):
            raise UsageError(f"{name} has shape {values.shape}, expected {self.shape(name)}")
        packed = self._holder[name].packed
        first, after = packed.rows[name]
        whole = stored(np.array(values, np.float32, order="C"))
        if len(packed.rows) > 1:
            whole = stored(np.empty(packed.shape, np.float32))
            self._device.read(buffer, whole, packed.shape)
            cast(Array, whole.planes[0])[first:after] = values
        self._device.write(buffer, whole, packed.shape)

    def _allocate(self, packed: Packed, decays: Callable[[str, tuple[int, ...]], bool]) -> None:
        wishes = {decays(part, self._shapes[part]) for part in packed.rows}
        if len(wishes) > 1:
            raise UsageError(
                f"{', '.join(packed.rows)} lie in one tensor: all of them decay, or none"
            )
        new = [self._device.allocate(F32, packed.shape) for _ in range(4)]
        states = [packed.name, *(f"{packed.name} {what}" for what in ("gradient", "m", "v"))]
        self.states |= dict(zip(states, new, strict=True))
        values, gradient, first, second = new
        weight = Weight(packed, values, gradient, (first, second), wishes.pop())
        self.weights[packed.name] = weight


def check_weights(config: Config, weights: Mapping[str, Array]) -> None:
    """Raises UsageError unless these are the weights of a Config, in their shapes."""
    shapes = weight_shapes(config)
    if set(shapes) != set(weights):
        wrong = sorted(set(shapes) ^ set(weights))
        raise UsageError(f"weights that are missing or not known: {', '.join(wrong[:5])}")
    for name, shape in shapes.items():
        if weights[name].shape != shape:
            raise UsageError(f"{name} has shape {weights[name].shape}, expected {shape}")
