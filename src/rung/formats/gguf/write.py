"""Write a GGUF file that llama.cpp loads, from any model, a few rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from rung.errors import UsageError
from rung.formats.base import Checkpoint
from rung.formats.files import replacing
from rung.formats.gguf.config import config_of
from rung.formats.gguf.describe import as_written, describe, frequency_tensors, rounded
from rung.formats.gguf.header import Metadata, parse_header
from rung.formats.gguf.pack import Planned, integer, pack_header, padding, text
from rung.formats.gguf.tensors import FileTensor, file_tensors
from rung.formats.gguf.types import TensorType, written_types
from rung.formats.gguf.vocabulary import special_tokens, vocabulary
from rung.formats.writing import Progress, check_expressible, check_weights, converted
from rung.models.config import weight_shapes
from rung.storage import Array, StorageType

# general.file_type, from gguf.constants.LlamaFileType.
_FILE_TYPES = {
    "f32": 0, "f16": 1, "q4_0": 2, "q8_0": 7, "q4_k": 14, "q5_k": 16, "q6_k": 18, "bf16": 32,
}  # fmt: skip
_QUANTIZATION_VERSION = 2
# What a row is stored as where it is not whole blocks: the first that fits.
_FALLBACKS = ("q8_0", "f16")
_TOKENIZERS = ("bos_id", "eos_ids")  # fields of Config that the tokenizer's keys say


def write(
    path: str | Path,
    checkpoint: Checkpoint,
    *,
    kind: str | None = None,
    progress: Progress | None = None,
) -> None:
    """Write `checkpoint` to `path` as GGUF, its matrices in the storage type named `kind`.

    Without `kind` every matrix keeps its type where GGUF has it, and is q8_0 where not. Rows that
    are not whole blocks of a type are q8_0, or f16. Norms, biases and learned positions are
    float32. The tokenizer is copied from a GGUF file, or made of the one beside the model. The
    file appears under its name only when it is whole. Raises UsageError for a model that GGUF
    cannot express or an unknown `kind`, FormatError for a weight that is missing, misshapen or
    not finite, RungError where the file cannot be written.
    """
    path = Path(path)
    if kind is not None and kind not in written_types():
        known = ", ".join(written_types())
        raise UsageError(f"GGUF has no type {kind}; choose one of {known}")
    model = as_written(checkpoint)
    check_weights(model, weight_shapes(model.config))
    layout = file_tensors(model.config)
    vectors = frequency_tensors(model.config)
    frequencies = [Planned(n, written_types()["f32"], v.shape) for n, v in vectors.items()]
    plan = [Planned(t.name, _type_of(t, model, kind), t.shape) for t in layout]
    head = pack_header(_metadata(model, kind), [*frequencies, *plan])
    total_bytes = len(head) + sum(p.size_bytes + padding(p.size_bytes) for p in plan + frequencies)
    _check_said(model, head, total_bytes)
    with replacing(path) as file:
        file.write(head)
        for values in vectors.values():
            file.write(values.tobytes() + bytes(padding(values.nbytes)))
        for tensor, planned in zip(layout, plan, strict=True):
            for rows in _rows(tensor, model, planned.type.storage_type):
                file.write(np.ascontiguousarray(rows).data)
                if progress is not None:
                    progress(file.tell(), total_bytes)
            file.write(bytes(padding(planned.size_bytes)))


def _rows(tensor: FileTensor, model: Checkpoint, kind: StorageType) -> Iterator[Array]:
    """The bytes of a tensor of the file, in order."""
    for name, _ in tensor.parts:
        for rows in converted(model, name, kind):
            yield from rows.planes  # one: every type that GGUF has is one plane


def _type_of(tensor: FileTensor, model: Checkpoint, kind: str | None) -> TensorType:
    """The type of a tensor of the file."""
    types = written_types()
    if len(tensor.shape) == 1 or tensor.name == "position_embd.weight":
        return types["f32"]
    if kind is None:
        # Weights that are stacked share a type: the most exact of theirs.
        stored_as = (model.weights[name].type for name, _ in tensor.parts)
        kind = max(stored_as, key=lambda stored_type: stored_type.bits).name
    for name in (kind, *_FALLBACKS):
        if name in types and tensor.shape[-1] % types[name].block == 0:
            return types[name]
    raise AssertionError("f16 fits any row")


def _metadata(model: Checkpoint, kind: str | None) -> dict[str, bytes]:
    source = model.metadata
    copied = {}
    if isinstance(source, Metadata):  # its name, authors, license …
        own = ("general.alignment", "general.file_type")
        copied = {k: source.raw(k) for k in source if k.startswith("general.") and k not in own}
    values = {
        "general.architecture": text(model.config.family),
        "general.type": text("model"),
        "general.name": text(model.path.stem),
        **copied,
        "general.quantization_version": integer(_QUANTIZATION_VERSION),
    }
    if kind is not None:
        values["general.file_type"] = integer(_FILE_TYPES[kind])
    return values | describe(model.config) | special_tokens(model.config) | vocabulary(model)


def _check_said(model: Checkpoint, head: bytes, size_bytes: int) -> None:
    """Raises UsageError for what of the Config a reader of `head` would not find.

    Numbers are compared as float32, as the file has them.
    """
    header = parse_header(model.path, memoryview(head), size_bytes=size_bytes)
    vectors = frequency_tensors(model.config)
    tensors = {info.name: info for info in header.tensors}
    found = config_of(model.path, header.metadata, tensors, vectors.__getitem__)
    check_expressible(
        replace(model, config=rounded(model.config)), rounded(found), "GGUF", unsaid=_TOKENIZERS
    )
