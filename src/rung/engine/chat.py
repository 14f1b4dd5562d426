"""Chat: a conversation as token ids, in the form that a model was trained on.

A template writes one turn at a time. The tokens of an answer are kept as they were generated, never
encoded again from their text, so the cache of a session holds the whole conversation so far.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Unpack

from rung.engine.generate import Generation
from rung.engine.options import GenerateOptions, Prompts
from rung.engine.session import Session
from rung.errors import ContextError
from rung.tokenizers.base import Tokenizer

# Room kept free for the answer when old turns are dropped, as a fraction of the context.
_ANSWER_SHARE = 4


class ChatTemplate(ABC):
    """How a model was taught to read a conversation; stateless.

    A turn is the ids of `open_turn`, the answer's own tokens, then the ids of `close_turn`.
    """

    name: str
    stop: tuple[str, ...] = ()
    """Strings that end an answer, besides the model's end-of-text tokens."""

    @abstractmethod
    def open_turn(self, tokenizer: Tokenizer, user: str, *, system: str | None) -> list[int]:
        """Ids up to where the answer begins; `system` is given in the first turn only."""

    @abstractmethod
    def close_turn(self, tokenizer: Tokenizer) -> list[int]:
        """Ids that follow an answer."""


class Llama2Template(ChatTemplate):
    """BOS [INST] <<SYS>>⏎system⏎<</SYS>>⏎⏎user [/INST] answer EOS.

    The form of Llama 2 chat models, of llama2.c, and of the built-in model.
    """

    name = "llama2"

    def open_turn(self, tokenizer: Tokenizer, user: str, *, system: str | None) -> list[int]:
        """Ids of BOS and the instruction."""
        if system:
            user = f"<<SYS>>\n{system}\n<</SYS>>\n\n{user}"
        return tokenizer.encode(f"[INST] {user} [/INST]")

    def close_turn(self, tokenizer: Tokenizer) -> list[int]:
        """EOS."""
        return sorted(tokenizer.eos_ids)[:1]


LLAMA2 = Llama2Template()


@dataclass
class Turn:
    """A question and its answer, which may still be in the making or have been interrupted."""

    user: str
    answer: Generation


class Chat:
    """A conversation with one model: `ask`, and iterate over the answer.

    When the context has no room for another turn, the oldest turns are dropped (`n_dropped` counts
    them); the system prompt stays.

    >>> chat = model.chat(system="Answer in one sentence.")
    >>> print(chat.ask("Who was Lily?").complete().text)
    """

    def __init__(
        self,
        session: Session,
        prompts: Prompts,
        *,
        template: ChatTemplate = LLAMA2,
        system: str | None = None,
    ) -> None:
        self.template = template
        self.system = system
        self.turns: list[Turn] = []
        self.n_dropped = 0
        self._session = session
        self._prompts = prompts

    def ask(self, user: str, **options: Unpack[GenerateOptions]) -> Generation:
        """The answer to `user`, as `Model.generate`; an answer still running ends where it is.

        `stop` replaces the template's stop strings.
        Raises ContextError where this turn alone does not fit the context.
        """
        for turn in self.turns[-1:]:
            turn.answer.close()
        turns, ids = self._fit(user)
        options.setdefault("stop", self.template.stop)
        answer = self._session.generate(ids, **options)
        # Only now: a request that was refused leaves the conversation as it was.
        self.n_dropped += len(self.turns) - len(turns)
        self.turns = [*turns, Turn(user, answer)]
        return answer

    def undo(self) -> str | None:
        """Forgets the last turn, and returns what the user said in it; None where there is none."""
        if not self.turns:
            return None
        turn = self.turns.pop()
        turn.answer.close()
        return turn.user

    def reset(self) -> None:
        """Forgets all turns; the system prompt stays."""
        while self.turns:
            self.undo()

    def _fit(self, user: str) -> tuple[list[Turn], list[int]]:
        """The turns that stay and the ids of the prompt, with room for an answer."""
        context_length = self._prompts.context_length
        turns = self.turns
        while True:
            ids = self._ids(turns, user)
            if len(ids) <= context_length - context_length // _ANSWER_SHARE:
                return turns, ids
            if not turns:
                break
            turns = turns[1:]
        if len(ids) > context_length:
            raise ContextError(
                f"this message needs {len(ids)} tokens, but the context holds {context_length}; "
                "shorten it or the system prompt"
            )
        return turns, ids

    def _ids(self, turns: list[Turn], user: str) -> list[int]:
        """The ids of a conversation up to where the next answer begins."""
        tokenizer = self._prompts.tokenizer
        ids: list[int] = []
        system = self.system
        for turn in turns:
            ids += self.template.open_turn(tokenizer, turn.user, system=system)
            ids += turn.answer.tokens
            ids += self.template.close_turn(tokenizer)
            system = None
        return ids + self.template.open_turn(tokenizer, user, system=system)
