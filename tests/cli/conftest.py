"""Running the command line: in this process around a fake model, or as a user does."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from rung import cli
from rung.engine import model as model_module
from rung.engine.model import Model


class Result(NamedTuple):
    """What a command left behind."""

    exit_code: int
    out: str
    err: str


class _Stream(io.TextIOWrapper):
    """A stream in memory that may claim to be a terminal."""

    def __init__(self, data: bytes = b"", *, terminal: bool = False) -> None:
        super().__init__(io.BytesIO(data), encoding="utf-8", newline="\n", write_through=True)
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    def text(self) -> str:
        return self.buffer.getvalue().decode()


class CommandLine:
    """Calls `rung` in this process; `model` is what every command loads."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.loaded_with: dict[str, Any] = {}

    def use(self, model: Model, *, while_loading: Callable[..., None] | None = None) -> None:
        """Loads `model` whatever is asked for, after a call of on_compile's consumer."""

        def load(path: Any, **options: Any) -> Model:
            self.loaded_with = {"path": path, **options}
            if while_loading is not None:
                while_loading(options["on_compile"])
            return model

        self._monkeypatch.setattr(model_module, "load", load)

    def __call__(
        self, *arguments: object, stdin: str | bytes = b"", terminal: bool = False
    ) -> Result:
        """Runs a command; `terminal` makes stdin one."""
        data = stdin.encode() if isinstance(stdin, str) else stdin
        out, err = _Stream(), _Stream()
        self._monkeypatch.setattr(sys, "stdin", _Stream(data, terminal=terminal))
        self._monkeypatch.setattr(sys, "stdout", out)
        self._monkeypatch.setattr(sys, "stderr", err)
        self._monkeypatch.setattr(sys, "argv", ["rung", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        code = exit_.value.code
        return Result(code if isinstance(code, int) else 0, out.text(), err.text())


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """Ctrl-C as a terminal has it; where the tests run in the background it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def command_line(monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """`rung` in this process."""
    monkeypatch.setenv("COLUMNS", "100")
    return CommandLine(monkeypatch)


@pytest.fixture
def shell() -> Callable[..., Result]:
    """`rung` as a process of its own, with the environment changed as told."""

    def run(*arguments: object, stdin: bytes = b"", **environment: str) -> Result:
        done = subprocess.run(
            [sys.executable, "-m", "rung", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            env={**os.environ, **environment},
            timeout=300,
            check=False,
        )
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run
