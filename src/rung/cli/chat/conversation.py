"""A conversation at the terminal: lines in, commands, answers out."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rung.cli.interrupts import Interrupts
from rung.cli.streams import note, write
from rung.engine.chat import Chat
from rung.engine.generate import Generation
from rung.engine.params import SamplingOptions
from rung.errors import RungError

_PROMPT, _MORE = "> ", ". "
_QUOTES = '"""'


class _Command(NamedTuple):
    """A /command: what it does, for /help, and the method that does it."""

    help: str
    run: Callable[[Conversation, str], None]


class Conversation:
    """Reads turns and commands until the input ends, and writes the answers.

    At a terminal there is a prompt, and what cannot be done (a turn too long for the context, a
    file that cannot be read) is told; from a pipe it is an error that ends the conversation.
    """

    def __init__(self, chat: Chat, sampling: SamplingOptions, *, max_tokens: int) -> None:
        self._chat = chat
        self._sampling = sampling
        self._max_tokens = max_tokens
        self._n_asked = 0
        self._over = False
        self._interactive = sys.stdin.isatty()

    def run(self) -> None:
        """Holds the conversation. Ctrl-C and Ctrl-D at the prompt end it."""
        if self._interactive:
            with contextlib.suppress(ImportError):  # Windows has its own
                import readline  # noqa: F401  # gives input() line editing and history
            note("Say something; /help lists the commands, Ctrl-D ends the conversation.")
        while not self._over:
            try:
                text = self._read_turn()
            except (EOFError, KeyboardInterrupt):
                if self._interactive:
                    note()
                return
            try:
                self._handle(text)
            except RungError as error:
                if not self._interactive:
                    raise
                note(f"({error})")

    def _handle(self, text: str) -> None:
        if not text.strip():
            return
        if text.startswith("/"):
            self._command(text)
        else:
            self._ask(text)

    def _command(self, text: str) -> None:
        name, _, argument = text.strip().partition(" ")
        command = _COMMANDS.get(name)
        if command is None:
            note(f"{name} is no command; /help lists them")
        else:
            command.run(self, argument.strip())

    def _ask(self, text: str) -> None:
        n_dropped = self._chat.n_dropped
        answer = self._chat.ask(text, max_tokens=self._max_tokens, **self._next_sampling())
        self._n_asked += 1
        if dropped := self._chat.n_dropped - n_dropped:
            turns = "turn was" if dropped == 1 else f"{dropped} turns were"
            note(f"(the context is full: the oldest {turns} forgotten)")
        _write_answer(answer)
        self._explain_ending(answer)

    def _next_sampling(self) -> SamplingOptions:
        """Sampling of the next answer: with a seed of its own, so that /retry gives another."""
        seed = self._sampling.get("seed")
        return {**self._sampling, "seed": None if seed is None else seed + self._n_asked}

    def _explain_ending(self, answer: Generation) -> None:
        if answer.finish_reason == "length":
            note("(cut at --max-tokens)")
        elif answer.finish_reason == "context":
            note("(cut: the context is full)")
        elif answer.finish_reason == "interrupted":
            note("(stopped)")

    def _read_turn(self) -> str:
        """A line; or several, each but the last ending with a backslash, or all between quotes.

        Raises EOFError.
        """
        line = self._read_line(_PROMPT)
        if line.startswith(_QUOTES):
            return self._read_block(line.removeprefix(_QUOTES))
        lines = []
        while line.endswith("\\"):
            lines.append(line[:-1])
            line = self._read_line(_MORE)
        return "\n".join([*lines, line])

    def _read_block(self, line: str) -> str:
        """The lines up to one that ends with three double quotes, as they are."""
        lines = []
        while not line.rstrip().endswith(_QUOTES):
            lines.append(line)
            line = self._read_line(_MORE)
        return "\n".join([*lines, line.rstrip().removesuffix(_QUOTES)]).strip("\n")

    def _read_line(self, prompt: str) -> str:
        if self._interactive and sys.stdout.isatty():
            return input(prompt)
        if self._interactive:
            sys.stderr.write(prompt)
            sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line.rstrip("\r\n")

    def _help(self, _: str) -> None:
        width = max(map(len, _COMMANDS))
        for name, command in _COMMANDS.items():
            note(f"{name:<{width}}  {command.help}")

    def _quit(self, _: str) -> None:
        self._over = True

    def _reset(self, _: str) -> None:
        self._chat.reset()
        note("(a new conversation)")

    def _system(self, text: str) -> None:
        self._chat.reset()
        self._chat.system = text or None
        note("(a new conversation, with this system prompt)" if text else "(no system prompt)")

    def _undo(self, _: str) -> None:
        undone = self._chat.undo()
        note("(nothing to undo)" if undone is None else f"(forgotten: {undone})")

    def _save(self, name: str) -> None:
        if not name:
            note("(name a file: /save FILE)")
            return
        self._chat.save(Path(name).expanduser())
        note(f"(saved: {_turns(len(self._chat.turns))})")

    def _load(self, name: str) -> None:
        if not name:
            note("(name a file: /load FILE)")
            return
        self._chat.load(Path(name).expanduser())
        note(f"(loaded: {_turns(len(self._chat.turns))})")

    def _retry(self, _: str) -> None:
        undone = self._chat.undo()
        if undone is None:
            note("(nothing to retry)")
        else:
            self._ask(undone)


_COMMANDS = {
    "/help": _Command("list the commands", Conversation._help),
    "/reset": _Command("forget the conversation, keep the system prompt", Conversation._reset),
    "/system": _Command("begin anew with this system prompt (/system TEXT)", Conversation._system),
    "/undo": _Command("forget the last turn", Conversation._undo),
    "/retry": _Command("answer the last turn again", Conversation._retry),
    "/save": _Command("write the conversation to a JSON file (/save FILE)", Conversation._save),
    "/load": _Command("go on with a conversation that was saved (/load FILE)", Conversation._load),
    "/quit": _Command("end the conversation (also /exit, Ctrl-D)", Conversation._quit),
    "/exit": _Command("end the conversation", Conversation._quit),
}


def _turns(count: int) -> str:
    return "1 turn" if count == 1 else f"{count} turns"


def _write_answer(answer: Generation) -> None:
    """Writes an answer as it comes, without the space before it; Ctrl-C ends it."""
    n_shown = 0
    with Interrupts() as interrupts:
        while not answer.finished and not interrupts.requested:
            answer.step()
            text = answer.text.lstrip()
            write(text[n_shown:])
            n_shown = len(text)
        answer.close()
    write(answer.text.lstrip()[n_shown:] + "\n")
