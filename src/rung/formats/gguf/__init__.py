"""Read a GGUF file, or the shards of one: header checked, weights left in the mapped files."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rung.errors import FormatError
from rung.formats.base import Checkpoint
from rung.formats.files import mapped
from rung.formats.finite import check_loaded, check_tensor
from rung.formats.gguf.config import config_of
from rung.formats.gguf.header import MAGIC, Header, Metadata, TensorInfo, parse_header
from rung.formats.gguf.tensors import FileTensor, file_tensors, is_weight
from rung.formats.planes import tensor_in
from rung.models.config import weight_shapes
from rung.storage import F32, Array, StorageType, StoredTensor, quantize, stored

_EXPECTED = "a GGUF file"
_SHARD = re.compile(r"(.*)-(\d{5})-of-(\d{5})\.gguf")
_MAX_SHARDS = 1 << 12
_CHUNK_VALUES = 1 << 20  # converted together: 4 MiB of float32


def recognises(head: bytes) -> bool:
    """Whether a file that starts so is GGUF."""
    return head.startswith(MAGIC)


def read_metadata(path: str | Path) -> Metadata:
    """The metadata of the GGUF file at `path`, which may hold a vocabulary and no tensors.

    Raises FormatError for a file that is missing, unreadable or damaged.
    """
    path = Path(path)
    return parse_header(path, mapped(path, _EXPECTED).data).metadata


def read(path: str | Path) -> Checkpoint:
    """The model in the GGUF file at `path`, or in the shards that `path` is one of.

    Weights of a type that Rung computes are read-only views of the mapped file; others are
    converted, which the checkpoint's `notes` say. Norms, biases and frequencies are float32.
    Raises FormatError for a file that is missing or damaged, an architecture or type that is not
    supported, and a tensor that is missing, unknown or of the wrong shape.
    """
    path = Path(path)
    files = _Files.opened(path)
    if not files.infos:
        raise FormatError(path, "tensors", "missing, it holds a vocabulary alone", "a model's")
    config = config_of(path, files.metadata, files.infos, files.vector)
    tensors = file_tensors(config, files.infos)
    _check_tensors(path, files.infos, tensors)
    weights: dict[str, StoredTensor] = {}
    for tensor in tensors:
        weights.update(_parts(tensor, files.tensor(tensor.name, tensor.shape)))
    weights = {name: weights[name] for name in weight_shapes(config)}  # as if nothing was stacked
    checkpoint = Checkpoint(
        path=path,
        format=_label(files),
        config=config,
        weights=weights,
        metadata=files.metadata,
        notes=tuple(_notes(files)),
    )
    check_loaded(checkpoint, size_bytes=checkpoint.size_bytes)
    return checkpoint


class _Shard(NamedTuple):
    path: Path
    data: NDArray[np.uint8]
    header: Header


@dataclass(frozen=True)
class _Files:
    """The tensors of a model in one file, or in all its shards; the first one's metadata count."""

    metadata: Metadata
    infos: Mapping[str, TensorInfo]
    data: Mapping[str, NDArray[np.uint8]]  # of each tensor

    @staticmethod
    def opened(path: Path) -> _Files:
        """Every shard, mapped and checked."""
        infos: dict[str, TensorInfo] = {}
        data: dict[str, NDArray[np.uint8]] = {}
        shards = _shards(path)
        for shard in shards:
            for info in shard.header.tensors:
                if info.name in infos:
                    raise FormatError(shard.path, f"tensor {info.name}", "in two shards", "in one")
                infos[info.name] = info
                data[info.name] = shard.data[info.start : info.start + info.size_bytes]
        metadata = shards[0].header.metadata
        expected = metadata.get("split.tensors.count", len(infos)) if len(shards) > 1 else None
        if expected is not None and expected != len(infos):
            raise FormatError(path, "split.tensors.count", expected, f"{len(infos)}, as found")
        return _Files(metadata, infos, data)

    def vector(self, name: str) -> NDArray[np.float32]:
        """The values of a small tensor."""
        return self.tensor(name, _without_ones(self.infos[name].shape)).float32()

    def tensor(self, name: str, shape: tuple[int, ...]) -> StoredTensor:
        """A tensor in the type that Rung keeps it in: a view of the file where that is its own."""
        info, data = self.infos[name], self.data[name]
        if len(shape) == 1 and info.type.storage != F32.name:
            kind = F32  # norms, biases and frequencies are added and multiplied as float32
        elif info.type.kept:
            return tensor_in(data, info.type.storage_type, shape)
        else:
            kind = info.type.storage_type
        return _converted(self.metadata.path, info, shape, data, kind)


def _shards(path: Path) -> list[_Shard]:
    """The shards of the model that `path` is a file of, in order."""
    single = _shard(path, _EXPECTED)
    count = single.header.metadata.get("split.count", 1)
    if type(count) is not int or not 0 <= count <= _MAX_SHARDS:
        raise FormatError(path, "split.count", repr(count)[:80], f"at most {_MAX_SHARDS:,}")
    if count <= 1:
        return [single]
    match = _SHARD.fullmatch(path.name)
    if match is None or int(match[3]) != count:
        expected = f"NAME-00001-of-{count:05}.gguf, for it is one of {count} shards"
        raise FormatError(path, "file name", path.name, expected)
    shards = []
    for number in range(count):
        name = path.with_name(f"{match[1]}-{number + 1:05}-of-{count:05}.gguf")
        shard = single if name == path else _shard(name, f"shard {number + 1} of {count}")
        for key, value in (("split.no", number), ("split.count", count)):
            if (found := shard.header.metadata.get(key)) != value:
                raise FormatError(name, key, repr(found)[:80], value)
        shards.append(shard)
    return shards


def _shard(path: Path, expected: str) -> _Shard:
    data = mapped(path, expected)
    return _Shard(path, data, parse_header(path, data.data))


def _check_tensors(path: Path, infos: Mapping[str, TensorInfo], tensors: list[FileTensor]) -> None:
    """Raises FormatError that names the first tensor that is missing, misshapen or unknown."""
    for tensor in tensors:
        info = infos.get(tensor.name)
        if info is None:
            expected = f"a tensor of shape {list(tensor.shape)}"
            raise FormatError(path, f"tensor {tensor.name}", "missing", expected)
        if _without_ones(info.shape) != _without_ones(tensor.shape):
            found = list(info.shape)
            raise FormatError(path, f"shape of {tensor.name}", found, list(tensor.shape))
    known = {tensor.name for tensor in tensors}
    extra = next((name for name in infos if name not in known and is_weight(name)), None)
    if extra is not None:
        raise FormatError(path, f"tensor {extra}", "there", "no tensor of this name in this model")


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape without leading axes of length 1, which the format does not tell from none."""
    while len(shape) > 1 and shape[0] == 1:
        shape = shape[1:]
    return shape


def _parts(tensor: FileTensor, whole: StoredTensor) -> Iterator[tuple[str, StoredTensor]]:
    """The weights in a tensor of the file, as views of their rows."""
    start = 0
    for name, rows in tensor.parts:
        yield name, whole if len(tensor.parts) == 1 else whole.rows(start, start + rows)
        start += rows


def _converted(
    path: Path,
    info: TensorInfo,
    shape: tuple[int, ...],
    data: NDArray[np.uint8],
    kind: StorageType,
) -> StoredTensor:
    """A tensor in another type than the file's, made a few rows at a time."""
    n_rows = math.prod(shape[:-1])
    rows = data.reshape(n_rows, -1)
    planes: list[Array] = [
        np.empty((n_rows, *plane_shape[-1:]), plane.dtype)
        for plane, plane_shape in zip(kind.planes, kind.plane_shapes(shape), strict=True)
    ]
    step = max(1, _CHUNK_VALUES // shape[-1])
    for start in range(0, n_rows, step):
        values = _dequantized(rows[start : start + step], info.type.number)
        check_tensor(path, info.name, stored(values), first_row=start)
        for plane, part in zip(planes, quantize(values, kind).planes, strict=True):
            plane[start : start + step] = part
    return StoredTensor(kind, shape, tuple(p.reshape(*shape[:-1], -1) for p in planes))


def _dequantized(rows: NDArray[np.uint8], number: int) -> NDArray[np.float32]:
    """Values [rows, K] of rows of blocks, as float32."""
    from gguf.constants import GGMLQuantizationType
    from gguf.quants import dequantize

    kind = GGMLQuantizationType(number)
    with np.errstate(all="ignore"):  # scales may be NaN or too large: the values are looked at next
        if kind is GGMLQuantizationType.F64:
            return rows.view(np.float64).astype(np.float32)
        return dequantize(np.ascontiguousarray(rows), kind).astype(np.float32, copy=False)


def _label(files: _Files) -> str:
    """The format in words, with the types of matrices, the most frequent first."""
    infos = files.infos.values()
    kinds = Counter(info.type.name for info in infos if len(_without_ones(info.shape)) > 1)
    return f"GGUF ({', '.join(name for name, _ in kinds.most_common())})"


def _notes(files: _Files) -> Iterator[str]:
    """What was converted, a line for each type."""
    path = files.metadata.path
    changed = Counter(
        (info.type.name, info.type.storage) for info in files.infos.values() if not info.type.kept
    )
    for (name, storage), count in changed.items():
        tensors = "tensor" if count == 1 else "tensors"
        yield f"{path}: {count} {tensors} of type {name} converted to {storage}"
