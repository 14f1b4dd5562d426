"""The protocol of every backend: what it can run, where its memory is, how work starts.

Memory has a name: `HOST` for what the processor's cores address, another for each device. A backend
allocates memory of one name, and may be able to read others as they are.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rung.backends.recording import Recording
from rung.graph.ir import Node, Tensor
from rung.registry import Cost, Kernel
from rung.storage import StorageType, StoredTensor, stored

HOST = "host"

Fetched = Callable[[], NDArray[np.float32]]
"""Values on their way to the host: the call waits for them, and is to be made once."""

Compiling = Callable[[int, int, str], None]
"""Told before a kernel is compiled for the first time: how many are done, of how many, its name."""


class Buffer(Protocol):
    """A tensor's memory on some backend. On the host it is a StoredTensor."""

    @property
    def type(self) -> StorageType:
        """How values are stored."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """The greatest shape that it can hold; values of a smaller one lie at its beginning."""
        ...

    @property
    def size_bytes(self) -> int:
        """Bytes that it takes."""
        ...


class Arena(Protocol):
    """One piece of memory in which many tensors have their places."""

    @property
    def size_bytes(self) -> int:
        """Its size."""
        ...

    def place(self, kind: StorageType, shape: tuple[int, ...], offset: int) -> Buffer:
        """A tensor at `offset` bytes, a multiple of the backend's alignment."""
        ...


class Program(Protocol):
    """A compiled piece of a graph, bound to memory."""

    def submit(self, sizes: Mapping[str, int], recording: Recording | None = None) -> None:
        """Starts it for these run-time sizes (T tokens, R rows).

        What its tracks do is added to `recording`, where there is one, before `synchronize` ends.
        """
        ...

    def synchronize(self) -> None:
        """Waits until it has finished."""
        ...


class Arriving(Protocol):
    """Whole numbers on their way to the host, while the device works on."""

    def get(self) -> list[int]:
        """The numbers, after waiting for the work that makes them, and for no other; once."""
        ...

    def drop(self) -> None:
        """Forgets them, without waiting."""
        ...


class RepeatedProgram(Program, Protocol):
    """A program that may make its own next inputs."""

    def repeat(self, sizes: Mapping[str, int], times: int, result: Buffer) -> Arriving:
        """Starts it so many times in a row, and does not wait.

        The first number of `result`, as it is after each time, will come to the host.
        """
        ...


@dataclass(frozen=True)
class Step:
    """A node and the backend whose kernel computes it."""

    node: Node
    backend: Backend


@dataclass(frozen=True)
class Launch:
    """What a program starts as one: `node`, which may stand for several steps, by a kernel.

    owner: the step that its time counts for. steps: how many it stands for. dispatches: starts of
    the device.
    """

    node: Node
    owner: int
    steps: int
    kernel: str
    dispatches: int


class Backend(ABC):
    """A processor with its memory and kernels.

    memory: the name of what `allocate` gives. alignment: of tensors in an arena, in bytes.
    takes_f16: whether its kernels read keys and values in float16. whole_places: whether tensors
    that share memory must all begin where it begins.
    """

    name: str
    memory: str = HOST
    alignment: int = 64
    takes_f16: bool = True
    whole_places: bool = False

    @property
    def runs_ahead(self) -> bool:
        """Whether its programs are RepeatedPrograms, and it pays to use them as such."""
        return False

    @property
    def engine(self) -> Backend:
        """The backend that runs its programs, where it has none of its own.

        Neighboring steps of backends with one engine become one program.
        """
        return self

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What was found: processor, threads, memory, libraries, for `rung devices`."""

    @abstractmethod
    def supports(self, node: Node) -> bool:
        """Whether it has a kernel for a node."""

    def accepts(self, memory: str) -> bool:
        """Whether its kernels can read and write memory of this name as it is."""
        return memory == self.memory

    def wants_offload(self, node: Node, sizes: Mapping[str, int]) -> bool:
        """Whether taking a node from another backend could pay for a batch of these sizes.

        Nothing moves here by measured times alone where this is not so: not to a device that would
        copy the weights for each run, nor to a backend on the same memory.
        """
        return False

    def seconds(self, node: Node, sizes: Mapping[str, int]) -> float | None:
        """How long a node takes, where the backend itself can tell."""
        return None

    def kernel_name(self, node: Node) -> str | None:
        """The kernel that computes a node, by the name under which its rates are measured."""
        return None

    def cost_seconds(self, cost: Cost) -> float | None:
        """How long operations and bytes take at its limits, where it can tell."""
        return None

    def copy_seconds(self, size_bytes: int, *, to_host: bool) -> float | None:
        """How long bytes take from the host to its memory, or to the host, where it can tell."""
        return None

    @property
    def largest_bytes(self) -> int | None:
        """The most that a state or an activation may take; None without a limit."""
        return None

    def free_bytes(self) -> int | None:
        """Memory that it could still allocate; None where that is not known or not limited."""
        return None

    @abstractmethod
    def allocate(self, kind: StorageType, shape: tuple[int, ...]) -> Buffer:
        """New memory, zeroed. Raises MemoryLimitError when there is not enough."""

    @abstractmethod
    def arena(self, size_bytes: int) -> Arena:
        """Memory for many tensors. Raises MemoryLimitError when there is not enough."""

    @abstractmethod
    def write(self, target: Buffer, source: StoredTensor, shape: tuple[int, ...]) -> None:
        """Copies values of this shape from host memory, in order with submitted work.

        It need not wait for that work, nor has the copy to be done on return; `source` may change
        then.
        """

    @abstractmethod
    def read(self, source: Buffer, target: StoredTensor, shape: tuple[int, ...]) -> None:
        """Copies values of this shape to host memory, once submitted work has made them."""

    def fetch(self, source: Buffer, shape: tuple[int, ...]) -> Fetched:
        """Float32 values as submitted work leaves them, whatever is submitted afterwards.

        A backend that need not wait for them until they are asked for does not.
        """
        values = np.empty(shape, np.float32)
        self.read(source, stored(values), shape)
        return lambda: values

    @abstractmethod
    def compile(
        self,
        steps: Sequence[Step],
        memory: Mapping[Tensor, Buffer],
        *,
        kept: Collection[Tensor] | None = None,
        on_compile: Compiling | None = None,
    ) -> Program:
        """Steps of this engine, in order, as a program on memory given at its greatest sizes.

        kept: roots of tensors that something else reads; None for all of them. What only these
        steps read need never be written.
        """

    def launches(
        self,
        steps: Sequence[Step],
        offsets: Mapping[Tensor, int],
        *,
        most: Mapping[str, int],
        sizes: Mapping[str, int],
        kept: Collection[Tensor],
    ) -> Sequence[Launch]:
        """What a program of these steps would start for these sizes; none: each step by itself.

        offsets: of activations in an arena. most: the sizes that memory is for. kept: see compile.
        """
        return ()

    def prepare(
        self,
        program: Program,
        sizes: Sequence[Mapping[str, int]],
        on_compile: Compiling | None = None,
    ) -> None:
        """Compiles what runs of these sizes need, where `compile` has left it for later."""
        return

    @abstractmethod
    def close(self) -> None:
        """Ends its threads and frees what it holds."""


ALL_FEATURES = "default"
"""Nothing was switched off."""


@dataclass(frozen=True)
class Origin:
    """What a measurement holds for: a processor, what was switched off on it, what it can do."""

    machine: str
    features: str  # what an environment variable says, or ALL_FEATURES
    instructions: tuple[str, ...]


class KernelBackend(Backend):
    """A backend of numbered kernels, which checks and benchmarks start one by one."""

    @property
    def threads(self) -> int:
        """Threads that share the work; 0 where that is the device's affair."""
        return 0

    @property
    @abstractmethod
    def cache_bytes(self) -> int:
        """What its last cache holds: weights beyond it come from memory."""

    @property
    @abstractmethod
    def origin(self) -> Origin:
        """What measurements on it hold for."""

    def lacks(self, kernel: Kernel) -> str:
        """What a kernel needs that is not there, besides features of the processor; or nothing."""
        return ""

    @abstractmethod
    def program(
        self, nodes: Sequence[Node], kernels: Sequence[Kernel], memory: Mapping[Tensor, Buffer]
    ) -> Program:
        """Nodes, each with the kernel that the caller chose for it, as a program."""

    def run_seconds(self, program: Program) -> float:
        """Runs one of its programs, without run-time sizes, and tells how long it took."""
        start = time.perf_counter()
        program.submit({})
        program.synchronize()
        return time.perf_counter() - start
