"""Chat templates as text: those that come with Rung, and rendering any of them within limits."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from rung.errors import RungError, UsageError

_HERE = Path(__file__).parent
_FOLDER = _HERE / "templates"
_START_S = 60.0
_MAX_TEMPLATE = 1 << 20


class TemplateError(RungError):
    """A chat template that is wrong, or takes more than it may."""


class TemplateRefusedError(TemplateError):
    """A conversation of a form that the chat template does not know, as it says itself."""


@cache
def builtin_templates() -> Mapping[str, str]:
    """The templates that come with Rung, by name."""
    found = sorted(_FOLDER.glob("*.jinja"))
    return {path.stem: path.read_text(encoding="utf-8") for path in found}


def read_template(choice: str) -> str:
    """The template named `choice`: one that comes with Rung, or a file. Raises UsageError."""
    if choice in builtin_templates():
        return builtin_templates()[choice]
    path = Path(choice)
    if not path.is_file():
        names = ", ".join(builtin_templates())
        raise UsageError(f"there is no chat template {choice!r}: name a file, or one of {names}")
    try:
        text = path.read_bytes()[: _MAX_TEMPLATE + 1].decode()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text, so it is no chat template") from None
    return text


class Renderer:
    """Renders one template, in a process of its own that is started when it is first needed.

    A rendering may take `timeout_s` seconds, 1 GiB of memory (where the system can limit it) and
    `most` characters of text; what takes more is one TemplateError, and the process is ended.
    """

    def __init__(
        self, source: str, *, name: str, timeout_s: float = 5.0, most: int = 1 << 23
    ) -> None:
        """`name` is what errors call the template."""
        if len(source) > _MAX_TEMPLATE:
            raise TemplateError(f"{name} has over {_MAX_TEMPLATE:,} characters")
        self._source = source
        self._name = name
        self._timeout_s = timeout_s
        self._most = most
        self._worker: _Worker | None = None

    def render(self, variables: Mapping[str, Any]) -> str:
        """The text. Raises TemplateRefusedError, or TemplateError saying what is wrong."""
        request = {"template": self._source, "variables": dict(variables), "most": self._most}
        # Kept only once it has answered: an interrupted one may answer later, to another question.
        worker, self._worker = self._worker or _Worker(), None
        answer = worker.ask(request, self._timeout_s)
        if answer is None:
            raise TemplateError(
                f"{self._name} was stopped: it took more than {self._timeout_s:g} s or more memory "
                "than it may; name another with --chat-template"
            )
        self._worker = worker
        if "text" in answer:
            return str(answer["text"])
        raise self._error(answer)

    def _error(self, answer: Mapping[str, Any]) -> TemplateError:
        message = " ".join(str(answer.get("message", "")).split())[:300]
        kind = answer.get("error")
        if kind == "refused":
            return TemplateRefusedError(f"{self._name} refuses this conversation: {message}")
        if kind == "size":
            return TemplateError(
                f"{self._name} makes more than {self._most:,} characters of this conversation"
            )
        if kind == "memory":
            return TemplateError(f"{self._name} needs more memory than it may take")
        return TemplateError(f"{self._name} is wrong: {message}")


class _Worker:
    """A process of template_worker.py, ended when the object goes."""

    def __init__(self) -> None:
        _require_jinja()
        self._process = subprocess.Popen(
            # -P: the modules beside the script are not for it.
            [sys.executable, "-P", str(_HERE / "template_worker.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="ascii",
        )
        self._end = weakref.finalize(self, _end, self._process)
        if self._read(_START_S) is None:
            raise RungError("the process that renders chat templates does not start")

    def ask(self, request: Mapping[str, Any], timeout_s: float) -> dict[str, Any] | None:
        """The answer; None where there was none in time, and then the process is gone."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except OSError:
            self._end()
            return None
        return self._read(timeout_s)

    def _read(self, timeout_s: float) -> dict[str, Any] | None:
        assert self._process.stdout is not None
        deadline = threading.Timer(timeout_s, self._process.kill)
        deadline.start()
        try:
            line = self._process.stdout.readline()
        finally:
            deadline.cancel()
        if not line.endswith("\n"):
            self._end()
            return None
        answer: dict[str, Any] = json.loads(line)
        return answer


def _require_jinja() -> None:
    from importlib.util import find_spec

    if find_spec("jinja2") is None:
        raise RungError("chat templates need the package jinja2; pip install jinja2")


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            try:
                stream.close()
            except OSError:  # what was still to be written has nowhere to go
                continue
