"""The tensor types of GGUF files: name, size, and the storage type that Rung makes of each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from rung.storage import StorageType, storage_type


@dataclass(frozen=True)
class TensorType:
    """One GGML type: `block` values take `block_bytes`; `storage` names the type in memory.

    A kept type is computed as the file has it. Any other is converted when it is read, to the
    smallest kept type that loses little against what the file's own type lost already.
    """

    number: int
    name: str
    block: int
    block_bytes: int
    storage: str
    kept: bool

    @property
    def storage_type(self) -> StorageType:
        """The storage type of its tensors in memory."""
        return storage_type(self.storage)

    def size_bytes(self, shape: tuple[int, ...]) -> int:
        """Bytes that a tensor of this shape takes in a file; its rows are whole blocks."""
        n_values = 1
        for size in shape:
            n_values *= size
        return n_values // self.block * self.block_bytes


# Names are those of gguf.constants.GGMLQuantizationType.
_KEPT = {
    "F32": "f32",
    "F16": "f16",
    "BF16": "bf16",
    "Q8_0": "q8_0",
    "Q4_0": "q4_0",
    "Q4_K": "q4_k",
    "Q5_K": "q5_k",
    "Q6_K": "q6_k",
}
# Types of 4 to 6 bits keep their accuracy in 8; those of fewer than 4 bits in 6, in less memory.
_CONVERTED = {
    "F64": "f32",
    **dict.fromkeys(("Q4_1", "Q5_0", "Q5_1", "IQ4_NL", "IQ4_XS", "MXFP4", "NVFP4"), "q8_0"),
    **dict.fromkeys(("Q2_K", "Q3_K", "TQ1_0", "TQ2_0"), "q6_k"),
    **dict.fromkeys(("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S"), "q6_k"),
}


@cache
def tensor_types() -> dict[int, TensorType]:
    """Every type that can be read, by its number in a file."""
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

    types = {}
    for number, (block, block_bytes) in GGML_QUANT_SIZES.items():
        name = GGMLQuantizationType(number).name
        storage = _KEPT.get(name) or _CONVERTED.get(name)
        if storage is not None:
            kept = name in _KEPT
            types[int(number)] = TensorType(int(number), name, block, block_bytes, storage, kept)
    return types


@cache
def written_types() -> dict[str, TensorType]:
    """The types that can be written, by the name of their storage type."""
    return {known.storage: known for known in tensor_types().values() if known.kept}


def type_name(number: int) -> str:
    """What GGUF calls type `number`, for an error message."""
    from gguf.constants import GGMLQuantizationType

    try:
        return GGMLQuantizationType(number).name
    except ValueError:
        return f"number {number}"
