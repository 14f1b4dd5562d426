"""Chat: a conversation with a model, what is kept of it, and how it is saved.

The tokens of an answer are kept as they were generated, never encoded again from their text, so the
cache of a session holds the whole conversation so far.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Unpack

from rung.closing import Closing
from rung.engine.generate import Generation
from rung.engine.options import GenerateOptions, Prompts
from rung.engine.session import Session
from rung.engine.templates import LLAMA2, ChatTemplate, PastTurn
from rung.errors import ContextError, FormatError, UsageError
from rung.formats.files import opened, replacing

# Room kept free for the answer when old turns are dropped, as a fraction of the context.
_ANSWER_SHARE = 4
_MAX_FILE_BYTES = 1 << 26


class Answer(Protocol):
    """What an assistant said, or is saying."""

    @property
    def text(self) -> str:
        """The text so far."""
        ...

    @property
    def tokens(self) -> list[int]:
        """Its ids."""
        ...

    def close(self) -> None:
        """Ends it here."""
        ...


@dataclass(frozen=True)
class SavedAnswer:
    """An answer that was not generated here, such as one from a file."""

    text: str
    tokens: list[int]

    def close(self) -> None:
        """Nothing: it is over."""


@dataclass
class Turn:
    """A question and its answer, which may still be in the making or have been interrupted."""

    user: str
    answer: Answer


class Chat(Closing):
    """A conversation with one model: `ask`, and iterate over the answer.

    It holds a slot of the model until `close()`, which a `with` block calls, or until neither it
    nor an answer is referred to. When the context has no room for another turn, the oldest turns
    are dropped (`n_dropped` counts them); the system prompt stays.

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

    def close(self) -> None:
        """Ends an answer in the making and gives the slot back; asked again, it reads all anew."""
        self._session.close()

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

    def messages(self) -> list[dict[str, str]]:
        """The conversation as a list of {"role": …, "content": …}, the system prompt first."""
        messages = [{"role": "system", "content": self.system}] if self.system else []
        for turn in self.turns:
            messages.append({"role": "user", "content": turn.user})
            messages.append({"role": "assistant", "content": turn.answer.text})
        return messages

    def restore(self, messages: Sequence[Mapping[str, str]]) -> None:
        """Makes the conversation what `messages` says, as `messages()` gives it.

        Raises UsageError where users and assistants do not take turns.
        """
        system, pairs = _paired(messages)
        encode = self._prompts.tokenizer.encode
        joined = self._prompts.tokenizer.joins
        turns = [
            Turn(user, SavedAnswer(text, encode(text, bos=False, joined=joined)))
            for user, text in pairs
        ]
        self.reset()
        self.system = system
        self.turns = turns

    def save(self, path: str | Path) -> None:
        """Writes the conversation to a JSON file, which is replaced as a whole or not at all."""
        content = {"rung_chat": 1, "messages": self.messages()}
        text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
        with replacing(Path(path)) as file:
            file.write(text.encode("utf-8", "replace"))

    def load(self, path: str | Path) -> None:
        """Makes the conversation the one that was saved at `path`.

        Raises FormatError for a file that `save` did not write.
        """
        self.restore(_read_messages(Path(path)))

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
        past = [PastTurn(turn.user, turn.answer.text, turn.answer.tokens) for turn in turns]
        return self.template.prompt(self._prompts.tokenizer, past, user, system=self.system)


def _paired(messages: Sequence[Mapping[str, str]]) -> tuple[str | None, list[tuple[str, str]]]:
    """The system prompt, and what was said in each turn."""
    system = None
    said = list(messages)
    if said and said[0]["role"] == "system":
        system = said.pop(0)["content"]
    roles = [message["role"] for message in said]
    if len(said) % 2 or roles != ["user", "assistant"] * (len(said) // 2):
        raise UsageError(
            "the messages of a conversation are one of the role system, where there is one, then "
            f"user and assistant in turns; found {', '.join(roles) or 'none'}"
        )
    texts = [message["content"] for message in said]
    return system, list(zip(texts[::2], texts[1::2], strict=True))


def _read_messages(path: Path) -> list[dict[str, str]]:
    expected = "a conversation that /save wrote"
    with opened(path, expected) as file:
        data = file.read(_MAX_FILE_BYTES + 1)
    if len(data) > _MAX_FILE_BYTES:
        raise FormatError(path, "size", f"over {_MAX_FILE_BYTES:,} bytes", expected)
    try:
        content: Any = json.loads(data)
    except (ValueError, RecursionError):
        raise FormatError(path, "content", "not JSON", expected) from None
    if not isinstance(content, dict) or content.get("rung_chat") != 1:
        raise FormatError(path, "rung_chat", "missing or another version", "1")
    messages = content.get("messages")
    if not isinstance(messages, list) or not all(map(_is_message, messages)):
        raise FormatError(path, "messages", "something else", "a list of roles and contents")
    return messages


def _is_message(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(value.get(key), str) for key in ("role", "content")
    )
