"""Read and write Rung's own model files: safetensors holding any storage type, i8 among them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from rung.errors import FormatError, UsageError
from rung.formats.base import Checkpoint
from rung.formats.files import replacing
from rung.formats.finite import check_loaded
from rung.formats.native.layout import (
    all_planes,
    pack_head,
    parse_metadata,
    plane_entries,
    recognises,
)
from rung.formats.planes import aligned
from rung.formats.safetensors_file import SafetensorsFile, open_safetensors
from rung.formats.writing import Progress, check_weights, converted
from rung.models.config import weight_shapes
from rung.storage import F32, Array, StorageType, StoredTensor, storage_type

__all__ = ["read", "recognises", "write"]


def read(path: str | Path, *, check: bool = True) -> Checkpoint:
    """The model at `path`, its weights read-only views of the mapped file.

    Raises FormatError for a file that is missing, unreadable, damaged, or whose tensors are not
    those that its Config needs.
    """
    path = Path(path)
    file = open_safetensors(path)
    config, types = parse_metadata(path, file.metadata)
    # Counted first: a Config may claim a thousand layers, and claims must cost nothing.
    if config.n_layers > len(file.tensors):
        raise FormatError(path, "tensors", len(file.tensors), f"{config.n_layers} layers of them")
    shapes = weight_shapes(config)
    if unknown := sorted(types.keys() - shapes.keys()):
        raise FormatError(path, "rung.types", repr(unknown[0]), "a weight that the model has")
    weights = {name: _weight(file, name, types, shape) for name, shape in shapes.items()}
    label = f"Rung safetensors ({_matrix_types(weights)})"
    checkpoint = Checkpoint(path, label, config, weights)
    check_loaded(checkpoint, size_bytes=file.size_bytes, matrices=check)
    return checkpoint


def _weight(
    file: SafetensorsFile, name: str, types: Mapping[str, StorageType], shape: tuple[int, ...]
) -> StoredTensor:
    kind = types.get(name)
    if kind is None:
        raise FormatError(file.path, name, "without a storage type", "one in rung.types")
    try:
        full_shapes = kind.plane_shapes(shape)
    except ValueError as error:
        raise FormatError(file.path, name, f"{kind.name} ({error})", "a type that fits") from None
    planes: list[Array] = []
    entries = plane_entries(name, kind, shape)
    for entry, plane, full in zip(entries, kind.planes, full_shapes, strict=True):
        tensor = file.tensors.get(entry.name)
        found = "missing" if tensor is None else f"{tensor.dtype} {list(tensor.shape)}"
        if tensor is None or (tensor.dtype, tensor.shape) != (entry.dtype, entry.shape):
            raise FormatError(file.path, entry.name, found, f"{entry.dtype} {list(entry.shape)}")
        planes.append(aligned(tensor.data.view(plane.dtype).reshape(full)))
    return StoredTensor(kind, shape, tuple(planes))


def _matrix_types(weights: Mapping[str, StoredTensor]) -> str:
    names = dict.fromkeys(w.type.name for w in weights.values() if len(w.shape) > 1)
    return ", ".join(names)


def write(
    path: str | Path,
    checkpoint: Checkpoint,
    *,
    kind: str | None = None,
    progress: Progress | None = None,
) -> None:
    """Write `checkpoint` to `path` with its matrices in storage type `kind`; None keeps theirs.

    Vectors stay as they are, and so does a learned table of positions where `kind` is quantised: it
    is added, not multiplied, and small. The file appears under its name only when it is whole.
    Raises UsageError for an unknown type or rows that do not fit it, FormatError for a weight that
    is not finite, RungError where the file cannot be written.
    """
    path = Path(path)
    config = checkpoint.config
    shapes = weight_shapes(config)
    check_weights(checkpoint, shapes)
    types = {name: _target(checkpoint, name, kind) for name in shapes}
    head = pack_head(config, types)
    total_bytes = len(head) + sum(entry.size_bytes for entry in all_planes(config, types))
    with replacing(path) as file:
        file.write(head)
        for name, target in types.items():
            # Values come first, all of them; the other planes, a small part, wait for their turn.
            waiting: list[list[Array]] = [[] for _ in target.planes[1:]]
            for rows in converted(checkpoint, name, target):
                values, *others = rows.planes
                file.write(np.ascontiguousarray(values).data)
                for queue, array in zip(waiting, others, strict=True):
                    queue.append(array)
                if progress is not None:
                    progress(file.tell(), total_bytes)
            for array in (array for queue in waiting for array in queue):
                file.write(np.ascontiguousarray(array).data)
        if progress is not None:
            progress(file.tell(), total_bytes)


def _target(checkpoint: Checkpoint, name: str, kind: str | None) -> StorageType:
    """The storage type that a weight is written in."""
    weight = checkpoint.weights[name]
    if kind is None or len(weight.shape) == 1:
        return weight.type if len(weight.shape) > 1 else F32
    try:
        target = storage_type(kind)
    except KeyError as error:
        raise UsageError(str(error.args[0])) from None
    if name == "position_embd.weight" and not target.is_plain:
        return weight.type
    try:
        target.plane_shapes(weight.shape)
    except ValueError as error:
        raise UsageError(f"{name} cannot be {kind}: {error}; choose another --type") from None
    return target
