"""Model: a checkpoint, planned for this machine, with its tokenizer; the public face of the engine.

Shapes: T tokens, V vocabulary.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, Unpack

import numpy as np
from numpy.typing import NDArray

from rung.closing import Closing
from rung.engine import evaluate
from rung.engine.batch import Runner
from rung.engine.chat import Chat
from rung.engine.generate import Engine, Generation, generate_all
from rung.engine.options import (
    GenerateOptions,
    LoadOptions,
    Prompt,
    Prompts,
    check_activations,
    check_cache_type,
)
from rung.engine.sequence import Completion
from rung.engine.session import Session
from rung.engine.templates import ChatTemplate, template_for
from rung.errors import RungError, UsageError
from rung.formats.base import Checkpoint
from rung.models.config import Config
from rung.schedule.homes import Override, Wishes, check_cache_on, parse_layers
from rung.schedule.profile.runs import MOST_SPANS, Profile
from rung.tokenizers.base import Tokenizer

OnCompile = Callable[[int, int, str], None]
"""Called with (kernels done, kernels in all, name) while kernels are compiled for this machine."""


class ClosableRunner(Runner, Protocol):
    """A runner that holds threads and memory until it is closed."""

    @property
    def notes(self) -> Sequence[str]:
        """What a user should know of how it runs, a line each."""
        ...

    def close(self) -> None:
        """Gives threads and memory back."""
        ...


class Model(Closing):
    """A model ready to generate. `rung.load` makes one; close it, or use it as a context manager.

    Each generation or session holds one of the model's slots; `rung.load(slots=N)` makes N.

    >>> with rung.load() as model:
    ...     print(model.generate("Once upon a time", max_tokens=50).complete().text)
    """

    def __init__(
        self, checkpoint: Checkpoint, runner: ClosableRunner, tokenizer: Tokenizer
    ) -> None:
        self.checkpoint = checkpoint
        self.prompts = Prompts(tokenizer, runner.config, runner.context_length)
        self._runner = runner
        self._engine = Engine(runner)

    @property
    def notes(self) -> list[str]:
        """What a user should know of the file and of how it runs, a line each."""
        return [*self.checkpoint.notes, *self._runner.notes]

    @property
    def config(self) -> Config:
        """The model's shape."""
        return self._runner.config

    @property
    def tokenizer(self) -> Tokenizer:
        """Text to token ids and back."""
        return self.prompts.tokenizer

    @property
    def context_length(self) -> int:
        """Tokens that one sequence can have, prompt included."""
        return self._runner.context_length

    @property
    def n_slots(self) -> int:
        """Sequences that can be in the making at once."""
        return self._runner.n_slots

    def generate(self, prompt: Prompt = "", **options: Unpack[GenerateOptions]) -> Generation:
        """A text that continues `prompt` (text, or token ids): iterate over it, or `complete()` it.

        Options and their defaults: `GenerateOptions` and `SamplingParams`. Nothing runs before the
        first piece is asked for.
        Raises UsageError for a wrong option or where no slot is free, ContextError for a prompt
        longer than the context.

        >>> for piece in model.generate("Once upon a time", temperature=0, stop="The end"):
        ...     print(piece, end="", flush=True)
        """
        sequence = self.prompts.sequence(self.prompts.request(prompt, **options))
        return Generation(self._engine, sequence, self._engine.acquire())

    def generate_batch(
        self, prompts: Sequence[Prompt], **options: Unpack[GenerateOptions]
    ) -> list[Completion]:
        """The completions of all prompts, in order, run together over the free slots.

        Each prompt has its own sampler with the seed given, so it gets the text it would get alone.
        Raises as `generate` does, before anything runs.
        """
        return generate_all(
            self._engine,
            [self.prompts.sequence(self.prompts.request(p, **options)) for p in prompts],
        )

    def session(self) -> Session:
        """A slot that remembers what it has read: a longer prompt then costs only its new end."""
        return Session(self._engine, self.prompts)

    def chat(
        self, *, system: str | None = None, template: str | ChatTemplate | None = None
    ) -> Chat:
        """A conversation, which holds a slot until neither it nor an answer is referred to.

        system: how the model should answer, said before the first turn.
        template: a name (llama2, chatml, llama3, gemma, phi3, mistral, zephyr), a file with a Jinja
            template, or a ChatTemplate; None is the model's own.

        Raises UsageError where the model has no template, or there is none of this name.

        >>> chat = model.chat(system="Answer in one sentence.")
        >>> for piece in chat.ask("Who was Lily?", max_tokens=100):
        ...     print(piece, end="", flush=True)
        >>> chat.save(Path("lily.json"))
        """
        chosen = template_for(self.tokenizer, template)
        return Chat(self.session(), self.prompts, template=chosen, system=system)

    def logits(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Logits [T, V] after each of `ids`, read in chunks from an empty cache.

        Raises ContextError for more ids than the context holds, UsageError for unknown ids or where
        no slot is free.
        """
        return evaluate.logits(self._engine, ids)

    def perplexity(self, text: Prompt) -> float:
        """exp of the mean surprise, in nats, at every token of `text` but the first.

        Text is encoded after BOS, ids are taken as they are. What is longer than the context is cut
        into windows of its length, each read from an empty cache, so that every token but the first
        is predicted once. Figures compare only at equal context lengths.
        Raises UsageError for fewer than two tokens or where no slot is free.
        """
        return evaluate.perplexity(self._engine, self.prompts.encode(text))

    @contextmanager
    def profile(self, *, most_spans: int = MOST_SPANS) -> Iterator[Profile]:
        """What every kernel, thread and copy takes, for the length of a `with` block.

        most_spans: what it holds at most; runs after that are only counted (`profile.gaps`).
        Raises UsageError where the model is being profiled already.

        >>> with model.profile() as profile:
        ...     model.generate("Once upon a time", max_tokens=50).complete()
        >>> print(profile.summary())
        >>> profile.write("trace.json")  # for ui.perfetto.dev
        """
        with self._engine.profiling(Profile(most_spans=most_spans)) as profile:
            yield profile

    def close(self) -> None:
        """Gives threads and memory back; the model cannot be used any more."""
        self._engine.close()
        self._runner.close()


def load(
    path: str | os.PathLike[str] | None = None,
    *,
    tokenizer: str | os.PathLike[str] | None = None,
    on_compile: OnCompile | None = None,
    on_upload: OnCompile | None = None,
    **options: Unpack[LoadOptions],
) -> Model:
    """A model, ready to generate.

    path: the model file; None is the small storyteller that comes with Rung.
    tokenizer: its tokenizer file; None looks beside the model.
    threads: CPU threads; None is what `rung tune` found best, or the physical cores.
    threads_batch: CPU threads for more than one token at once; None is as many.
    context_length: tokens a sequence may have; None is the model's own length, which is the most.
    slots: sequences that can be in the making at once (1); each has a key-value cache of its own.
    cache_type: how keys and values are kept, "f32" or "f16"; None is f32 where all matrices are,
        else f16, which takes half the memory.
    activations: how inputs of products are taken, "float32", "int8" where weights are quantised, or
        "bfloat16" for prompts beside that, which needs AMX. None is the fastest for quantised
        weights, within 0.02 % of the perplexity; int8 gives the same bits in any batch.
    device: the processor that takes layers before the CPU does ("cpu": none); `rung devices` lists
        them.
    blas: the library for float32 products where it is faster: "auto", "none", "mkl", "openblas" …
        or a path; None is RUNG_BLAS. With "none", and activations that are not bfloat16, a token
        has the same bits in any batch.
    gpu_layers: how many layers it takes, counted from the output down: a number, "all", or "auto",
        as many as fit its memory.
    override_tensor: "REGEX=BACKEND" for weights that should be elsewhere; later ones count more.
    cache_on: keys and values on the "device" with their layers, or on the "host".
    on_compile: called with (done, total, name) while kernels are compiled, once on a machine.
    on_upload: called with (bytes done, of how many, name) while weights go to a device.

    Raises FormatError for a file that is not a model, TokenizerError for a missing tokenizer or one
    that does not fit, UsageError for wrong options, BackendError where memory runs out or a device
    is not there.
    """
    from rung.engine.vocabulary import checkpoint_tokenizer
    from rung.formats import open_checkpoint

    for name in ("threads", "threads_batch", "slots"):
        _check_count(name, options.get(name))  # type: ignore[arg-type]
    cache = check_cache_type(options.get("cache_type"))
    taken = check_activations(options.get("activations"))
    wishes = wishes_of(options)
    checkpoint = open_checkpoint(built_in_model() if path is None else Path(path))
    context_length = options.get("context_length")
    _check_count("context_length", context_length, checkpoint.config.context_length)
    opened = checkpoint_tokenizer(checkpoint, None if tokenizer is None else Path(tokenizer))
    # Only now: it imports the compiler, and a mistake above should be told at once.
    from rung.engine.runner import plan_model

    runner = plan_model(
        checkpoint,
        context_length=context_length,
        n_slots=options.get("slots", 1),
        cache_type=cache,
        activations=taken,
        wishes=wishes,
        on_compile=on_compile,
        on_upload=on_upload,
        device=options.get("device", "cpu"),
        blas=options.get("blas"),
        threads=options.get("threads"),
        threads_batch=options.get("threads_batch"),
    )
    return Model(checkpoint, runner, opened)


def wishes_of(options: LoadOptions) -> Wishes:
    """Where the options want things. Raises UsageError for what cannot be read."""
    layers = options.get("gpu_layers", "auto")
    overrides = options.get("override_tensor", ())
    texts = [overrides] if isinstance(overrides, str) else overrides
    return Wishes(
        gpu_layers=parse_layers(layers) if isinstance(layers, str) else layers,
        overrides=tuple(Override.parse(text) for text in texts),
        cache_on=check_cache_on(options.get("cache_on", "device")),
    )


def built_in_model() -> Path:
    """The file of the model that comes with Rung. Raises RungError where it was left out."""
    path = Path(__file__).parent.parent / "builtin" / "model.bin"
    if not path.is_file():
        raise RungError(f"this installation has no built-in model ({path}); name a model file")
    return path


def _check_count(name: str, value: int | None, most: int | None = None) -> None:
    if value is None:
        return
    if value < 1:
        raise UsageError(f"{name} is {value}, expected at least 1")
    if most is not None and value > most:
        raise UsageError(f"{name} is {value}, but this model was trained for at most {most}")
