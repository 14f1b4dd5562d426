"""From nodes to a program: entry modules, parameter blocks, and what each op must wait for."""

from __future__ import annotations

import inspect
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rung.backends.base import Compiling
from rung.backends.cpu import loop, recorder
from rung.backends.cpu.cache import CachedModule
from rung.backends.cpu.compiling import compile_missing
from rung.backends.cpu.team import Team, aligned_words
from rung.backends.recording import Recording
from rung.graph.ir import Node, Symbol, Tensor
from rung.registry import Kernel, Split, letters_of, parameter_names
from rung.storage import StoredTensor

# Numba has no float16 on the CPU; kernels convert its bits (simd/elements.py).
_ELEMENTS = {"float16": "int16"}

_ENTRY = '''\
"""{name}: unpacks a parameter block and calls the kernel."""

from numba import cfunc, float32, float64, int8, int16, int32, int64, njit, uint8, uint16, void

from rung.simd.memory import array_at
from {module} import {function}

kernel = njit(nogil=True, error_model="numpy", no_cpython_wrapper=True)({function})

@cfunc(void(int64, int64, int64), cache=True, nopython=True)
def entry(block, part, parts):
    words = array_at(block, ({count},), int64)
    numbers = array_at(block, ({count},), float64)
    kernel(
        part,
        parts,
{arguments}    )
'''


class Block:
    """The parameter block of one node, as words, and the source that unpacks them."""

    def __init__(self, kernel: Kernel, node: Node, memory: Mapping[Tensor, StoredTensor]) -> None:
        self.words: list[int] = []
        self.symbols: list[tuple[int, str]] = []  # word, symbol whose size belongs there
        self._memory = memory
        known: dict[str, Any] = dict(node.inputs)
        if node.op.inplace is None:
            known[node.op.out] = node.output
        constants = kernel.options.get("constants", {})
        # Numbers of this process, such as addresses: compiled code is kept, and must not hold them.
        words = kernel.options.get("words", {})
        lines = []
        for name in parameter_names(kernel.function)[2:]:
            if name in known:
                tensor = known[name]
                lines.append(self._absent(name) if tensor is None else self._tensor(tensor))
            elif name in node.attributes:
                lines.append(self._attribute(node.attributes[name]))
            elif name in words:
                lines.append(f"words[{self._word(words[name])}]")
            else:
                lines.append(repr(_constant(constants[name], node)))
        function = kernel.function
        self.source = _ENTRY.format(
            name=kernel.name,
            module=function.__module__,
            function=function.__name__,
            count=max(len(self.words), 1),
            arguments="".join(f"        {line},\n" for line in lines),
        )

    def _word(self, value: int) -> int:
        self.words.append(value)
        return len(self.words) - 1

    def _absent(self, name: str) -> str:
        """An optional input that is not there: an empty array, so that one entry serves both."""
        address = f"words[{self._word(0)}]"
        sizes = ", ".join(self._size(0) for _ in letters_of(name))
        return f"array_at({address}, ({sizes},), float32)"

    def _tensor(self, tensor: Tensor) -> str:
        stored = self._memory[tensor.root]
        planes = []
        for array, shape in zip(stored.planes, tensor.type.plane_shapes(tensor.shape), strict=True):
            address = f"words[{self._word(array.ctypes.data)}]"
            sizes = ", ".join(self._size(size) for size in shape)
            element = _ELEMENTS.get(array.dtype.name, array.dtype.name)
            planes.append(f"array_at({address}, ({sizes},), {element})")
        return planes[0] if len(planes) == 1 else f"({', '.join(planes)})"

    def _size(self, size: int | Symbol) -> str:
        word = self._word(0 if isinstance(size, Symbol) else size)
        if isinstance(size, Symbol):
            self.symbols.append((word, size.name))
        return f"words[{word}]"

    def _attribute(self, value: Any) -> str:
        if isinstance(value, float):
            return f"numbers[{self._word(struct.unpack('q', struct.pack('d', value))[0])}]"
        return f"words[{self._word(int(value))}]"


def _constant(rule: Any, node: Node) -> Any:
    """A value that is compiled into the entry: a function of input specs and attributes."""
    known = node.specs | node.attributes
    return rule(**{name: known[name] for name in parameter_names(rule)})


class CpuProgram:
    """Ops ready for the team: their words, their counters, and how sizes change them."""

    def __init__(
        self,
        team: Team,
        nodes: Sequence[Node],
        kernels: Sequence[Kernel],
        memory: Mapping[Tensor, StoredTensor],
        on_compile: Compiling | None,
    ) -> None:
        self._team = team
        self._memory = dict(memory)  # keeps what the addresses point to alive
        self._nodes = list(nodes)
        self.kernels = list(kernels)
        blocks = [Block(k, n, memory) for k, n in zip(kernels, nodes, strict=True)]
        self._entries = load_entries(kernels, blocks, on_compile)
        self._ops = aligned_words(len(blocks) * loop.OP_WORDS).reshape(-1, loop.OP_WORDS)
        self._counters = aligned_words(len(blocks) * loop.LINE_WORDS)
        self._words, self._patches = self._lay_out(blocks)
        self._ops[:, 3] = waits(nodes, memory)
        self._kinds = [
            ((node.signature, split), split, node)
            for kernel, node in zip(kernels, nodes, strict=True)
            for split in (kernel.options["split"],)
        ]
        self._sizes: dict[str, int] | None = None
        self._cut = (0, 0)  # threads, and parts for each of them
        self._recorder: recorder.Recorder | None = None  # for the present sizes

    def _lay_out(self, blocks: Sequence[Block]) -> tuple[NDArray[np.int64], dict[str, Any]]:
        """All blocks one after another, and where each symbol stands in them."""
        words = aligned_words(max(1, sum(len(block.words) for block in blocks)))
        places: dict[str, list[int]] = {}
        offset = 0
        for index, block in enumerate(blocks):
            words[offset : offset + len(block.words)] = block.words
            self._ops[index, 0] = self._entries[index].address
            self._ops[index, 1] = words.ctypes.data + offset * loop.WORD
            for word, symbol in block.symbols:
                places.setdefault(symbol, []).append(offset + word)
            offset += len(block.words)
        return words, {symbol: np.array(at) for symbol, at in places.items()}

    def submit(self, sizes: Mapping[str, int], recording: Recording | None = None) -> None:
        """Runs it for these sizes; on the CPU the caller's thread works too, so it also ends."""
        tokens = sizes.get("T", 1)
        threads, per_thread = self._team.threads_for(tokens), self._team.parts_for(tokens)
        if self._sizes != sizes or self._cut != (threads, per_thread):
            self._cut = (threads, per_thread)
            self._set_sizes(dict(sizes))
        if recording is None:
            self._team.run(self._ops, self._counters, threads)
        else:
            self._run_recorded(threads, recording)

    def _run_recorded(self, threads: int, recording: Recording) -> None:
        if self._recorder is None:
            capacity = min(int(self._ops[:, 2].sum()), recorder.MOST_RECORDS)
            self._recorder = recorder.Recorder(threads, capacity)
        self._recorder.clear()
        self._team.run(self._ops, self._counters, threads, recorder=self._recorder.address)
        self._recorder.tell(recording, "cpu")

    def synchronize(self) -> None:
        """Nothing: `submit` returns when the work is done."""

    def _set_sizes(self, sizes: dict[str, int]) -> None:
        for symbol, places in self._patches.items():
            self._words[places] = sizes[symbol]
        # Nodes that are alike are cut alike: a model of any depth has some fifteen kinds.
        known: dict[object, int] = {}
        parts = []
        for kind, split, node in self._kinds:
            if kind not in known:
                known[kind] = self._parts(split, node, sizes)
            parts.append(known[kind])
        self._ops[:, 2] = parts
        self._sizes = sizes
        self._recorder = None

    def _parts(self, split: Split, node: Node, sizes: Mapping[str, int]) -> int:
        shapes = {name: t.shape if t is not None else None for name, t in node.inputs.items()}
        bound = {
            letter: sizes[size.name] if isinstance(size, Symbol) else size
            for letter, size in node.op.dims(shapes).items()
        }
        return min(split.parts(bound, *self._cut), loop.MOST_PARTS)


def load_entries(
    kernels: Sequence[Kernel], blocks: Sequence[Block], on_compile: Compiling | None
) -> list[Any]:
    """The compiled entry of each op; equal ones are compiled once, and kept on disk."""
    modules: dict[str, tuple[Kernel, CachedModule]] = {}
    for kernel, block in zip(kernels, blocks, strict=True):
        if block.source not in modules:
            backend = "" if kernel.backend == "cpu" else f"_{kernel.backend}"
            readable = f"{kernel.op.name}_{kernel.form}{backend}_{kernel.version}"
            readable = readable.replace("__", "_")
            source_file = inspect.getsourcefile(kernel.function) or ""
            # Helpers of a kernel stand in its own file or beside it.
            beside = sorted(str(path) for path in Path(source_file).parent.glob("*.py"))
            modules[block.source] = (kernel, CachedModule(readable, block.source, tuple(beside)))
    missing = [(k.name, module) for k, module in modules.values() if not module.is_compiled]
    if missing:
        compile_missing(missing, on_compile)
    return [modules[block.source][1].load().entry for block in blocks]


def waits(nodes: Sequence[Node], memory: Mapping[Tensor, StoredTensor]) -> list[int]:
    """For each node the last earlier one that must be done first, or −1.

    That is one which writes what the node reads or writes, or reads what it writes, judged by
    addresses: memory that activations share by turns counts as well.
    """
    spans: dict[int, list[tuple[int, int]]] = {}

    def ranges(tensor: Tensor) -> list[tuple[int, int]]:
        root = tensor.root
        if id(root) not in spans:
            planes = memory[root].planes
            spans[id(root)] = [(p.ctypes.data, p.ctypes.data + p.nbytes) for p in planes]
        return spans[id(root)]

    accesses: list[tuple[list[tuple[int, int]], list[tuple[int, int]]]] = []
    result = []
    for node in nodes:
        # Weights, too: one that was copied for a batch may give its memory to others afterwards.
        reads = [r for t in node.tensors for r in ranges(t)]
        writes = [r for t in node.written for r in ranges(t)]
        last = -1
        for index in range(len(accesses) - 1, -1, -1):
            earlier_reads, earlier_writes = accesses[index]
            if _overlap(earlier_writes, reads + writes) or _overlap(earlier_reads, writes):
                last = index
                break
        accesses.append((reads, writes))
        result.append(last)
    return result


def _overlap(left: Sequence[tuple[int, int]], right: Sequence[tuple[int, int]]) -> bool:
    return any(a < d and c < b for a, b in left for c, d in right)
