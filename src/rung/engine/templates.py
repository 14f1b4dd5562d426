"""Chat templates: a conversation as token ids, in the form that a model was trained on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from rung.errors import UsageError
from rung.tokenizers.base import Tokenizer
from rung.tokenizers.rendering import (
    Renderer,
    TemplateRefusedError,
    builtin_templates,
    read_template,
)


@dataclass(frozen=True)
class PastTurn:
    """A question, and its answer as text and as the tokens that were generated."""

    user: str
    answer: str
    tokens: Sequence[int]


class ChatTemplate(ABC):
    """How a model was taught to read a conversation."""

    name: str
    stop: tuple[str, ...] = ()
    """Strings that end an answer, besides the model's end-of-text tokens."""

    @abstractmethod
    def prompt(
        self, tokenizer: Tokenizer, turns: Sequence[PastTurn], user: str, *, system: str | None
    ) -> list[int]:
        """Ids of the conversation up to where the answer to `user` begins."""


class TurnTemplate(ChatTemplate):
    """A template that writes one turn after the other, each without regard to the others.

    A turn is the ids of `open_turn`, the answer's own tokens, then the ids of `close_turn`.
    """

    @abstractmethod
    def open_turn(self, tokenizer: Tokenizer, user: str, *, system: str | None) -> list[int]:
        """Ids up to where the answer begins; `system` is given in the first turn only."""

    @abstractmethod
    def close_turn(self, tokenizer: Tokenizer) -> list[int]:
        """Ids that follow an answer."""

    def prompt(
        self, tokenizer: Tokenizer, turns: Sequence[PastTurn], user: str, *, system: str | None
    ) -> list[int]:
        """Ids of the turns and of the new one as far as it goes."""
        ids: list[int] = []
        for turn in turns:
            ids += self.open_turn(tokenizer, turn.user, system=system)
            ids += turn.tokens
            ids += self.close_turn(tokenizer)
            system = None
        return ids + self.open_turn(tokenizer, user, system=system)


class Llama2Template(TurnTemplate):
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


class JinjaTemplate(ChatTemplate):
    """A Jinja template, as model files carry them.

    The conversation is written as text, and what in it spells a special token becomes that token.
    An answer keeps the tokens that were generated where the template writes it as it was; where it
    does not (some leave out what a model thought before it answered), the text is encoded anew.

    A system prompt that the template has no place for is put before what the user says first.
    """

    def __init__(self, source: str, *, name: str, stop: tuple[str, ...] = ()) -> None:
        """`name` is what errors call the template."""
        self.name = name
        self.stop = stop
        self._renderer = Renderer(source, name=name)

    def prompt(
        self, tokenizer: Tokenizer, turns: Sequence[PastTurn], user: str, *, system: str | None
    ) -> list[int]:
        """Ids of the conversation. Raises TemplateError where the template fails or refuses."""
        text = self.text(tokenizer, turns, user, system=system)
        ids = self._spliced(tokenizer, turns, user, system, text)
        if ids is None:
            ids = tokenizer.encode(text, bos=False, special=True)
        if tokenizer.add_bos and tokenizer.bos_id is not None and ids[:1] != [tokenizer.bos_id]:
            return [tokenizer.bos_id, *ids]
        return ids

    def text(
        self, tokenizer: Tokenizer, turns: Sequence[PastTurn], user: str, *, system: str | None
    ) -> str:
        """The text of the conversation up to where the answer to `user` begins."""
        said = [(turn.user, turn.answer) for turn in turns]
        if not system:
            return self._render(tokenizer, _messages(said, user))
        try:
            text = self._render(tokenizer, _messages(said, user, system=system))
            if system.strip() in text:
                return text
        except TemplateRefusedError:
            pass  # the template says that it knows no such role
        first = said[0][0] if said else user
        folded = f"{system}\n\n{first}"
        if not said:
            return self._render(tokenizer, _messages(said, folded))
        return self._render(tokenizer, _messages([(folded, said[0][1]), *said[1:]], user))

    def _spliced(
        self,
        tokenizer: Tokenizer,
        turns: Sequence[PastTurn],
        user: str,
        system: str | None,
        text: str,
    ) -> list[int] | None:
        """The ids with the answers' own tokens in place, or None where that is not `text`."""
        if not turns:
            return None
        marks = [f"\ue000answer {index}\ue001" for index in range(len(turns))]
        marked = [PastTurn(t.user, mark, ()) for t, mark in zip(turns, marks, strict=True)]
        rest = self.text(tokenizer, marked, user, system=system)
        parts = []
        for mark in marks:
            part, found, rest = rest.partition(mark)
            if not found:
                return None
            parts.append(part)
        parts.append(rest)
        answers = [turn.answer for turn in turns]
        if _woven(parts, answers) != text:
            parts = _without_margins(parts, answers)
            if _woven(parts, answers) != text:
                return None
        ids = tokenizer.encode(parts[0], bos=False, special=True)
        for turn, part in zip(turns, parts[1:], strict=True):
            following = tokenizer.encode(part, bos=False, special=True, joined=tokenizer.joins)
            if part and not tokenizer.joins and following[0] not in tokenizer.special_ids:
                return None  # a space would be put where the text has none
            ids += [*turn.tokens, *following]
        return ids

    def _render(self, tokenizer: Tokenizer, messages: list[dict[str, str]]) -> str:
        return self._renderer.render(
            {
                "messages": messages,
                "add_generation_prompt": True,
                "bos_token": _spelled(tokenizer, tokenizer.bos_id),
                "eos_token": _spelled(tokenizer, tokenizer.eos_id),
                "tools": None,
                "documents": None,
            }
        )


def _messages(
    said: Sequence[tuple[str, str]], user: str, *, system: str | None = None
) -> list[dict[str, str]]:
    messages = [] if system is None else [{"role": "system", "content": system}]
    for question, answer in said:
        messages.append({"role": "user", "content": question})
        messages.append({"role": "assistant", "content": answer})
    return [*messages, {"role": "user", "content": user}]


def _woven(parts: Sequence[str], answers: Sequence[str]) -> str:
    pairs = zip(parts, [*answers, ""], strict=True)
    return "".join(part + answer for part, answer in pairs)


def _without_margins(parts: Sequence[str], answers: Sequence[str]) -> list[str]:
    """The parts around the answers, without white space that the answers have themselves.

    Templates that trim an answer often put a space of their own in its place.
    """
    trimmed = list(parts)
    for index, answer in enumerate(answers):
        before = answer[: len(answer) - len(answer.lstrip())]
        after = answer[len(answer.rstrip()) :]
        trimmed[index] = trimmed[index].removesuffix(before)
        trimmed[index + 1] = trimmed[index + 1].removeprefix(after)
    return trimmed


def _spelled(tokenizer: Tokenizer, token: int | None) -> str:
    # llama2.c spells its control tokens with line breaks around.
    return "" if token is None else tokenizer.piece(token).strip()


# What ends an answer in the templates that come with Rung, for vocabularies where it is no token.
_STOPS = {
    "chatml": ("<|im_end|>",),
    "gemma": ("<end_of_turn>",),
    "llama3": ("<|eot_id|>",),
    "phi3": ("<|end|>",),
}


def template_for(tokenizer: Tokenizer, choice: str | ChatTemplate | None = None) -> ChatTemplate:
    """The template to talk with a model: `choice`, or the model's own.

    choice: the name of a template that comes with Rung, a file, or a ChatTemplate.

    Raises UsageError where the model has none, or `choice` names none.
    """
    if isinstance(choice, ChatTemplate):
        return choice
    if choice is not None:
        return JinjaTemplate(
            read_template(choice),
            name=f"the chat template {choice}",
            stop=_STOPS.get(choice, ()),
        )
    if tokenizer.chat_template is not None:
        return JinjaTemplate(tokenizer.chat_template, name="the model's chat template")
    if tokenizer.default_template == LLAMA2.name:
        return LLAMA2
    names = ", ".join(builtin_templates())
    raise UsageError(
        "this model has no chat template, so it may not be made for chat; name one with "
        f"--chat-template ({names}, or a file)"
    )
