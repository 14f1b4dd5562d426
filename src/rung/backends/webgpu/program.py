"""Nodes as a program of the GPU: kernels chosen by the number of tokens, commands on memory."""

from __future__ import annotations

import inspect
import time
from collections import ChainMap
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np

from rung.backends.base import Buffer, Compiling, Launch
from rung.backends.recording import Recording, Track
from rung.backends.webgpu.fusion import Job, Places, fuse
from rung.backends.webgpu.gpu import Binding, Command, Gpu
from rung.backends.webgpu.memory import GpuBuffer, Part, PlaneBuffer, allocate
from rung.backends.webgpu.readback import Arriving
from rung.backends.webgpu.shaders import Pipeline, Shader
from rung.errors import KernelError
from rung.graph.ir import Node, Symbol, Tensor, concrete
from rung.registry import Kernel, letters_of
from rung.wgsl import Call, Dispatch, Features
from rung.wgsl.call import WORKGROUP
from rung.wgsl.source import GIVEN, SIZES, Source, expand

Chooser = Callable[[Node, int], Kernel]
"""The kernel for a node and a number of tokens."""

Memory = Mapping[Tensor, GpuBuffer]


_MOST_SIZES = 64
"""Sizes whose commands are kept: prompts come in all lengths."""


def tokens_of(node: Node) -> int | Symbol:
    """What its kernels call T: a number, or a size that is known at run time."""
    shapes = {name: t.shape if t is not None else None for name, t in node.inputs.items()}
    found: int | Symbol = node.op.dims(shapes).get("T", 1)
    return found


def _is_single(sizes: Mapping[str, int]) -> bool:
    """Whether a run is of one token, with one row of logits at most."""
    return sizes.get("T") == 1 and sizes.get("R", 0) <= 1


def _count(tokens: int | Symbol, sizes: Mapping[str, int]) -> int:
    return sizes[tokens.name] if isinstance(tokens, Symbol) else tokens


@dataclass(frozen=True)
class _Dispatched:
    """A dispatch and its shader's text, for the part of this index of the inputs in `split`."""

    dispatch: Dispatch
    shader: Shader
    split: tuple[str, ...]
    part: int


@dataclass(frozen=True)
class Work:
    """A dispatch of a node, compiled, its grid still open."""

    pipeline: Pipeline
    bindings: tuple[Binding, ...]
    dispatch: Dispatch
    tokens: int | Symbol
    owner: int


class Scratch:
    """Memory that kernels need between their dispatches, shared by all nodes of a program."""

    def __init__(self, gpu: Gpu) -> None:
        self._gpu = gpu
        self._buffers: dict[str, PlaneBuffer] = {}

    def get(self, name: str, size_bytes: int) -> PlaneBuffer:
        """At least so many bytes under a name."""
        known = self._buffers.get(name)
        if known is None or known.size_bytes < size_bytes:
            self._buffers[name] = PlaneBuffer(self._gpu.buffer(size_bytes), size_bytes)
        return self._buffers[name]


@dataclass(frozen=True)
class ArrivingNumbers:
    """Whole numbers on their way from the GPU."""

    _bytes: Arriving

    def get(self) -> list[int]:
        """The numbers, after waiting for the work that makes them, and for no other."""
        found: list[int] = self._bytes.get().view(np.int32).tolist()
        return found

    def drop(self) -> None:
        """Forgets them."""
        self._bytes.drop()


class GpuProgram:
    """Nodes ready for the GPU. Commands for a number of tokens are made when it first comes."""

    def __init__(
        self,
        gpu: Gpu,
        nodes: Sequence[Node],
        memory: Memory,
        choose: Chooser,
        kept: Collection[Tensor] | None = None,
    ) -> None:
        """kept: roots that something else reads; None for all of them: nothing is fused then."""
        self._gpu = gpu
        self._nodes = list(nodes)
        self._memory = memory
        self._choose = choose
        self._kept = kept
        self._jobs: dict[tuple[int, int], list[Job]] = {}
        self._moving: set[Tensor] = set()
        self._moved: dict[Tensor, GpuBuffer] = {}
        self._sizes_buffer = gpu.uniform(16)
        self._sizes: dict[str, int] | None = None
        self._given_buffers: dict[tuple[int, ...], Any] = {}
        self._scratch = Scratch(gpu)
        self._commands: dict[tuple[int, int], list[Command]] = {}
        self._groups: dict[tuple[Any, tuple[Binding, ...]], Any] = {}

    def launches(self, sizes: Mapping[str, int]) -> Iterator[Launch]:
        """What a run of these sizes starts."""
        for job in self.jobs(sizes):
            symbol = tokens_of(job.node)
            tokens = _count(symbol, sizes)
            found = list(self._dispatched(job.node, self._memory, symbol, tokens))
            count = sum(all(each.dispatch.grid(tokens)) for each in found)
            yield Launch(job.node, job.owner, job.steps, found[0].shader.kernel, count)

    def prepare(
        self, sizes: Sequence[Mapping[str, int]], on_compile: Compiling | None = None
    ) -> None:
        """Compiles the shaders of runs of these sizes, so that no run has to wait for them.

        What they need besides the memory given is allocated: what has no room is known then.
        """
        shaders: dict[Shader, None] = {}
        known: set[object] = set()
        for each in sizes:
            jobs = self.jobs(each)
            self._memory_of(each)
            for job in jobs:
                symbol = tokens_of(job.node)
                tokens = _count(symbol, each)
                # Layers are alike: one stands for all.
                key = job.node.signature, tokens, self._divisions(job.node)
                if tokens == 0 or key in known:
                    continue
                known.add(key)
                for dispatched in self._dispatched(job.node, self._memory, symbol, tokens):
                    shaders[dispatched.shader] = None
        self._gpu.shaders.compile(shaders, on_compile)

    def submit(self, sizes: Mapping[str, int], recording: Recording | None = None) -> None:
        """Starts it for these run-time sizes and does not wait."""
        commands = self._prepared(sizes)
        if recording is not None:
            self._record(commands, self.jobs(sizes), recording)
        elif self._gpu.waits_for_each:
            for command in commands:
                self._gpu.submit([command])
                self._gpu.wait()
        else:
            self._gpu.submit(commands)

    def repeat(self, sizes: Mapping[str, int], times: int, result: Buffer) -> ArrivingNumbers:
        """Starts it so many times in a row; the first number of `result` after each will come.

        All of it is one submission, which costs the host 40 to 60 µs (H200's host).
        """
        plane = cast(GpuBuffer, result).parts[0].planes[0]
        commands = self._prepared(sizes)
        return ArrivingNumbers(self._gpu.submit_and_read(commands, plane.buffer, 0, 4, times=times))

    def _prepared(self, sizes: Mapping[str, int]) -> list[Command]:
        """The commands for these sizes, which are written where shaders read them."""
        known = {name: sizes.get(name, 0) for name in ("T", "R")}
        if self._sizes != known:
            numbers = np.array([known["T"], known["R"], 0, 0], np.uint32)
            self._gpu.write(self._sizes_buffer, 0, numbers)
            self._sizes = known
        return self.commands(known)

    def synchronize(self) -> None:
        """Waits until all is done."""
        self._gpu.wait()

    def commands(self, sizes: Mapping[str, int]) -> list[Command]:
        """What is encoded for these sizes."""
        key = (sizes.get("T", 0), sizes.get("R", 0))
        commands = self._commands.pop(key, None)
        if commands is None:
            commands = list(self._make(sizes))
            if len(self._commands) >= _MOST_SIZES:
                self._commands.pop(next(iter(self._commands)))
        self._commands[key] = commands  # the last one used is the last to go
        return commands

    def _make(self, sizes: Mapping[str, int]) -> Iterator[Command]:
        jobs = self.jobs(sizes)
        memory = self._memory_of(sizes)
        for job in jobs:
            symbol = tokens_of(job.node)
            tokens = _count(symbol, sizes)
            if tokens == 0 and "T" in letters_of(job.node.op.out):
                continue  # nothing is written; a sum over no tokens is
            for work in self._work(job, memory, symbol, tokens):
                x, y, z = work.dispatch.grid(tokens)
                if x and y and z:
                    yield self._command(work, (x, y, z))

    def _command(self, work: Work, grid: tuple[int, int, int]) -> Command:
        """A dispatch; runs of other sizes, on the same memory, share what is bound."""
        key = work.pipeline.layout, work.bindings
        if key not in self._groups:
            self._groups[key] = self._gpu.group(work.pipeline, work.bindings)
        group = self._groups[key]
        return Command(work.pipeline, group, group._internal, grid, work.owner)

    def jobs(self, sizes: Mapping[str, int]) -> list[Job]:
        """What is computed for these sizes: the nodes, with neighbors fused.

        Kernels of fused ops are for one token, or for any number.
        """
        if self._kept is None:
            return [Job(node, i) for i, node in enumerate(self._nodes)]
        # None, one, several: what is computed for no rows must not be taken for many.
        key = (min(sizes.get("T", 0), 2), min(sizes.get("R", 0), 2))
        if key not in self._jobs:
            # For one token, memory of their own for some tensors is little.
            free = self._made() - set(self._kept) if _is_single(sizes) else ()
            places = Places(self._places, free)
            self._jobs[key] = fuse(
                self._nodes,
                self._kept,
                lambda node: self._accepts(node, _count(tokens_of(node), sizes)),
                places,
            )
            self._moving |= places.moved
        return self._jobs[key]

    def _memory_of(self, sizes: Mapping[str, int]) -> Memory:
        """Where tensors lie in a run of these sizes, whose jobs are known."""
        if not _is_single(sizes):
            return self._memory
        for root in self._moving - self._moved.keys():
            shape = concrete(root.shape, {"T": 1, "R": 1})
            self._moved[root] = allocate(self._gpu, root.type, shape)
        return ChainMap(self._moved, dict(self._memory))

    def _made(self) -> set[Tensor]:
        """Roots of activations that these nodes make."""
        roots = {node.output.root for node in self._nodes}
        return {root for root in roots if root.role == "activation"}

    def _accepts(self, node: Node, tokens: int) -> bool:
        """Whether a kernel computes a node for so many tokens, its weights in one part each."""
        try:
            kernel = self._choose(node, tokens)
        except KernelError:
            return False
        split = divided(kernel)
        return all(
            name in split or tensor is None or len(self._memory[tensor.root].parts) == 1
            for name, tensor in node.inputs.items()
        )

    def _places(self, tensor: Tensor) -> frozenset[int]:
        """The buffers that a tensor lies in."""
        parts = self._memory[tensor.root].parts
        return frozenset(id(plane.buffer) for part in parts for plane in part.planes)

    def _divisions(self, node: Node) -> tuple[int, ...]:
        """Rows of the parts that the inputs lie in."""
        parts = (self._memory[t.root].parts for t in node.inputs.values() if t is not None)
        return tuple(part.rows for found in parts if len(found) > 1 for part in found)

    def _work(self, job: Job, memory: Memory, symbol: int | Symbol, tokens: int) -> Iterator[Work]:
        for found in self._dispatched(job.node, memory, symbol, tokens):
            pipeline = self._gpu.shaders.get(found.shader)
            bindings = tuple(
                self._binding(job.node, memory, name, found, tokens)
                for name, _ in found.shader.source.variables
            )
            yield Work(pipeline, bindings, found.dispatch, symbol, job.owner)

    def _dispatched(
        self, node: Node, memory: Memory, symbol: int | Symbol, tokens: int
    ) -> Iterator[_Dispatched]:
        """What a node's kernel answers for so many tokens, part by part of its split weight."""
        kernel = self._choose(node, tokens)
        split = divided(kernel)
        tensor = node.inputs.get(split[0]) if split else None
        parts = memory[tensor.root].parts if tensor is not None else (None,)
        for index, part in enumerate(parts):
            call = make_call(node, self._gpu.features, part if len(parts) > 1 else None, split)
            call = replace(call, tokens=tokens, workgroup=kernel.options.get(WORKGROUP, 0))
            for dispatch in dispatches(kernel, call):
                source = source_of(kernel, call, dispatch, symbol)
                shader = Shader(source, kernel.name, dispatch.shader)
                yield _Dispatched(dispatch, shader, split, index)

    def _binding(
        self,
        node: Node,
        memory: Memory,
        name: str,
        found: _Dispatched,
        tokens: int,
    ) -> Binding:
        """What a variable of a shader is bound to."""
        dispatch = found.dispatch
        if name == SIZES:
            return self._sizes_buffer, 0, 16
        if name == GIVEN:
            return self._given(tuple(dispatch.given.values()))
        if name in dispatch.scratch:
            plane = self._scratch.get(name, dispatch.scratch[name](tokens))
        else:
            plane = self._plane(node, memory, name, found.split, found.part)
        return plane.buffer, 0, max(16, -(-plane.size_bytes // 16) * 16)

    def _given(self, values: tuple[int, ...]) -> tuple[Any, int, int]:
        """A uniform with these numbers."""
        size = -(-len(values) // 4) * 16
        if values not in self._given_buffers:
            self._given_buffers[values] = self._gpu.uniform(size)
            self._gpu.write(self._given_buffers[values], 0, np.array(values, np.uint32))
        return self._given_buffers[values], 0, size

    def _plane(
        self, node: Node, memory: Memory, name: str, split: Collection[str], part: int
    ) -> PlaneBuffer:
        known = dict(node.inputs)
        if node.op.inplace is None:
            known[node.op.out] = node.output
        for parameter, tensor in known.items():
            if tensor is None or not (name == parameter or name.startswith(parameter + "_")):
                continue
            buffer = memory[tensor.root]
            plane = name[len(parameter) + 1 :]
            if plane not in buffer.names:
                continue
            if parameter in split:
                return buffer.parts[part].planes[buffer.names.index(plane)]
            if len(buffer.parts) > 1:
                most = self._gpu.features.binding_bytes / 2**20
                raise KernelError(
                    f"{node.name}: {parameter} has {buffer.size_bytes / 2**20:,.0f} MiB, and a "
                    f"kernel can reach {most:,.0f} on this GPU; use --device cpu"
                )
            return buffer.parts[0].planes[buffer.names.index(plane)]
        raise KernelError(f"{node.name} ({node.op.name}): a shader reads {name}, which is nothing")

    def _record(
        self, commands: Sequence[Command], jobs: Sequence[Job], recording: Recording
    ) -> None:
        """Runs with timestamps; times of the GPU are put between the host's two.

        A GPU that has none is waited for after each dispatch: times are the host's, and longer.
        """
        start = time.perf_counter_ns()
        stamps = self._gpu.timed(commands) if self._gpu.has_timestamps else self._waited(commands)
        end = time.perf_counter_ns()
        # The GPU's clock has another zero: its last stamp is taken for when the host saw the end.
        shift = end - stamps[-1]
        shift = max(shift, start - stamps[0])
        owners = np.array([command.owner for command in commands], np.int32)
        times = np.array(stamps, np.int64) + shift
        track = Track(
            "webgpu",
            "queue",
            int(times[0]),
            int(times[-1]),
            owners,
            np.zeros(len(owners), np.int32),
            times[:-1],
            times[1:],
            kernels={command.owner: command.pipeline.kernel for command in commands},
            nodes={job.owner: job.node for job in jobs},
        )
        recording.add(len(owners), lambda: [track])

    def _waited(self, commands: Sequence[Command]) -> list[int]:
        """Runs commands one by one, and the host's time after each, after one at the start."""
        stamps = [time.perf_counter_ns()]
        for command in commands:
            self._gpu.submit([command])
            self._gpu.wait()
            stamps.append(time.perf_counter_ns())
        return stamps


def divided(kernel: Kernel) -> tuple[str, ...]:
    """The inputs that a kernel takes part by part: the option "parts", one name or several."""
    names = kernel.options.get("parts", ())
    return (names,) if isinstance(names, str) else tuple(names)


def make_call(
    node: Node, features: Features, part: Part | None = None, split: Sequence[str] = ()
) -> Call:
    """A node for its kernel; with a part of the rows of the inputs `split`, which share a letter.

    An input may be a view, of which each value is a row.
    """
    shapes = {name: t.shape if t is not None else None for name, t in node.inputs.items()}
    dims = dict(node.op.dims(shapes))
    rows, first = 0, 0
    if split:
        letter = letters_of(split[0])[0]
        rows = dims[letter]
        tensor = node.inputs[split[0]]
        if part is not None and tensor is not None:
            whole = tensor.root.shape[0]
            assert isinstance(whole, int), tensor.root.name
            each = rows // whole
            dims[letter], first = each * part.rows, each * part.first_row
    is_part = part is not None
    return Call(dims, node.attributes, node.specs, features, is_part, first, rows)


def dispatches(kernel: Kernel, call: Call) -> list[Dispatch]:
    """What a kernel answers, as a list."""
    found = kernel.function(call)
    return [found] if isinstance(found, Dispatch) else list(found)


@cache
def _folder(function: Callable[..., Any]) -> Path:
    return Path(inspect.getsourcefile(function) or "").parent


def source_of(kernel: Kernel, call: Call, dispatch: Dispatch, tokens: int | Symbol) -> Source:
    """The text of a dispatch's shader: dimensions, attributes and constants in place."""
    constants: dict[str, Any] = {
        name: size for name, size in call.dims.items() if isinstance(size, int)
    }
    constants |= {k: v for k, v in call.attributes.items() if isinstance(v, int | float)}
    if divided(kernel):
        constants |= {"PARTS": call.is_part, "FIRST_ROW": call.first_row}
        if isinstance(call.rows, int):
            constants["ROWS"] = call.rows
    constants |= dict(dispatch.constants)
    constants = {name: value for name, value in constants.items() if name not in dispatch.given}
    conditions = {name: call.has(name) for name in kernel.op.inputs}
    conditions |= {name: call.features.has(name) for name in ("f16", "subgroups", "matrices")}
    expression = f"{SIZES}.{tokens.name}" if isinstance(tokens, Symbol) else str(tokens)
    path = _folder(kernel.function) / dispatch.shader
    return expand(path, constants, conditions, expression, dispatch.given)
