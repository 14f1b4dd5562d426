"""Executing a graph: plans by size of the batch, memory on every backend, compiled programs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray

from rung.backends.base import (
    HOST,
    Arena,
    Backend,
    Buffer,
    Compiling,
    Fetched,
    Program,
    RepeatedProgram,
    Step,
)
from rung.backends.recording import Recording
from rung.graph.ir import Graph, Tensor, concrete
from rung.schedule.ahead import Ahead, Follow
from rung.schedule.costs import KEYS, batch_sizes
from rung.schedule.debug import debug_level, tell_plan, tell_run
from rung.schedule.plan import Plan, make_plan
from rung.schedule.problem import Costs, Home, Problem
from rung.schedule.profile.runs import CopyTime, Profile, Run, StageFacts, StageTime
from rung.schedule.split import Copy
from rung.storage import StoredTensor
from rung.storage.mapped import let_go

Uploading = Callable[[int, int, str], None]
"""Told before a weight goes to a device: bytes done, of how many, its name."""


Started = Callable[[], list[NDArray[np.float32]]]
"""A run's outputs, as `Executor.run` gives them, after waiting for them; to be called once."""


@dataclass(frozen=True)
class _Move:
    """A copy on concrete memory."""

    copy: Copy
    source: Buffer
    target: Buffer

    def run(self, sizes: Mapping[str, int]) -> None:
        """Moves the values of a batch."""
        shape = concrete(self.copy.tensor.shape, sizes)
        source, target = self.copy.source, self.copy.target
        if source.memory == HOST:
            target.write(self.target, cast(StoredTensor, self.source), shape)
        else:
            source.read(self.source, cast(StoredTensor, self.target), shape)

    def timed(self, sizes: Mapping[str, int]) -> CopyTime:
        """Moves the values of a batch, and tells how long the host was at it."""
        start = time.perf_counter_ns()
        self.run(sizes)
        end = time.perf_counter_ns()
        tensor, source, target = self.copy.tensor, self.copy.source, self.copy.target
        size_bytes = tensor.type.size_bytes(concrete(tensor.shape, sizes))
        return CopyTime(tensor.name, source.name, target.name, size_bytes, start, end)


@dataclass(frozen=True)
class _Compiled:
    """A plan as it runs: for each stage copies and a program, then copies of the outputs."""

    plan: Plan
    stages: tuple[tuple[tuple[_Move, ...], Program], ...]
    memories: tuple[Mapping[Tensor, Buffer], ...]  # what each stage works on
    outputs: tuple[_Move, ...]
    results: tuple[tuple[Tensor, NDArray[np.float32]], ...]

    @property
    def programs(self) -> list[Program]:
        """One for each stage."""
        return [program for _, program in self.stages]

    @cached_property
    def _facts(self) -> list[StageFacts]:
        """What is the same in all runs."""
        return [StageFacts(stage) for stage in self.plan.stages]

    def run(self, sizes: Mapping[str, int]) -> None:
        """Copies and programs, in order, to the end."""
        for moves, program in self.stages:
            for move in moves:
                move.run(sizes)
            program.submit(sizes)
        for move in self.outputs:
            move.run(sizes)
        self.stages[-1][1].synchronize()

    def start(self, sizes: Mapping[str, int]) -> list[Fetched]:
        """Copies and programs, without waiting for the outputs, which are all on a device."""
        for moves, program in self.stages:
            for move in moves:
                move.run(sizes)
            program.submit(sizes)
        return [
            move.copy.source.fetch(move.source, concrete(move.copy.tensor.shape, sizes))
            for move in self.outputs
        ]

    def timed(
        self, sizes: Mapping[str, int], *, spans: bool
    ) -> tuple[list[CopyTime], list[StageTime]]:
        """The same, with times; with `spans` those of every track of every program, too."""
        copies: list[CopyTime] = []
        stages: list[StageTime] = []
        for facts, (moves, program) in zip(self._facts, self.stages, strict=True):
            copies += [move.timed(sizes) for move in moves]
            recording = Recording()
            start = time.perf_counter_ns()
            program.submit(sizes, recording if spans else None)
            end = time.perf_counter_ns()
            stages.append(StageTime(facts, start, end, recording))
        copies += [move.timed(sizes) for move in self.outputs]
        self.stages[-1][1].synchronize()
        return copies, stages


class Executor:
    """A graph ready to run on some backends, for run-time sizes up to `most`.

    backends: greatest priority first; the last one reads host memory and supports every node.
    weights: their host memory. homes: the backends that hold weights and states; a weight without
    one is wherever it is needed. states: memory, by name, of states that other executors have as
    well; the rest are new, and zero. arenas: memory for activations that other executors use by
    turns with this one, which adds what it needs.
    Raises MemoryLimitError where a backend's memory does not suffice.
    """

    def __init__(
        self,
        graph: Graph,
        backends: Sequence[Backend],
        weights: Mapping[Tensor, StoredTensor],
        most: Mapping[str, int],
        *,
        homes: Mapping[Tensor, Home],
        costs: Costs,
        on_compile: Compiling | None = None,
        on_upload: Uploading | None = None,
        states: Mapping[str, Buffer] | None = None,
        arenas: dict[str, list[Arena]] | None = None,
    ) -> None:
        self.graph = graph
        self.backends = list(backends)
        self.most = dict(most)
        self.homes = homes
        self._host = backends[-1]
        self._weights = weights
        self._costs = costs
        self._on_compile = on_compile
        self._resident: dict[tuple[Tensor, str], Buffer] = {}
        self._arenas: dict[str, list[Arena]] = {} if arenas is None else arenas
        self._plans: dict[int, _Compiled] = {}
        self._compiled: dict[object, _Compiled] = {}
        self._alone = len(backends) == 1
        self._debug_level = debug_level()
        self.profile: Profile | None = None
        self._inputs: dict[str, NDArray[np.int32]] = {}
        for tensor in graph.of_role("input"):
            stored = cast(StoredTensor, self._host.allocate(tensor.type, self._shape(tensor)))
            self._resident[tensor, HOST] = stored
            self._inputs[tensor.name] = stored.planes[0].view(np.int32)
        for tensor in graph.of_role("state"):
            backend = homes[tensor].backend if tensor in homes else self._host
            known = (states or {}).get(tensor.name)
            buffer = known or backend.allocate(tensor.type, self._shape(tensor))
            self._resident[tensor, backend.memory] = buffer
        self._upload(on_upload)
        # What a prompt and what a step needs is compiled now, and not when a user waits for it.
        for tokens in (self.most["T"], 1):
            self.compiled(tokens)

    def run(
        self, inputs: Mapping[str, NDArray[np.int32]], sizes: Mapping[str, int]
    ) -> list[NDArray[np.float32]]:
        """The outputs for these inputs: views of float32 memory that the next run overwrites."""
        start = time.perf_counter_ns()
        self._take(inputs)
        compiled = self.compiled(sizes["T"])
        if self.profile is None and self._debug_level < 2:
            compiled.run(sizes)
        else:
            self._run_watched(compiled, inputs, dict(sizes), start)
        results = []
        for tensor, values in compiled.results:
            # Values of a smaller run lie packed at the beginning of the memory for the greatest.
            shape = concrete(tensor.shape, sizes)
            results.append(values[: math.prod(shape)].reshape(shape))
        return results

    def start(self, inputs: Mapping[str, NDArray[np.int32]], sizes: Mapping[str, int]) -> Started:
        """As run, and what follows may be started before the outputs are asked for.

        It is waited for where the host or a profile computes any of it.
        """
        compiled = self.compiled(sizes["T"])
        on_device = {move.copy.tensor for move in compiled.outputs}
        watched = self.profile is not None or self._debug_level >= 2
        if watched or any(tensor not in on_device for tensor in self.graph.outputs):
            results = [values.copy() for values in self.run(inputs, sizes)]
            return lambda: results
        self._take(inputs)
        found = dict(
            zip((m.copy.tensor for m in compiled.outputs), compiled.start(sizes), strict=True)
        )
        return lambda: [found[tensor]() for tensor in self.graph.outputs]

    def ahead(self, follow: Follow) -> Ahead | None:
        """Steps of one token with what follows them; None where a step needs the host.

        That is where not all of it runs on one device that can go on by itself.
        """
        compiled = self.compiled(1)
        if len(compiled.stages) != 1 or self._debug_level >= 2:
            return None
        stage = compiled.plan.stages[0]
        device = stage.engine
        if not device.runs_ahead or not all(map(device.supports, follow.graph.nodes)):
            return None
        memory = dict(compiled.memories[0])
        for tensor in follow.graph.tensors.values():
            if tensor in follow.shared:
                memory[tensor] = memory[follow.shared[tensor].root]
            elif tensor.base is None:
                memory[tensor] = device.allocate(tensor.type, self._shape(tensor))
        steps = [*stage.steps, *(Step(node, device) for node in follow.graph.nodes)]
        kept = {tensor.root for tensor in (*follow.shared, *follow.shared.values())}
        program = device.compile(steps, memory, kept=kept, on_compile=self._on_compile)
        device.prepare(program, [{"T": 1, "R": 1}], self._on_compile)
        moves, _ = compiled.stages[0]

        def write_inputs(inputs: Mapping[str, NDArray[np.int32]]) -> None:
            self._take(inputs)
            for move in moves:
                move.run({"T": 1, "R": 1})

        return Ahead(
            cast(RepeatedProgram, program),
            device,
            memory[follow.result],
            {name: memory[tensor] for name, tensor in follow.given.items()},
            write_inputs,
        )

    def _take(self, inputs: Mapping[str, NDArray[np.int32]]) -> None:
        """Puts inputs where copies and programs find them."""
        for name, memory in self._inputs.items():
            memory[: len(inputs[name])] = inputs[name]

    def _run_watched(
        self,
        compiled: _Compiled,
        inputs: Mapping[str, NDArray[np.int32]],
        sizes: dict[str, int],
        start_ns: int,
    ) -> None:
        """Runs, and tells the profile and whoever debugs what it took."""
        profile = self.profile if self.profile is not None and not self.profile.is_full else None
        copies, stages = compiled.timed(sizes, spans=profile is not None)
        end_ns = time.perf_counter_ns()
        # Plain numbers: NumPy's mean of one position costs 5 µs.
        if "positions" in inputs and (seen := inputs["positions"].tolist()):
            sizes = sizes | {KEYS: sum(seen) // len(seen) + 1}
        run = Run(compiled.plan, sizes, copies, stages, start_ns, end_ns)
        if profile is not None:
            profile.add_run(run)
        elif self.profile is not None:
            self.profile.skip_run()
        if self._debug_level >= 2:
            tell_run(run)

    def prepare(self, runs: Sequence[Mapping[str, int]]) -> None:
        """Compiles what runs of these sizes need of the programs that there are.

        That is what a device has left for later.
        """
        for compiled in self._compiled.values():
            for stage, program in zip(compiled.plan.stages, compiled.programs, strict=True):
                stage.engine.prepare(program, runs, self._on_compile)

    def plan(self, tokens: int, *, depth: int = 0) -> Plan:
        """The plan for a batch of so many tokens of one sequence, after `depth` others."""
        sizes = batch_sizes(tokens, depth=depth)
        return make_plan(Problem(self.graph, self.backends, self.homes, sizes, self._costs))

    def compiled(self, tokens: int) -> _Compiled:
        """The programs for a batch of so many tokens: one plan serves sizes up to twice its own."""
        key = 0 if self._alone else max(tokens, 1).bit_length()
        if key not in self._plans:
            plan = self.plan(tokens if self._alone else min(1 << (key - 1), self.most["T"]))
            if self._debug_level:
                tell_plan(plan)
            if plan.layout not in self._compiled:
                self._compiled[plan.layout] = self._compile(plan)
            # Copies and programs follow from the layout; predictions are the plan's own.
            self._plans[key] = replace(self._compiled[plan.layout], plan=plan)
        return self._plans[key]

    def state_bytes(self) -> dict[str, int]:
        """Bytes of states by memory."""
        found: dict[str, int] = {}
        for (tensor, memory), buffer in self._resident.items():
            if tensor.role == "state":
                found[memory] = found.get(memory, 0) + buffer.size_bytes
        return found

    def arena_bytes(self) -> dict[str, int]:
        """Bytes of activations and copies by memory."""
        return {
            memory: sum(arena.size_bytes for arena in arenas)
            for memory, arenas in self._arenas.items()
        }

    def _shape(self, tensor: Tensor) -> tuple[int, ...]:
        return concrete(tensor.shape, self.most)

    def _upload(self, on_upload: Uploading | None) -> None:
        """Weights whose home is a device go there; on the host all of them stay, mapped."""
        for tensor, stored in self._weights.items():
            self._resident[tensor, HOST] = stored
        moved = {
            tensor: home.backend
            for tensor, home in self.homes.items()
            if tensor.role == "weight" and home.backend.memory != HOST
        }
        # All of them get their memory before the first is moved: what is too much is known at once.
        for tensor, backend in moved.items():
            self._make_room(tensor, backend)
        total = sum(self._weights[tensor].size_bytes for tensor in moved)
        done = 0
        for tensor, backend in moved.items():
            if on_upload is not None:
                on_upload(done, total, tensor.name)
            done += self._bring(tensor, backend)
        if on_upload is not None and moved:
            on_upload(total, total, "")

    def _make_room(self, tensor: Tensor, backend: Backend) -> None:
        stored = self._weights[tensor]
        self._resident[tensor, backend.memory] = backend.allocate(stored.type, stored.shape)

    def _bring(self, tensor: Tensor, backend: Backend) -> int:
        """Copies a weight to a backend, which has room for it; its bytes."""
        stored = self._weights[tensor]
        backend.write(self._resident[tensor, backend.memory], stored, stored.shape)
        let_go(stored)
        return stored.size_bytes

    def _compile(self, plan: Plan) -> _Compiled:
        placed = {
            (tensor, memory): buffer
            for memory, shared in plan.memory(self.most).items()
            for tensor, buffer in shared.bind(
                self._arena(memory, shared.size_bytes), self.most
            ).items()
        }
        found = self._resident | placed

        def bind(copy: Copy) -> _Move:
            source, target = copy.source.memory, copy.target.memory
            return _Move(copy, found[copy.tensor, source], found[copy.tensor, target])

        stages = []
        memories = []
        for stage in plan.stages:
            memory = {}
            for step in stage.steps:
                for tensor in (*step.node.tensors, step.node.output):
                    root = tensor.root
                    memory[root] = self._readable(found, root, step.backend)
            program = stage.engine.compile(
                stage.steps, memory, kept=plan.kept(stage), on_compile=self._on_compile
            )
            stages.append((tuple(bind(copy) for copy in stage.copies), program))
            memories.append(memory)
        results = [
            (tensor, cast(StoredTensor, self._readable(found, tensor.root, self._host)))
            for tensor in self.graph.outputs
        ]
        return _Compiled(
            plan,
            tuple(stages),
            tuple(memories),
            tuple(bind(copy) for copy in plan.outputs),
            tuple((t, s.planes[0].view(np.float32).reshape(-1)) for t, s in results),
        )

    def _readable(
        self, found: dict[tuple[Tensor, str], Buffer], root: Tensor, backend: Backend
    ) -> Buffer:
        """A tensor's memory for a backend; a weight that is everywhere comes along now."""
        if (root, backend.memory) in found:
            return found[root, backend.memory]
        for (tensor, memory), buffer in found.items():
            if tensor is root and backend.accepts(memory):
                return buffer
        self._make_room(root, backend)
        self._bring(root, backend)
        found[root, backend.memory] = self._resident[root, backend.memory]
        return found[root, backend.memory]

    def _arena(self, memory: str, size_bytes: int) -> Arena:
        """Memory for activations: plans share the smallest of the arenas that suffices.

        Programs that are compiled hold on to theirs, so none is ever given back.
        """
        arenas = self._arenas.setdefault(memory, [])
        fitting = [arena for arena in arenas if arena.size_bytes >= size_bytes]
        if not fitting:
            owner = next(backend for backend in self.backends if backend.memory == memory)
            fitting = [owner.arena(size_bytes)]
            arenas += fitting
        return min(fitting, key=lambda arena: arena.size_bytes)
