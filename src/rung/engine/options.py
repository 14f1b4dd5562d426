"""Options of a generation, as keyword arguments, and how they and a prompt become a sequence."""

from __future__ import annotations

from collections.abc import Sequence as Ids
from typing import Literal, TypedDict, Unpack, get_args

from rung.engine.params import DEFAULT_MAX_TOKENS, SamplingOptions, SamplingParams
from rung.engine.sequence import Request, Sequence
from rung.errors import UsageError
from rung.models.config import Config
from rung.tokenizers.base import Tokenizer

Prompt = str | Ids[int]
"""Text, which is encoded after BOS; or token ids, which are taken as they are."""

CacheType = Literal["f32", "f16"]
"""How keys and values are kept."""


Activations = Literal["float32", "int8", "bfloat16"]
"""How the inputs of products are taken.

float32: as they are. int8: rounded where weights are quantised. bfloat16: the same for few tokens
(float32 where weights are float16 or bfloat16), and many in tiles of bfloat16.
"""


class LoadOptions(TypedDict, total=False):
    """How a model is to run: see `rung.load` for meanings and defaults."""

    threads: int | None
    threads_batch: int | None
    context_length: int | None
    slots: int
    cache_type: str | None
    activations: str | None
    device: str
    blas: str | None
    gpu_layers: int | str
    override_tensor: str | Ids[str]
    cache_on: str


def check_activations(name: str | None) -> Activations | None:
    """The name, if there is such a way. Raises UsageError otherwise."""
    for known in get_args(Activations):
        if name == known:
            return known  # type: ignore[no-any-return]
    if name is not None:
        raise UsageError(f"activations is {name!r}, expected {' or '.join(get_args(Activations))}")
    return None


def check_cache_type(name: str | None) -> CacheType | None:
    """The name, if there is such a type of cache. Raises UsageError otherwise."""
    for known in get_args(CacheType):
        if name == known:
            return known  # type: ignore[no-any-return]
    if name is not None:
        raise UsageError(f"cache type is {name!r}, expected {' or '.join(get_args(CacheType))}")
    return None


class GenerateOptions(SamplingOptions, total=False):
    """Keyword arguments of every `generate`.

    max_tokens: most tokens to generate (512); 0 only reads the prompt; None or -1 goes on until the
        model ends the text or the context is full.
    stop: a string, or several, at which the text is cut (none).
    ignore_eos: carry on where the model would end the text (False).
    """

    max_tokens: int | None
    stop: str | Ids[str]
    ignore_eos: bool


class Prompts:
    """Turns prompts and options into sequences of one model."""

    def __init__(self, tokenizer: Tokenizer, config: Config, context_length: int) -> None:
        self.tokenizer = tokenizer
        self.config = config
        self.context_length = context_length

    def encode(self, prompt: Prompt) -> list[int]:
        """The ids of a prompt: text is encoded after BOS, ids are taken as they are."""
        if isinstance(prompt, str):
            ids = self.tokenizer.encode(prompt)
            bos = self.tokenizer.bos_id
            # A model must read something before it can write, even one that has no use for BOS.
            return [bos] if not ids and bos is not None else ids
        return [int(token) for token in prompt]

    def request(
        self,
        prompt: Prompt,
        *,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        stop: str | Ids[str] = (),
        ignore_eos: bool = False,
        **sampling: Unpack[SamplingOptions],
    ) -> Request:
        """A checked request. Raises UsageError for a value outside its range."""
        return Request(
            prompt=tuple(self.encode(prompt)),
            max_tokens=None if max_tokens == -1 else max_tokens,
            stop=(stop,) if isinstance(stop, str) else tuple(stop),
            ignore_eos=ignore_eos,
            sampling=SamplingParams(**sampling),
        )

    def sequence(self, request: Request, *, n_cached: int = 0) -> Sequence:
        """A sequence ready to run. Raises ContextError, UsageError."""
        return Sequence(
            request,
            tokenizer=self.tokenizer,
            config=self.config,
            context_length=self.context_length,
            n_cached=n_cached,
        )
