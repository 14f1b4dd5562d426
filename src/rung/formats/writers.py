"""Every format that Rung writes: its name, the suffix that chooses it, the types it holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from rung.errors import UsageError
from rung.formats.base import Checkpoint
from rung.formats.writing import Progress

# The types that a matrix can be given anywhere; each format has those that it holds.
PLAIN_KINDS = ("f32", "f16", "bf16")
INT8_KIND = "i8"
BLOCK_KINDS = ("q8_0", "q4_0", "q4_k", "q5_k", "q6_k")


@dataclass(frozen=True)
class Writer:
    """A format to write.

    kinds: the values of `--type` that it holds, by the keyword arguments of `write` they mean; the
    first is taken without `--type`. suffix: the end of a file name that chooses it, "" for none.
    home: module whose `write(path, checkpoint, *, progress, …)` does it, imported when it does.
    """

    name: str
    home: str
    kinds: dict[str, dict[str, Any]]
    suffix: str = ""
    keeps_types: bool = False  # without `--type`, types stay as they are
    grouped: bool = False  # takes group_size

    def write(
        self,
        path: Path,
        checkpoint: Checkpoint,
        *,
        kind: str | None,
        group_size: int,
        progress: Progress,
    ) -> None:
        """Write `checkpoint` to `path` in storage type `kind`; raises as `home`'s `write` does."""
        options: dict[str, Any] = {}
        if kind is not None or not self.keeps_types:
            options |= self.kinds[kind or next(iter(self.kinds))]
        if self.grouped:
            options["group_size"] = group_size
        function: Callable[..., None] = import_module(self.home).write
        function(path, checkpoint, progress=progress, **options)


def _by_name(*kinds: str) -> dict[str, dict[str, Any]]:
    return {kind: {"kind": kind} for kind in kinds}


WRITERS = {
    writer.name: writer
    for writer in (
        Writer("llama2c-v0", "rung.formats.llama2c.write", {"f32": {"version": 0}}),
        Writer("llama2c-v1", "rung.formats.llama2c.write", {"f32": {"version": 1}}),
        Writer(
            "llama2c-v2", "rung.formats.llama2c.write", {"i8": {"version": 2}}, grouped=True
        ),
        Writer(
            "gguf",
            "rung.formats.gguf.write",
            _by_name(*PLAIN_KINDS, *BLOCK_KINDS),
            suffix=".gguf",
            keeps_types=True,
        ),
        Writer("llmc", "rung.formats.llmc.write", _by_name("f32", "bf16")),
        Writer("huggingface", "rung.formats.huggingface.write", _by_name(*PLAIN_KINDS)),
        Writer(
            "rung",
            "rung.formats.native",
            _by_name(*PLAIN_KINDS, INT8_KIND, *BLOCK_KINDS),
            suffix=".safetensors",
            keeps_types=True,
        ),
    )
}  # fmt: skip


def writer_for(path: Path, *, name: str | None = None, kind: str | None = None) -> Writer:
    """The writer of this name, or the one that the suffix of `path` and the type `kind` choose.

    Raises UsageError for an unknown name, and for a type that the format does not hold.
    """
    suffixes = {writer.suffix: name for name, writer in WRITERS.items() if writer.suffix}
    name = name or suffixes.get(path.suffix.lower())
    if name is None and path.suffix.lower() not in ("", ".bin"):
        known = ", ".join([".bin", *suffixes])
        raise UsageError(f"{path} names no format by its ending ({known}); use --to")
    if name is None:
        name = "llama2c-v1" if kind == "f32" else "llama2c-v2"
    if name not in WRITERS:
        raise UsageError(f"--to is {name!r}, expected one of {', '.join(WRITERS)}")
    writer = WRITERS[name]
    if kind is not None and kind not in writer.kinds:
        kinds = ", ".join(writer.kinds)
        raise UsageError(f"{name} does not hold {kind}, only {kinds}; give another --type or --to")
    return writer
