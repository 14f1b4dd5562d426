"""The command line's streams: results go to stdout, everything said about them to stderr."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

from rung.errors import UsageError

STANDARD_INPUT = "-"


def open_missing() -> None:
    """Sends results and notes nowhere where the caller closed a stream, as `>&-` does."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


def use_utf8() -> None:
    """Makes the streams UTF-8 with bare newlines, so that output has the same bytes anywhere."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace", newline="\n")
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")


def write(text: str) -> None:
    """Writes a piece of a result and shows it at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


def note(text: str = "") -> None:
    """Says something beside the result."""
    print(text, file=sys.stderr, flush=True)


def read_prompt(prompt: str | None, file: str | None) -> str:
    """The prompt from --prompt, --file, or stdin where something is piped in; else empty.

    "-" is stdin for both. One newline at the end of a file or stdin is dropped, for editors and
    `echo` add it. Raises UsageError for both at once, and text that cannot be read or is not UTF-8.
    """
    if prompt is not None and file is not None:
        raise UsageError("--prompt and --file are both given; choose one")
    if prompt is not None and prompt != STANDARD_INPUT:
        return _decode(os.fsencode(prompt), "--prompt")
    if file is not None and file != STANDARD_INPUT:
        return _without_newline(_decode(_read(Path(file)), file))
    if prompt is None and file is None and (sys.stdin is None or sys.stdin.isatty()):
        return ""
    return _without_newline(_decode(sys.stdin.buffer.read(), "stdin"))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the prompt: {path}: {error.strerror}") from None


def _decode(data: bytes, source: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"the prompt from {source} is not UTF-8 text: byte {error.start} is "
            f"0x{data[error.start]:02x}"
        ) from None


def _without_newline(text: str) -> str:
    if text.endswith("\r\n"):
        return text[:-2]
    return text.removesuffix("\n")
