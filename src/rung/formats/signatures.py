"""What a file looks like, by its first bytes: only to name it in an error message."""

from __future__ import annotations

import struct

_PREFIXES = (
    (b"GGUF", "a GGUF file"),
    (b"ggjt", "a GGML file of the time before GGUF"),
    (b"lmgg", "a GGML file of the time before GGUF"),
    (b"tjgg", "a GGML file of the time before GGUF"),
    (b"PK\x03\x04", "a zip archive, such as a PyTorch checkpoint"),
    (b"\x80\x02", "a Python pickle, such as an old PyTorch checkpoint"),
    (b"\x80\x03", "a Python pickle"),
    (b"\x80\x04", "a Python pickle"),
    (b"\x80\x05", "a Python pickle"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\n\x0e\n\x05<unk>", "a SentencePiece model"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file that it points to"),
    (b"<", "a web page or XML"),
    (b"{", "JSON"),
    (struct.pack("<I", 0x616B3432), "a llama2.c checkpoint"),
    (struct.pack("<i", 20240326), "an llm.c checkpoint"),
    (struct.pack("<i", 20240327), "llm.c debug state, not a model"),
    (struct.pack("<i", 20240328), "an llm.c tokenizer"),
    (struct.pack("<i", 20240520), "llm.c training tokens, not a model"),
    (struct.pack("<i", 20240522), "llm.c questions to evaluate with, not a model"),
    (struct.pack("<i", 20240801), "llm.c training tokens, not a model"),
    (struct.pack("<i", 20240803), "an llm.c checkpoint of Llama 3"),
)


def looks_like(head: bytes) -> str:
    """What a file that starts with `head` (16 bytes or more) seems to be, in words."""
    for prefix, description in _PREFIXES:
        if head.startswith(prefix):
            return description
    if head[8:10] == b'{"':  # after the length of the header, a uint64
        return "a safetensors file"
    if head.isascii() and head.decode().replace("\n", " ").replace("\r", " ").isprintable():
        return "text"
    return "of no known format"
