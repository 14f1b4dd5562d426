"""The programs of a step, each made when it is first needed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rung.backends.base import HOST, Arena, Backend, Compiling
from rung.graph.grad import differentiate
from rung.graph.ir import Graph, Tensor
from rung.models.trainable import LOSS, TrainableDecoder
from rung.registry import Op
from rung.schedule.costs import MachineCosts
from rung.schedule.execute import Executor, Started
from rung.schedule.problem import Home
from rung.storage import StoredTensor, stored
from rung.train.parameters import Parameters
from rung.train.update import update_graph

ProgramName = Literal["loss", "gradients", "accumulate", "norm", "update"]
"""loss: forward alone. gradients: set by forward and backward. accumulate: added to what is there.
norm: of all gradients. update: AdamW's, and the norm."""


class Programs:
    """Executors of a step's graphs, which share parameters, states and activations' memory.

    rows: B · T. recompute: ops whose outputs the backward pass computes once more.
    """

    def __init__(
        self,
        decoder: TrainableDecoder,
        parameters: Parameters,
        backends: list[Backend],
        *,
        rows: int,
        recompute: Collection[Op],
        on_compile: Compiling | None,
    ) -> None:
        self._decoder = decoder
        self._forward = decoder.build()
        self._parameters = parameters
        self._backends = backends
        self._sizes = {"T": rows}
        self._recompute = recompute
        self._on_compile = on_compile
        self._states = dict(parameters.states)
        self._arenas: dict[str, list[Arena]] = {}
        self._made: dict[str, Executor] = {}

    def start(self, name: ProgramName, inputs: Mapping[str, NDArray[np.int32]]) -> Started:
        """Starts a program, which is waited for when its result is asked for."""
        return self.executor(name).start(inputs, self._sizes)

    def executor(self, name: ProgramName) -> Executor:
        """The program, made now if it is not there."""
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def close(self) -> None:
        """Lets go of the programs and their memory."""
        self._made, self._arenas, self._states = {}, {}, {}

    @property
    def activation_bytes(self) -> int:
        """What the activations of the programs so far take together."""
        return sum(arena.size_bytes for each in self._arenas.values() for arena in each)

    def _make(self, name: ProgramName) -> Executor:
        graph = self._graph(name)
        constants = self._decoder.constants
        weights: dict[Tensor, StoredTensor] = {
            tensor: stored(constants[tensor.name]) for tensor in graph.of_role("weight")
        }
        home = Home(self._backends[0], "training")
        states = graph.of_role("state")
        executor = Executor(
            graph,
            self._backends,
            weights,
            self._sizes,
            homes={} if home.backend.memory == HOST else dict.fromkeys(states, home),
            costs=MachineCosts(),
            on_compile=self._on_compile,
            states=self._states,
            arenas=self._arenas,
        )
        executor.prepare([self._sizes])
        return executor

    def _graph(self, name: ProgramName) -> Graph:
        weights = self._parameters.weights
        if name == "loss":
            return self._forward
        if name in ("gradients", "accumulate"):
            return differentiate(
                self._forward,
                self._forward.tensors[LOSS],
                weights,
                accumulate=name == "accumulate",
                recompute=self._recompute,
            ).graph
        return update_graph(list(weights.values()), moves=name == "update")
