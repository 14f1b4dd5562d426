"""Model files: `open_checkpoint` finds out what a path is and reads it with the reader for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rung.errors import FormatError
from rung.formats import gguf, gptfast, hub, huggingface, llama2c, llmc, native
from rung.formats.base import Checkpoint
from rung.formats.files import read_head
from rung.formats.signatures import looks_like

__all__ = ["Checkpoint", "open_checkpoint"]

_HEAD_BYTES = 256  # enough for every format to know its own


@dataclass(frozen=True)
class Format:
    """A file format: how to know it by the first bytes, and how to read it."""

    name: str
    recognises: Callable[[bytes], bool]
    read: Callable[[Path], Checkpoint]


# Asked in this order; llama2.c comes last, for its v0 has no magic number.
FORMATS = (
    Format("GGUF", gguf.recognises, gguf.read),
    Format("Rung safetensors", native.recognises, native.read),
    Format("gpt-fast", gptfast.recognises, gptfast.read),
    Format("llm.c (v3, v5)", llmc.recognises, llmc.read),
    Format("llama2.c (v0, v1, v2)", llama2c.recognises, llama2c.read),
)


def open_checkpoint(path: str | Path) -> Checkpoint:
    """The model in the file or folder at `path`, its weights left in the mapped files.

    A path such as hf:owner/name is first downloaded from the Hugging Face hub (`formats.hub`).
    Raises FormatError for a file that is missing, unreadable, of no supported format, or
    damaged; the message says which and where. Raises RungError where a download fails.
    """
    path = hub.download(path) if hub.is_reference(path) else Path(path)
    if path.is_dir():
        return _open_folder(path)
    names = [*(f.name for f in FORMATS), "a Hugging Face folder"]
    supported = f"a checkpoint of a supported format: {', '.join(names)}"
    head = read_head(path, _HEAD_BYTES, supported)
    for known in FORMATS:
        if known.recognises(head):
            return known.read(path)
    raise FormatError(path, "content", looks_like(head), supported)


def _open_folder(path: Path) -> Checkpoint:
    if (path / huggingface.CONFIG_FILE).is_file():
        return huggingface.read(path)
    trained = path / huggingface.WEIGHTS_FILE
    if trained.is_file() and native.recognises(read_head(trained, _HEAD_BYTES, "a model")):
        return native.read(trained)
    expected = (
        f"a model file, a Hugging Face folder with {huggingface.CONFIG_FILE}, or a folder of "
        f"rung train with {huggingface.WEIGHTS_FILE}"
    )
    raise FormatError(path, "path", "a folder", expected)
