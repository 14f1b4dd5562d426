"""Write an llm.c GPT-2 checkpoint, float32 or bfloat16, a few rows at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rung.errors import UsageError
from rung.formats.base import Checkpoint
from rung.formats.files import replacing
from rung.formats.llmc.layout import Header, padded_vocab, plain_config
from rung.formats.writing import Progress, check_expressible, check_weights, converted

VERSIONS = {"f32": 3, "bf16": 5}


def write(
    path: str | Path, checkpoint: Checkpoint, *, kind: str = "f32", progress: Progress | None = None
) -> None:
    """Write `checkpoint` to `path` as llm.c version 3 (kind "f32") or 5 ("bf16").

    The token table is padded with zeros to a multiple of 128 rows, as llm.c does. The file says
    nothing of the tokens that begin and end a text: those stand in llm.c's tokenizer file. The
    file appears under its name only when it is whole. Raises UsageError for a model that llm.c
    cannot express, FormatError for a weight that is not finite, RungError where the file cannot be
    written.
    """
    path = Path(path)
    if kind not in VERSIONS:
        raise UsageError(f"llm.c holds no {kind}; choose {' or '.join(VERSIONS)}")
    c = checkpoint.config
    plain = plain_config(
        dim=c.dim,
        n_layers=c.n_layers,
        n_heads=c.n_heads,
        vocab_size=c.vocab_size,
        context_length=c.context_length,
    )
    unsaid = ("family", "bos_id", "eos_ids")
    check_expressible(checkpoint, plain, "llm.c", unsaid=unsaid)
    header = Header(VERSIONS[kind], plain, padded_vocab(c.vocab_size))
    header.check(checkpoint.path)
    check_weights(checkpoint, {entry.name: entry.shape for entry in header.entries()})
    total_bytes = header.file_bytes
    with replacing(path) as file:
        file.write(header.pack())
        for entry in header.entries():
            for rows in converted(checkpoint, entry.name, entry.type):
                file.write(np.ascontiguousarray(rows.planes[0]).data)
                if progress is not None:
                    progress(file.tell(), total_bytes)
            file.write(bytes(entry.padding_bytes))  # less than 128 rows
