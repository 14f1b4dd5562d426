"""Read a Hugging Face folder: config.json, safetensors in one file or in shards, mapped."""

from __future__ import annotations

from pathlib import Path

from rung.errors import FormatError
from rung.formats.base import Checkpoint
from rung.formats.finite import check_loaded
from rung.formats.huggingface.config import CONFIG_FILE, read_config
from rung.formats.huggingface.weights import Entry, build_weights
from rung.formats.json_fields import Fields, read_object
from rung.formats.safetensors_file import open_safetensors

__all__ = ["CONFIG_FILE", "INDEX_FILE", "WEIGHTS_FILE", "read"]

WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"


def read(folder: str | Path) -> Checkpoint:
    """The checkpoint in a folder as `save_pretrained` writes it; its path is the folder.

    Matrices are views of the mapped files in their own type; vectors are widened to float32. Only
    GPT-2's matrices, which its files hold transposed, are copied. Raises FormatError that names
    what is missing, damaged, or of a family or option that is not supported.
    """
    folder = Path(folder)
    described = read_config(folder)
    files = _weight_files(folder)
    entries = _entries(folder, files)
    weights = build_weights(folder, described.config, described.names, entries)
    types = sorted({entry.tensor.dtype.lower() for entry in entries.values()})
    shards = f"{len(files)} shards, " if len(files) > 1 else ""
    label = f"Hugging Face ({described.architecture}, {shards}{', '.join(types)})"
    checkpoint = Checkpoint(folder, label, described.config, weights)
    check_loaded(checkpoint, size_bytes=checkpoint.size_bytes)
    return checkpoint


def _weight_files(folder: Path) -> dict[str, set[str] | None]:
    """File names, with the tensors that the index says they hold (None where there is none)."""
    if (folder / WEIGHTS_FILE).exists():
        return {WEIGHTS_FILE: None}
    path = folder / INDEX_FILE
    if not path.exists():
        found = "missing"
        if others := sorted(p.name for p in folder.glob("pytorch_model*.bin")):
            found += f" (there is {others[0]}, a pickle)"
        raise FormatError(folder, WEIGHTS_FILE, found, f"that file, or {INDEX_FILE} and its shards")
    weight_map = read_object(path, "an index of shards").object("weight_map")
    files: dict[str, set[str] | None] = {}
    for tensor in weight_map:
        tensors = files.setdefault(_shard_name(weight_map, tensor), set())
        assert tensors is not None
        tensors.add(tensor)
    if not files:
        raise FormatError(path, "weight_map", "empty", "the shard of each tensor")
    return files


def _shard_name(weight_map: Fields, tensor: str) -> str:
    """A shard's file name; one that leads out of the folder is refused."""
    name = weight_map.text(tensor)
    if not name.endswith(".safetensors") or "/" in name or "\\" in name or "\0" in name:
        raise weight_map.refuse(tensor, "a .safetensors file in the same folder")
    return name


def _entries(folder: Path, files: dict[str, set[str] | None]) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for name, tensors in files.items():
        path = folder / name
        found = open_safetensors(path).tensors
        if tensors is not None and (missing := sorted(tensors - found.keys())):
            raise FormatError(path, missing[0], "missing", f"here, as {INDEX_FILE} says")
        entries |= {theirs: Entry(path, theirs, tensor) for theirs, tensor in found.items()}
    return entries
