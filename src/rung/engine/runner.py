"""A model on this machine: a checkpoint's graph planned and compiled, and batches run through it.

T tokens, R rows that need logits, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from rung.backends.base import HOST, Backend, Compiling
from rung.backends.choose import DeviceOptions, Devices, open_backends
from rung.engine.batch import Batch, Choice
from rung.engine.options import Activations, CacheType, check_activations, check_cache_type
from rung.errors import BackendError, MemoryLimitError, UsageError
from rung.formats.base import Checkpoint
from rung.graph.ir import Graph, Tensor, concrete
from rung.graph.passes import drop_dead_nodes, fuse_rounding, pack_activations, quantize_activations
from rung.graph.passes.tiles import EXPANDED
from rung.models.config import Config
from rung.models.continuation import continue_with
from rung.models.decoder import Decoder
from rung.schedule.ahead import Ahead, Flight
from rung.schedule.execute import Executor, Uploading
from rung.schedule.homes import Wishes, find_homes, layer_count, wanted_layers
from rung.schedule.problem import Home
from rung.schedule.profile.runs import Profile
from rung.simd.target import host
from rung.storage import Q8_S, storage_type, stored
from rung.tuning.file import apply_rates
from rung.tuning.probe import machine_costs

# Tokens of one batch: enough for weights to be read from the cache many times over, few enough
# for the widest activation of a 7B model to stay at 11 MB.
MAX_TOKENS = 256

NO_WISHES = Wishes()


def build_decoder(
    checkpoint: Checkpoint,
    *,
    n_slots: int,
    context_length: int,
    cache_type: CacheType | None = None,
) -> Decoder:
    """The decoder of a checkpoint, for so many sequences of so many positions."""
    return Decoder(
        checkpoint.config,
        {name: weight.type for name, weight in checkpoint.weights.items()},
        n_slots=n_slots,
        context_length=context_length,
        cache_type=storage_type(cache_type or default_cache_type(checkpoint)),
    )


def build_graph(decoder: Decoder, activations: Activations) -> Graph:
    """A decoder's graph as it runs, after all passes."""
    graph = decoder.build()
    if activations != "float32":
        graph = fuse_rounding(quantize_activations(graph))
    if activations == "bfloat16":
        graph = pack_activations(graph)
    return drop_dead_nodes(graph)


def most_tokens(graph: Graph, backends: Sequence[Backend], wanted: int) -> int:
    """Tokens of a batch: as wanted, or what all backends can hold the widest activation of.

    That is the logits of all tokens, mostly: a vocabulary of 151,936 makes 220 where memory is
    bound in pieces of 128 MiB.
    """
    limits = [backend.largest_bytes for backend in backends if backend.largest_bytes is not None]
    if not limits:
        return wanted
    widest = max(
        tensor.type.size_bytes(concrete(tensor.shape, {"T": 1, "R": 1}))
        for tensor in graph.of_role("activation")
    )
    return max(1, min(wanted, min(limits) // widest))


def _likely_sizes(most: int, n_slots: int) -> list[dict[str, int]]:
    """Batches that together meet what kernels tell apart: one token, and prompts of all lengths.

    With several slots also a token of each of some sequences, all with logits. Kernels are for
    ranges of tokens and choose among forms within them, seldom twice in an octave.
    """

    def counts(most: int) -> list[int]:
        octaves = [1 << n for n in range(most.bit_length())]
        return sorted({n for n in (most, *octaves, *(3 * n // 2 for n in octaves)) if n <= most})

    prompts = [{"T": count, "R": 1} for count in counts(most)]
    return prompts + [{"T": count, "R": count} for count in counts(min(n_slots, most))[1:]]


class ModelRunner:
    """A checkpoint on some backends: its weights where they are, its KV cache, its plans."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        backends: Sequence[Backend],
        *,
        wishes: Wishes,
        n_slots: int,
        context_length: int,
        activations: Activations,
        cache_type: CacheType,
        max_tokens: int = MAX_TOKENS,
        on_compile: Compiling | None = None,
        on_upload: Uploading | None = None,
    ) -> None:
        self.config: Config = checkpoint.config
        self.n_slots = n_slots
        self.context_length = context_length
        self.backends = list(backends)
        self.activations = activations
        self.cache_type = cache_type
        self.checkpoint = checkpoint
        decoder = build_decoder(
            checkpoint, n_slots=n_slots, context_length=context_length, cache_type=cache_type
        )
        graph = build_graph(decoder, activations)
        wanted = min(max_tokens, n_slots * context_length)
        self.max_tokens = most_tokens(graph, backends, wanted)
        constants = {name: stored(values) for name, values in decoder.constants.items()}
        weights = {**checkpoint.weights, **constants}
        self.notes: list[str] = []
        costs = machine_costs(backends, graph, on_compile=on_compile)

        def attempt(homes: Mapping[Tensor, Home]) -> Executor:
            executor = Executor(
                graph,
                backends,
                {tensor: weights[tensor.name] for tensor in graph.of_role("weight")},
                {"T": self.max_tokens, "R": self.max_tokens},
                homes=homes,
                costs=costs,
                on_compile=on_compile,
                on_upload=on_upload,
            )
            # What a user would wait for at the first token is compiled now.
            executor.prepare(_likely_sizes(self.max_tokens, n_slots))
            # By whether the likeliest token is taken; None where the device cannot.
            self._aheads = {
                greedy: self._make_ahead(executor, greedy=greedy) for greedy in (True, False)
            }
            return executor

        self.executor = self._placed(graph, wishes, attempt, frozenset(constants))
        self._flight: Flight | None = None

    def _placed(
        self,
        graph: Graph,
        wishes: Wishes,
        attempt: Callable[[Mapping[Tensor, Home]], Executor],
        constants: frozenset[str],
    ) -> Executor:
        """An executor with the layers asked for; "auto" takes fewer until they fit the device."""
        layers = wanted_layers(graph, self.backends, wishes, constants)
        while True:
            exact = replace(wishes, gpu_layers=layers)
            try:
                executor = attempt(find_homes(graph, self.backends, exact, constants))
                break
            except MemoryLimitError:
                if wishes.gpu_layers != "auto" or layers == 0:
                    raise
                # The estimate leaves out activations and copies: a tenth less each time.
                layers -= max(1, layers // 10)
        device = self.backends[0]
        if wishes.gpu_layers == "auto" and device.memory != HOST and layers < layer_count(graph):
            rest = "the others" if layers else "all of them"
            self.notes.append(
                f"{layers} of {layer_count(graph)} layers fit the memory of {device.name}; "
                f"{rest} stay on the host"
            )
        return executor

    @property
    def profile(self) -> Profile | None:
        """Collects what batches take, where there is one."""
        return self.executor.profile

    @profile.setter
    def profile(self, profile: Profile | None) -> None:
        if profile is not None:
            # A device measures itself when first asked, while it is open; summaries ask later.
            _ = self.executor.plan(1).seconds
        self.executor.profile = profile

    def forward(self, batch: Batch) -> NDArray[np.float32]:
        """Logits [R, V] of the batch's rows; the KV cache then holds the batch's tokens.

        The logits are a view of memory that the next call overwrites. Raises UsageError for a batch
        that is too large or names a token, position, slot or row that does not exist.
        """
        self._check(batch)
        self._stop_flight()
        sizes = {"T": len(batch.tokens), "R": len(batch.rows)}
        return self.executor.run(batch.inputs, sizes)[0]

    @property
    def runs_ahead(self) -> bool:
        """Whether `ahead` could be of use: no step is to be watched, and a device can go on."""
        can = None not in self._aheads.values()  # no layers are on the host
        return can and self.executor.profile is None

    def ahead(
        self, token: int, *, position: int, slot: int, choice: Choice, steps: int
    ) -> Iterator[int] | None:
        """The ids that follow a token, at most so many, as the device computes them unasked.

        They end with the next `forward` or `ahead`. An id below 0 is none: the device could not
        choose, and what follows means nothing. None where a step needs the host.
        """
        batch = Batch.one([token], start=position, slot=slot)
        self._check(batch)
        self._stop_flight()
        ahead = self._aheads[choice.greedy]
        if ahead is None:
            return None
        given: dict[str, NDArray[np.float32]] = {}
        if choice.uniform_N is not None and choice.settings_P is not None:
            before = np.zeros(position, np.float32)
            given["uniform"] = np.concatenate([before, choice.uniform_N])
            given["settings"] = choice.settings_P
        self._flight = ahead.start(
            batch.inputs, given, steps=min(steps, self.context_length - position)
        )
        return self._flight

    def _make_ahead(self, executor: Executor, *, greedy: bool) -> Ahead | None:
        if not self.backends[0].runs_ahead:
            return None
        return executor.ahead(
            continue_with(executor.graph, context_length=self.context_length, greedy=greedy)
        )

    def _stop_flight(self) -> None:
        if self._flight is not None:
            self._flight.stop()
            self._flight = None

    def _check(self, batch: Batch) -> None:
        T = len(batch.tokens)
        if not T == len(batch.positions) == len(batch.slots):
            raise UsageError("a batch needs one position and one slot for each token")
        for count, what in ((T, "tokens"), (len(batch.rows), "rows")):
            if count > self.max_tokens:
                raise UsageError(
                    f"a batch of {count} {what}, at most {self.max_tokens} are possible"
                )
        for name, values, limit in (
            ("token", batch.tokens, self.config.vocab_size),
            ("position", batch.positions, self.context_length),
            ("slot", batch.slots, self.n_slots),
            ("row", batch.rows, T),
        ):
            # Plain numbers: for the one token of a decoding step NumPy's min and max cost 10 µs.
            numbers = values.tolist()
            if numbers and not 0 <= min(numbers) <= max(numbers) < limit:
                wrong = next(number for number in numbers if not 0 <= number < limit)
                raise UsageError(f"{name} {wrong} is not in range({limit})")

    def describe(self) -> dict[str, int | str]:
        """What it holds, in bytes: weights, KV cache, activations."""
        return {
            "weights bytes": self.checkpoint.size_bytes,
            "KV cache bytes": sum(self.executor.state_bytes().values()),
            "KV cache type": self.cache_type,
            "activation bytes": sum(self.executor.arena_bytes().values()),
            "activations": self.activations,
            "nodes": len(self.executor.graph.nodes),
        }

    def close(self) -> None:
        """Ends the backends' threads and gives their memory back."""
        self._stop_flight()
        for backend in self.backends:
            backend.close()


def _matrix_types(checkpoint: Checkpoint) -> set[str]:
    return {w.type.name for w in checkpoint.weights.values() if len(w.shape) == 2}


def multiplies_bfloat16() -> bool:
    """Whether this processor multiplies tiles of bfloat16, and may."""
    return host().has("amx-tile") and host().has("amx-bf16")


def default_activations(checkpoint: Checkpoint) -> Activations:
    """bfloat16 or int8 where a matrix is int8 or in blocks of few bits; else float32.

    The one place for this choice. Products of few tokens then run in integers, at the speed of
    memory, and those of prompts in integers or in tiles of bfloat16, where there are any. int8
    moves the perplexity of the built-in model by less than 0.02 % in every type, bfloat16 with
    q8_0 and q4_0 weights by less than 0.01 % (docs/cpu-backend.md).
    """
    types = _matrix_types(checkpoint)
    if types & EXPANDED[Q8_S] and multiplies_bfloat16():
        return "bfloat16"
    return "int8" if types - {"f32", "f16", "bf16"} else "float32"


def choose_activations(
    checkpoint: Checkpoint, name: str | None, *, on_gpu: bool = False
) -> Activations:
    """What is asked for, or the default; with a GPU always float32.

    A graph has one kind of activations for all layers. A GPU's kernels take float32, and read
    quantised weights at the speed of its memory all the same; rounding would leave every product to
    the CPU. Layers that stay on the host multiply in float32, then, too.

    Raises UsageError for int8 where no weight is quantised, for nothing would be rounded; for
    bfloat16 where no weight has products in it, or this processor has none; and for both with a
    GPU.
    """
    if on_gpu:
        if check_activations(name) not in (None, "float32"):
            raise UsageError(
                f"{name} activations are for products on the CPU, and GPUs multiply float32; leave "
                "--activations out, or take --device cpu"
            )
        return "float32"
    chosen = check_activations(name) or default_activations(checkpoint)
    types = _matrix_types(checkpoint)
    if chosen == "int8" and not types - {"f32", "f16", "bf16"}:
        raise UsageError(
            "int8 activations need quantised weights, and this model has none; leave them float32, "
            "or convert it first (rung convert --type q8_0)"
        )
    if chosen == "bfloat16" and not multiplies_bfloat16():
        raise UsageError(
            "bfloat16 activations need a processor with AMX for bfloat16 (amx-bf16), and this one "
            "has none that may be used; leave --activations out"
        )
    expanded: set[str] = set().union(*EXPANDED.values())
    if chosen == "bfloat16" and not types & expanded:
        raise UsageError(
            f"bfloat16 activations are for weights in {', '.join(sorted(expanded))}, and this "
            "model has none; leave --activations out"
        )
    return chosen


def multiplies_floats(
    activations: Activations, wishes: Wishes, checkpoint: Checkpoint, *, on_gpu: bool = False
) -> bool:
    """Whether a BLAS library could be of use: some product is of float32, or a wish names it.

    With a GPU few products are left to the host, or none: measuring both backends for them would
    take longer than it gains.
    """
    floats = activations == "float32" or bool(_matrix_types(checkpoint) & {"f32", "f16", "bf16"})
    return (floats and not on_gpu) or any(
        override.backend == "blas" for override in wishes.overrides
    )


def default_cache_type(checkpoint: Checkpoint, backends: Sequence[Backend] = ()) -> CacheType:
    """f32 where every matrix is float32, so that nothing is rounded there; else f16.

    Also f32 where a backend has no kernels for float16, as GPUs without f16 in shaders.

    The one place for this choice. float16 halves what a token reads: with 1024 keys of 32 heads,
    0.3 ms instead of 0.7 (Zen 4, 2 cores). It moves the perplexity of the built-in model by 0.06 %
    at most, either way (docs/cpu-backend.md).
    """
    in_halves = all(backend.takes_f16 for backend in backends)
    return "f16" if in_halves and not _matrix_types(checkpoint) <= {"f32"} else "f32"


def checked_context(checkpoint: Checkpoint, context_length: int | None) -> int:
    """Positions of a slot: the model's own for None. Raises UsageError for more than it has."""
    most = checkpoint.config.context_length
    context = most if context_length is None else context_length
    if not 1 <= context <= most:
        raise UsageError(f"context is {context}, this model allows 1 to {most}")
    return context


def plan_model(
    checkpoint: Checkpoint,
    *,
    context_length: int | None = None,
    n_slots: int = 1,
    activations: str | None = None,
    cache_type: str | None = None,
    max_tokens: int = MAX_TOKENS,
    wishes: Wishes = NO_WISHES,
    on_compile: Compiling | None = None,
    on_upload: Uploading | None = None,
    **devices: Unpack[DeviceOptions],
) -> ModelRunner:
    """A checkpoint ready to run on this machine.

    context_length: positions a slot holds, at most and by default the model's own. n_slots:
    sequences at once. activations: how inputs of products are taken. cache_type:
    how keys and values are kept. wishes: what goes where. devices: which backends to use, and their
    threads. Raises UsageError for impossible numbers and BackendError when memory, the kernel cache
    or a device fails.
    """
    context = checked_context(checkpoint, context_length)
    if n_slots < 1:
        raise UsageError(f"slots is {n_slots}, expected at least 1")
    asked = check_cache_type(cache_type)
    chosen_devices = Devices(**devices)
    on_gpu = chosen_devices.has_gpu
    taken = choose_activations(checkpoint, activations, on_gpu=on_gpu)
    floats = multiplies_floats(taken, wishes, checkpoint, on_gpu=on_gpu)
    backends = open_backends(chosen_devices, with_blas=floats)
    try:
        apply_rates(backends, chosen_devices)
        return ModelRunner(
            checkpoint,
            backends,
            wishes=wishes,
            n_slots=n_slots,
            context_length=context,
            activations=taken,
            cache_type=asked or default_cache_type(checkpoint, backends),
            max_tokens=max_tokens,
            on_compile=on_compile,
            on_upload=on_upload,
        )
    except BaseException as error:
        for backend in backends:
            backend.close()
        if isinstance(error, MemoryError):
            raise BackendError(
                "not enough memory for this model; try a smaller --context"
            ) from None
        raise
