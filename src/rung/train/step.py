"""One step of training on this machine: loss and gradients, then AdamW's update."""

# B sequences, T tokens of each

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
from numpy.typing import NDArray

from rung.backends.base import HOST, Arena, Backend, Buffer, Compiling
from rung.backends.choose import Devices, open_backends
from rung.errors import UsageError
from rung.graph.grad import LOSS_GRADIENT, differentiate
from rung.graph.ir import Graph, Tensor
from rung.models.config import Config, weight_shapes
from rung.models.trainable import (
    CHUNK_ROWS,
    LOSS,
    PRODUCTS,
    Precision,
    TrainableDecoder,
    packed_weights,
)
from rung.ops.optimizer.op import Numbers
from rung.registry import Cost
from rung.schedule.costs import MachineCosts
from rung.schedule.execute import Executor, Started
from rung.schedule.problem import Home
from rung.schedule.profile.runs import Profile
from rung.simd.target import host
from rung.storage import F32, StoredTensor, stored
from rung.train.memory import CHEAP
from rung.train.update import Weight, update_graph
from rung.tuning.probe import use_measured

Array = NDArray[np.float32]

Tokens = tuple[NDArray[np.int32], NDArray[np.int32]]
"""Tokens and targets of a batch, [B, T] each."""

_MANY_FLOPS = 1e15  # beside which the start of a kernel is nothing


@dataclass(frozen=True, kw_only=True)
class AdamW:
    """The optimizer's constants. weight_decay holds for matrices, or what `decays` says."""

    beta1: float = 0.9
    beta2: float = 0.95
    epsilon: float = 1e-8
    weight_decay: float = 0.0


def is_matrix(name: str, shape: tuple[int, ...]) -> bool:
    """What decays by default: matrices, embeddings among them; not biases nor norms."""
    return len(shape) > 1


def check_precision(precision: str, device: str = "cpu") -> None:
    """Raises UsageError for a precision that there is not, or that a processor is slow in."""
    if precision not in PRODUCTS:
        raise UsageError(f"precision is {precision!r}, expected {' or '.join(PRODUCTS)}")
    if precision != "float32" and device != "cpu":
        raise UsageError(f"precision {precision} is for the cpu; a GPU trains in float32")
    if precision == "bfloat16" and not host().has("avx512bf16"):
        raise UsageError(
            "training in bfloat16 needs a processor with AVX512-BF16, which this one has not, or "
            "RUNG_CPU_FEATURES switches it off: train in float32"
        )


@dataclass
class _Programs:
    """The executors, made when they are first needed: they share states and activations' memory."""

    states: dict[str, Buffer] = field(default_factory=dict)
    arenas: dict[str, list[Arena]] = field(default_factory=dict)
    made: dict[str, Executor] = field(default_factory=dict)


class TrainStep:
    """A model in training: its weights, their gradients and moments, and the programs for a step.

        step = TrainStep(config, weights, sequences=4, tokens=64, threads=2)
        loss = step.loss_and_gradients(tokens_BT, targets_BT)
        norm = step.update(learning_rate=3e-4, clip=1.0)

    config: of a GPT-2 or Llama model. weights: every weight of `models.config.weight_shapes`, by
    that name, float32; they are copied. sequences B and tokens T are the same in each step;
    `train.memory.memory_bytes` tells what they take. device: the processor that does all of it, cpu
    or a GPU as `--device` names it; then parameters, gradients and moments are in its memory.
    threads: of the CPU, None for the physical cores. optimizer: see AdamW. decays(name, shape):
    which weights decay; weights that lie in one tensor (queries, keys and values; gate and up) must
    agree. recompute: activations that are cheap to compute are computed again in the backward pass
    and not kept, which saves about a third of the memory of activations. chunk_rows: of how many
    tokens logits are there at once, at most. precision: bfloat16 rounds the factors of products of
    weights, and of their gradients, to it; sums, weights, gradients, moments and all else stay
    float32.

    Names are those of the Config everywhere: `names`, `shape`, and `parameter`, `gradient`,
    `moments`, which return copies; `set_parameter` and `set_moments` write. `steps` counts updates,
    for AdamW's bias correction; a run that goes on sets it, with parameters and moments.

    Results are the same bits for any number of threads. Raises UsageError for a config that cannot
    be trained, for missing or misshapen weights and impossible batches; MemoryLimitError where
    memory does not suffice; BackendError for a device that is not there, or cannot hold an
    activation in one piece. Close it at the end, or use it in a `with` block.
    """

    def __init__(
        self,
        config: Config,
        weights: Mapping[str, Array],
        *,
        sequences: int,
        tokens: int,
        device: str = "cpu",
        threads: int | None = None,
        optimizer: AdamW | None = None,
        decays: Callable[[str, tuple[int, ...]], bool] = is_matrix,
        recompute: bool = False,
        chunk_rows: int = CHUNK_ROWS,
        precision: Precision = "float32",
        on_compile: Compiling | None = None,
    ) -> None:
        self.config = config
        self.optimizer = optimizer or AdamW()
        self.steps = 0
        self._B, self._T = sequences, tokens
        self._shapes = weight_shapes(config)
        _check_weights(self._shapes, weights)
        if sequences < 1 or not 1 <= tokens <= config.context_length:
            raise UsageError(
                f"a batch of {sequences} sequences of {tokens} tokens: expected at least one of "
                f"1 to {config.context_length} tokens, the model's context"
            )
        check_precision(precision, device)
        self._recompute = recompute
        self._on_compile = on_compile
        self._positions = np.tile(np.arange(tokens, dtype=np.int32), sequences)
        self._programs = _Programs()
        devices = Devices(device=device, threads=threads, blas="none")
        self._backends: list[Backend] = open_backends(devices)
        try:
            self._decoder = TrainableDecoder(
                config,
                sequences=sequences,
                tokens=tokens,
                chunk_rows=min(chunk_rows, self._most_rows()),
                precision=precision,
            )
            self._forward = self._decoder.build()
            self._weights = self._allocate(decays)
            self._holder = {part: w for w in self._weights.values() for part in w.packed.rows}
            for name, values in weights.items():
                self.set_parameter(name, values)
        except BaseException:
            self.close()
            raise

    # ── a step ────────────────────────────────────────────────────────────────────────────────────

    def loss_and_gradients(
        self,
        tokens_BT: NDArray[np.int32],
        targets_BT: NDArray[np.int32],
        *,
        accumulate: bool = False,
        scale: float = 1.0,
    ) -> float:
        """The mean loss over targets; gradients of scale · loss take the place of what was there.

        accumulate: they are added to it instead. So n batches with scale 1/n, all but the first
        with accumulate, give the gradients of the mean of their losses; what is returned is each
        batch's own loss. A target of -1 does not count; a batch without any has loss 0. Raises
        UsageError for arrays of another shape and tokens that the vocabulary does not have.
        """
        return _first(self._gradients(tokens_BT, targets_BT, accumulate=accumulate, scale=scale))

    def loss(self, tokens_BT: NDArray[np.int32], targets_BT: NDArray[np.int32]) -> float:
        """The mean loss alone, for validation; gradients stay as they are."""
        return _first(self._start("loss", self._inputs(tokens_BT, targets_BT)))

    def norm(self, *, scale: float = 1.0) -> float:
        """The norm of all gradients together, times `scale`."""
        numbers = self._numbers(learning_rate=0.0, clip=0.0, scale=scale, step=1)
        return _first(self._start("norm", {"numbers": numbers}))

    def update(self, *, learning_rate: float, clip: float = 0.0, scale: float = 1.0) -> float:
        """One step of AdamW with the gradients, and their norm as it was before clipping.

        scale multiplies all gradients before. clip: the greatest norm, to which longer gradients
        are shortened; 0 clips nothing. `steps` goes up by one. Gradients stay as they are.
        """
        return _first(self._update(learning_rate=learning_rate, clip=clip, scale=scale))

    def gradients(self, batches: Sequence[Tokens]) -> float:
        """The mean loss of some batches, tokens and targets of each, whose gradients are set."""
        return _mean(self._each(batches))

    def train(
        self, batches: Sequence[Tokens], *, learning_rate: float, clip: float = 0.0
    ) -> tuple[float, float]:
        """A whole step, `gradients` and `update`: the loss and the norm.

        A GPU is waited for once, at the end, so there is no loss to look at before the update.
        """
        losses = self._each(batches)
        norm = self._update(learning_rate=learning_rate, clip=clip, scale=1.0)
        return _mean(losses), _first(norm)

    # ── tensors by name ───────────────────────────────────────────────────────────────────────────

    @property
    def names(self) -> list[str]:
        """Every parameter, in the order of a file."""
        return list(self._shapes)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a parameter, and of its gradient and moments."""
        if name not in self._shapes:
            raise UsageError(f"no parameter {name!r}; there are: {', '.join(self._shapes)}")
        return self._shapes[name]

    def parameter(self, name: str) -> Array:
        """A copy of a parameter."""
        return self._read(name, self._weight(name).values)

    def gradient(self, name: str) -> Array:
        """A copy of a parameter's gradient, as the last `loss_and_gradients` left it."""
        return self._read(name, self._weight(name).gradient)

    def moments(self, name: str) -> tuple[Array, Array]:
        """Copies of a parameter's running means of its gradient and of the gradient's square."""
        first, second = self._weight(name).moments
        return self._read(name, first), self._read(name, second)

    def set_parameter(self, name: str, values: Array) -> None:
        """Sets a parameter. Raises UsageError for another shape."""
        self._write(name, self._weight(name).values, values)

    def set_moments(self, name: str, first: Array, second: Array) -> None:
        """Sets a parameter's moments. Raises UsageError for another shape."""
        for buffer, values in zip(self._weight(name).moments, (first, second), strict=True):
            self._write(name, buffer, values)

    # ── what it runs on ───────────────────────────────────────────────────────────────────────────

    @property
    def device(self) -> Backend:
        """The backend that does all of it."""
        return self._backends[0]

    def prepare(self) -> None:
        """Makes the programs of a step now: what has no room is known then."""
        for program in ("gradients", "update"):
            self._executor(program)

    def limit_gops(self) -> float | None:
        """1e9 operations a second that a GPU does at most in float32; None on the CPU."""
        use_measured(self.device)
        seconds = self.device.cost_seconds(Cost(flops=_MANY_FLOPS, bytes=0.0))
        return None if seconds is None else _MANY_FLOPS / seconds / 1e9

    # ── what it holds ─────────────────────────────────────────────────────────────────────────────

    def describe(self) -> dict[str, int]:
        """Bytes of parameters, gradients, moments, and of activations of the programs so far."""
        total = sum(w.values.size_bytes for w in self._weights.values())
        arenas = [arena for each in self._programs.arenas.values() for arena in each]
        return {
            "parameters": total,
            "gradients": total,
            "moments": 2 * total,
            "activations": sum(arena.size_bytes for arena in arenas),
        }

    def profile(self, program: str = "gradients") -> Profile:
        """Collects what runs of a program take from now on: "gradients", "update", "loss" …"""
        executor = self._executor(program)
        executor.profile = Profile()
        return executor.profile

    def close(self) -> None:
        """Ends the threads and lets go of all memory."""
        self._programs = _Programs()
        for backend in self._backends:
            backend.close()
        self._backends = []

    def __enter__(self) -> TrainStep:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ── inside ────────────────────────────────────────────────────────────────────────────────────

    def _gradients(
        self,
        tokens_BT: NDArray[np.int32],
        targets_BT: NDArray[np.int32],
        *,
        accumulate: bool,
        scale: float,
    ) -> Started:
        inputs = self._inputs(tokens_BT, targets_BT)
        inputs[LOSS_GRADIENT] = np.array([scale], np.float32).view(np.int32)
        return self._start("accumulate" if accumulate else "gradients", inputs)

    def _each(self, batches: Sequence[Tokens]) -> list[Started]:
        """Starts the gradients of the mean of some batches."""
        return [
            self._gradients(tokens_BT, targets_BT, accumulate=index > 0, scale=1 / len(batches))
            for index, (tokens_BT, targets_BT) in enumerate(batches)
        ]

    def _update(self, *, learning_rate: float, clip: float, scale: float) -> Started:
        numbers = self._numbers(
            learning_rate=learning_rate, clip=clip, scale=scale, step=self.steps + 1
        )
        started = self._start("update", {"numbers": numbers})
        self.steps += 1
        return started

    def _allocate(self, decays: Callable[[str, tuple[int, ...]], bool]) -> dict[str, Weight]:
        found = {}
        for packed in packed_weights(self.config).values():
            wishes = {decays(part, self._shapes[part]) for part in packed.rows}
            if len(wishes) > 1:
                raise UsageError(
                    f"{', '.join(packed.rows)} lie in one tensor: all of them decay, or none"
                )
            new = [self.device.allocate(F32, packed.shape) for _ in range(4)]
            states = [packed.name, *(f"{packed.name} {what}" for what in ("gradient", "m", "v"))]
            self._programs.states |= dict(zip(states, new, strict=True))
            values, gradient, *moments = new
            first, second = moments
            found[packed.name] = Weight(packed, values, gradient, (first, second), wishes.pop())
        return found

    def _most_rows(self) -> int:
        """Rows of logits that the device holds in one piece; without a limit all."""
        most = self.device.largest_bytes
        rows = self._B * self._T
        return rows if most is None else max(1, most // F32.size_bytes((self.config.vocab_size,)))

    def _weight(self, name: str) -> Weight:
        self.shape(name)
        return self._holder[name]

    def _read(self, name: str, buffer: Buffer) -> Array:
        packed = self._holder[name].packed
        whole = stored(np.empty(packed.shape, np.float32))
        self.device.read(buffer, whole, packed.shape)
        first, after = packed.rows[name]
        values = whole.float32()
        return values if len(packed.rows) == 1 else values[first:after].copy()

    def _write(self, name: str, buffer: Buffer, values: Array) -> None:
        if values.shape != self.shape(name):
            raise UsageError(f"{name} has shape {values.shape}, expected {self.shape(name)}")
        packed = self._holder[name].packed
        first, after = packed.rows[name]
        whole = stored(np.array(values, np.float32, order="C"))
        if len(packed.rows) > 1:
            whole = stored(np.empty(packed.shape, np.float32))
            self.device.read(buffer, whole, packed.shape)
            cast(Array, whole.planes[0])[first:after] = values
        self.device.write(buffer, whole, packed.shape)

    def _inputs(
        self, tokens_BT: NDArray[np.int32], targets_BT: NDArray[np.int32]
    ) -> dict[str, NDArray[np.int32]]:
        V = self.config.vocab_size
        inputs = {"positions": self._positions}
        for name, array, least in (("tokens", tokens_BT, 0), ("targets", targets_BT, -1)):
            if array.shape != (self._B, self._T):
                raise UsageError(f"{name} have shape {array.shape}, expected {(self._B, self._T)}")
            low, high = int(array.min()), int(array.max())
            if low < least or high >= V:
                wrong = low if low < least else high
                raise UsageError(f"{name} hold {wrong}, expected {least} to {V - 1}")
            inputs[name] = np.ascontiguousarray(array, np.int32).reshape(-1)
        return inputs

    def _numbers(
        self, *, learning_rate: float, clip: float, scale: float, step: int
    ) -> NDArray[np.int32]:
        o = self.optimizer
        values = {
            Numbers.GRADIENT_SCALE: scale,
            Numbers.CLIP: clip,
            Numbers.LEARNING_RATE: learning_rate,
            Numbers.BETA1: o.beta1,
            Numbers.BETA2: o.beta2,
            Numbers.EPSILON: o.epsilon,
            Numbers.WEIGHT_DECAY: o.weight_decay,
            Numbers.CORRECTION1: 1 - o.beta1**step,
            Numbers.CORRECTION2: 1 - o.beta2**step,
        }
        return np.array([values[number] for number in Numbers], np.float32).view(np.int32)

    def _start(self, program: str, inputs: Mapping[str, NDArray[np.int32]]) -> Started:
        return self._executor(program).start(inputs, {"T": self._B * self._T})

    def _executor(self, program: str) -> Executor:
        if program not in self._programs.made:
            self._programs.made[program] = self._make(program)
        return self._programs.made[program]

    def _make(self, program: str) -> Executor:
        graph = self._graph(program)
        constants = self._decoder.constants
        weights: dict[Tensor, StoredTensor] = {
            tensor: stored(constants[tensor.name]) for tensor in graph.of_role("weight")
        }
        home = Home(self.device, "training")
        states = graph.of_role("state")
        executor = Executor(
            graph,
            self._backends,
            weights,
            {"T": self._B * self._T},
            homes={} if home.backend.memory == HOST else dict.fromkeys(states, home),
            costs=MachineCosts(),
            on_compile=self._on_compile,
            states=self._programs.states,
            arenas=self._programs.arenas,
        )
        executor.prepare([{"T": self._B * self._T}])
        return executor

    def _graph(self, program: str) -> Graph:
        if program == "loss":
            return self._forward
        if program in ("gradients", "accumulate"):
            return differentiate(
                self._forward,
                self._forward.tensors[LOSS],
                self._weights,
                accumulate=program == "accumulate",
                recompute=CHEAP if self._recompute else (),
            ).graph
        return update_graph(list(self._weights.values()), moves=program == "update")


def _first(started: Started) -> float:
    """The number that a program gives, or the first of them."""
    return float(started()[0][0])


def _mean(started: Sequence[Started]) -> float:
    return math.fsum(map(_first, started)) / len(started)


def _check_weights(shapes: Mapping[str, tuple[int, ...]], weights: Mapping[str, Array]) -> None:
    if set(shapes) != set(weights):
        wrong = sorted(set(shapes) ^ set(weights))
        raise UsageError(f"weights that are missing or not known: {', '.join(wrong[:5])}")
    for name, shape in shapes.items():
        if weights[name].shape != shape:
            raise UsageError(f"{name} has shape {weights[name].shape}, expected {shape}")
