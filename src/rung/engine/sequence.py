"""Sequence: one request on its way through the model, and what comes out of it.

Shapes: V vocabulary.
"""

from __future__ import annotations

import time
from collections.abc import Sequence as Ids
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rung.engine.batch import Choice
from rung.engine.params import SamplingParams
from rung.engine.sampling import Sampler
from rung.engine.stopping import StopText
from rung.errors import ContextError, UsageError
from rung.models.config import Config
from rung.tokenizers.base import TextStream, Tokenizer

FinishReason = Literal["stop", "end_of_text", "length", "context", "interrupted"]
"""Why a text ended: at a stop string, by the model's choice, at max_tokens, because the context is
full, or because the caller closed it."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to generate.

    prompt: token ids, BOS included where the model wants one.
    max_tokens: most tokens to generate; 0 only reads the prompt; None goes on until the model ends
        the text or the context is full.
    stop: strings at which the text is cut.
    ignore_eos: carry on where the model would end the text.

    Raises UsageError for values outside their range.
    """

    prompt: tuple[int, ...]
    max_tokens: int | None = None
    sampling: SamplingParams = field(default_factory=SamplingParams)
    stop: tuple[str, ...] = ()
    ignore_eos: bool = False

    def __post_init__(self) -> None:
        if not self.prompt:
            raise UsageError("the prompt has no tokens, and this model has no BOS to begin with")
        if self.max_tokens is not None and (
            not isinstance(self.max_tokens, int) or self.max_tokens < 0
        ):
            raise UsageError(
                f"max_tokens is {self.max_tokens}, expected a whole number from 0 on, or None"
            )


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a text cost, in tokens and seconds of model time (the reader's own time left out).

    prompt_tokens: ids of the prompt; cached_tokens: those of them that the cache already held.
    generated_tokens: tokens sampled, one that ended the text included.
    prompt_s: time in steps that read the prompt; decode_s: in steps that read a generated token. In
        a batch every sequence counts the whole step. Where a device runs ahead, the reader's time
        between tokens counts, too: the device works meanwhile.
    time_to_first_token_s: from the request to its first token, waiting included; None before it.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    prompt_s: float = 0.0
    decode_s: float = 0.0
    time_to_first_token_s: float | None = None

    @property
    def prompt_tokens_per_s(self) -> float:
        """Prompt tokens read a second; 0 where there was nothing to measure."""
        return _rate(self.prompt_tokens - self.cached_tokens, self.prompt_s)

    @property
    def decode_tokens_per_s(self) -> float:
        """Tokens generated a second after the first, which comes from the prompt's last step."""
        return _rate(self.generated_tokens - 1, self.decode_s)


def _rate(count: int, seconds: float) -> float:
    return count / seconds if count > 0 and seconds > 0 else 0.0


@dataclass(frozen=True, kw_only=True)
class Completion:
    """A finished text.

    text: what was generated, without the prompt, cut before a stop string.
    tokens: the ids generated, without the token that ended the text.
    seed: the one that gives this text again.
    """

    text: str
    tokens: list[int]
    finish_reason: FinishReason
    usage: Usage
    seed: int


class Sequence:
    """The state of one request: its ids, how many the cache holds, and the text so far.

    `pending` are the ids to run next. `advance` says that some of them ran; `accept` takes the
    logits of the last one and adds a token.
    """

    def __init__(
        self,
        request: Request,
        *,
        tokenizer: Tokenizer,
        config: Config,
        context_length: int,
        n_cached: int = 0,
    ) -> None:
        """The first `n_cached` ids of the prompt are in the cache already (fewer than all).

        Raises ContextError for a prompt longer than `context_length`, and UsageError for ids that
        the model does not have.
        """
        self.ids = list(request.prompt)
        check_ids(self.ids, config.vocab_size, context_length)
        self.n_cached = n_cached
        self.finish_reason: FinishReason | None = None
        self._request = request
        self._n_prompt = len(request.prompt)
        self._n_reused = n_cached
        self._context_length = context_length
        self._end_ids = frozenset() if request.ignore_eos else end_ids(tokenizer, config)
        self._n_generated = 0
        self._sampler = Sampler(request.sampling)
        self._stream = TextStream(tokenizer, context=request.prompt)
        self._stops = StopText(request.stop)
        self._pieces: list[str] = []
        self._start = time.perf_counter()
        self._first_token_s: float | None = None
        self._prompt_s = 0.0
        self._decode_s = 0.0

    @property
    def pending(self) -> list[int]:
        """Ids that the model must still read: of the prompt, or the last token."""
        return self.ids[self.n_cached :]

    @property
    def wants_logits(self) -> bool:
        """Whether a token is to be sampled after the prompt."""
        return self._request.max_tokens != 0

    @property
    def most_left(self) -> int:
        """The most tokens that can still be sampled."""
        room = self._context_length + 1 - len(self.ids)
        most = self._request.max_tokens
        return room if most is None else min(room, most - self._n_generated)

    @property
    def text(self) -> str:
        """The text so far; what is held back joins it when the sequence ends."""
        return "".join(self._pieces)

    @property
    def tokens(self) -> list[int]:
        """The ids generated so far, without the token that ended the text."""
        return self.ids[self._n_prompt :]

    @property
    def seed(self) -> int:
        """The seed in use."""
        return self._sampler.seed

    @property
    def usage(self) -> Usage:
        """The costs so far."""
        return Usage(
            prompt_tokens=self._n_prompt,
            cached_tokens=self._n_reused,
            generated_tokens=self._n_generated,
            prompt_s=self._prompt_s,
            decode_s=self._decode_s,
            time_to_first_token_s=self._first_token_s,
        )

    def advance(self, n_tokens: int, seconds: float) -> None:
        """Counts `n_tokens` pending ids as read, in a step of this many seconds."""
        if self._n_generated:
            self._decode_s += seconds
        else:
            self._prompt_s += seconds
        self.n_cached += n_tokens
        if not self.wants_logits and not self.pending:
            self._finish("length")

    def accept(self, logits_V: NDArray[np.float32]) -> str:
        """Samples the next token; the text that it completes, which may be empty."""
        return self._add(self._sampler.sample(logits_V, self.ids))

    def choice(self, n_tokens: int) -> Choice | None:
        """How a device chooses the next tokens; None where they must be sampled from logits."""
        return self._sampler.choice(n_tokens)

    def accept_id(self, token: int) -> str:
        """Adds a token that a device took by `choice`; the text that it completes."""
        self._sampler.skip()
        return self._add(token)

    def _add(self, token: int) -> str:
        self._n_generated += 1
        if self._first_token_s is None:
            self._first_token_s = time.perf_counter() - self._start
        if token in self._end_ids:
            return self._finish("end_of_text")
        self.ids.append(token)
        text = self._emit(self._stream.push(token))
        if self._stops.stopped:
            return text + self._finish("stop")
        if self._n_generated == self._request.max_tokens:
            return text + self._finish("length")
        if len(self.ids) > self._context_length:
            return text + self._finish("context")
        return text

    def interrupt(self) -> str:
        """Ends the sequence here, unless it has ended; the text that was held back."""
        return self._finish("interrupted")

    def completion(self) -> Completion:
        """The result of a sequence that has ended."""
        assert self.finish_reason is not None, "the sequence has not ended"
        return Completion(
            text=self.text,
            tokens=self.tokens,
            finish_reason=self.finish_reason,
            usage=self.usage,
            seed=self.seed,
        )

    def _finish(self, reason: FinishReason) -> str:
        if self.finish_reason is not None:
            return ""
        self.finish_reason = reason
        # The rest of a character may complete a stop string; what that holds back is then free.
        text = self._emit(self._stream.flush())
        held = self._stops.flush()
        self._pieces.append(held)
        return text + held

    def _emit(self, text: str) -> str:
        text = self._stops.push(text)
        self._pieces.append(text)
        return text


def end_ids(tokenizer: Tokenizer, config: Config) -> frozenset[int]:
    """The ids that end a text: EOS, and BOS, which begins the next one."""
    bos = {token for token in (tokenizer.bos_id, config.bos_id) if token is not None}
    return frozenset(tokenizer.eos_ids) | frozenset(config.eos_ids) | bos


def check_ids(ids: Ids[int], vocab_size: int, context_length: int) -> None:
    """Raises ContextError for more ids than the context holds, UsageError for unknown ids."""
    if len(ids) > context_length:
        raise ContextError(
            f"the prompt has {len(ids)} tokens, but the context holds {context_length}; "
            "shorten it, or load the model with a longer context if it has one"
        )
    for index, token in enumerate(ids):
        if not 0 <= token < vocab_size:
            raise UsageError(
                f"token {index} of the prompt is {token}, expected an id from 0 to {vocab_size - 1}"
            )
