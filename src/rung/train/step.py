"""One step of training on this machine: loss and gradients, then AdamW's update."""

# B sequences, T tokens of each

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rung.backends.base import Backend, Compiling
from rung.backends.choose import Devices, open_backends
from rung.errors import UsageError
from rung.graph.grad import LOSS_GRADIENT
from rung.models.config import Config
from rung.models.trainable import PRODUCTS, Precision, TrainableDecoder, chunk_rows_of
from rung.registry import Cost
from rung.schedule.execute import Started
from rung.schedule.profile.runs import Profile
from rung.simd.target import host
from rung.storage import F32
from rung.train.memory import CHEAP
from rung.train.parameters import Array, Parameters, check_weights, is_matrix
from rung.train.programs import ProgramName, Programs
from rung.train.update import AdamW
from rung.tuning.probe import use_measured

__all__ = ["AdamW", "Tokens", "TrainStep", "check_precision", "is_matrix"]

Tokens = tuple[NDArray[np.int32], NDArray[np.int32]]
"""Tokens and targets of a batch, [B, T] each."""

_MANY_FLOPS = 1e15  # beside which the start of a kernel is nothing


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
    tokens logits are there at once, None for what suits the device. precision: bfloat16 rounds the
    factors of all products of weights, and of their gradients, to it; sums, weights, gradients,
    moments and all else stay float32.

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
        chunk_rows: int | None = None,
        precision: Precision = "float32",
        on_compile: Compiling | None = None,
    ) -> None:
        self.config = config
        self.optimizer = optimizer or AdamW()
        self.steps = 0
        self._B, self._T = sequences, tokens
        check_weights(config, weights)
        if sequences < 1 or not 1 <= tokens <= config.context_length:
            raise UsageError(
                f"a batch of {sequences} sequences of {tokens} tokens: expected at least one of "
                f"1 to {config.context_length} tokens, the model's context"
            )
        check_precision(precision, device)
        self._positions = np.tile(np.arange(tokens, dtype=np.int32), sequences)
        devices = Devices(device=device, threads=threads, blas="none")
        self._backends: list[Backend] = open_backends(devices)
        try:
            use_measured(self.device)
            decoder = TrainableDecoder(
                config,
                sequences=sequences,
                tokens=tokens,
                chunk_rows=min(
                    chunk_rows or chunk_rows_of(config.vocab_size, on_gpu=device != "cpu"),
                    self._most_rows(),
                ),
                precision=precision,
            )
            self._parameters = Parameters(config, self.device, decays)
            self._programs = Programs(
                *(decoder, self._parameters, self._backends),
                rows=sequences * tokens,
                recompute=CHEAP if recompute else (),
                on_compile=on_compile,
            )
            for name, values in weights.items():
                self.set_parameter(name, values)
        except BaseException:
            self._close_backends()
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
        return _first(self._programs.start("loss", self._inputs(tokens_BT, targets_BT)))

    def norm(self, *, scale: float = 1.0) -> float:
        """The norm of all gradients together, times `scale`."""
        numbers = self.optimizer.numbers(learning_rate=0.0, clip=0.0, scale=scale, step=1)
        return _first(self._programs.start("norm", {"numbers": numbers}))

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
        return self._parameters.names

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a parameter, and of its gradient and moments."""
        return self._parameters.shape(name)

    def parameter(self, name: str) -> Array:
        """A copy of a parameter."""
        return self._parameters.read(name, self._parameters.weight(name).values)

    def gradient(self, name: str) -> Array:
        """A copy of a parameter's gradient, as the last `loss_and_gradients` left it."""
        return self._parameters.read(name, self._parameters.weight(name).gradient)

    def moments(self, name: str) -> tuple[Array, Array]:
        """Copies of a parameter's running means of its gradient and of the gradient's square."""
        first, second = self._parameters.weight(name).moments
        return self._parameters.read(name, first), self._parameters.read(name, second)

    def set_parameter(self, name: str, values: Array) -> None:
        """Sets a parameter. Raises UsageError for another shape."""
        self._parameters.write(name, self._parameters.weight(name).values, values)

    def set_moments(self, name: str, first: Array, second: Array) -> None:
        """Sets a parameter's moments. Raises UsageError for another shape."""
        buffers = self._parameters.weight(name).moments
        for buffer, values in zip(buffers, (first, second), strict=True):
            self._parameters.write(name, buffer, values)

    # ── what it runs on ───────────────────────────────────────────────────────────────────────────

    @property
    def device(self) -> Backend:
        """The backend that does all of it."""
        return self._backends[0]

    def prepare(self) -> None:
        """Makes the programs of a step now: what has no room is known then."""
        self._programs.executor("gradients")
        self._programs.executor("update")

    def limit_gops(self) -> float | None:
        """1e9 operations a second that a GPU does at most in float32; None on the CPU.

        Raises MemoryLimitError where that was never measured, and there is no room to do so.
        """
        seconds = self.device.cost_seconds(Cost(flops=_MANY_FLOPS, bytes=0.0))
        return None if seconds is None else _MANY_FLOPS / seconds / 1e9

    # ── what it holds ─────────────────────────────────────────────────────────────────────────────

    def describe(self) -> dict[str, int]:
        """Bytes of parameters, gradients, moments, and of activations of the programs so far."""
        total = self._parameters.size_bytes
        return {
            "parameters": total,
            "gradients": total,
            "moments": 2 * total,
            "activations": self._programs.activation_bytes,
        }

    def profile(self, program: ProgramName = "gradients") -> Profile:
        """Collects what runs of a program take from now on."""
        executor = self._programs.executor(program)
        executor.profile = Profile()
        return executor.profile

    def close(self) -> None:
        """Ends the threads and lets go of all memory."""
        self._programs.close()
        self._close_backends()

    def __enter__(self) -> TrainStep:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ── inside ────────────────────────────────────────────────────────────────────────────────────

    def _close_backends(self) -> None:
        for backend in self._backends:
            backend.close()
        self._backends = []

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
        return self._programs.start("accumulate" if accumulate else "gradients", inputs)

    def _each(self, batches: Sequence[Tokens]) -> list[Started]:
        """Starts the gradients of the mean of some batches."""
        return [
            self._gradients(tokens_BT, targets_BT, accumulate=index > 0, scale=1 / len(batches))
            for index, (tokens_BT, targets_BT) in enumerate(batches)
        ]

    def _update(self, *, learning_rate: float, clip: float, scale: float) -> Started:
        numbers = self.optimizer.numbers(
            learning_rate=learning_rate, clip=clip, scale=scale, step=self.steps + 1
        )
        started = self._programs.start("update", {"numbers": numbers})
        self.steps += 1
        return started

    def _most_rows(self) -> int:
        """Rows of logits that the device holds in one piece; without a limit all."""
        most = self.device.largest_bytes
        rows = self._B * self._T
        return rows if most is None else max(1, most // F32.size_bytes((self.config.vocab_size,)))

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


def _first(started: Started) -> float:
    """The number that a program gives, or the first of them."""
    return float(started()[0][0])


def _mean(started: Sequence[Started]) -> float:
    return math.fsum(map(_first, started)) / len(started)
