"""Trains the tokenizer on generated documents and writes it as llama2.c's tokenizer.bin.

    python tokenizer.py OUT_DIR            trains: OUT_DIR/tokenizer.model and OUT_DIR/tokenizer.bin
    python tokenizer.py OUT_DIR --check    compares Rung's encoder with the library's ids

Byte-pair encoding with byte fallback: id 0 is unknown, 1 BOS, 2 EOS, 3 to 258 the bytes, and then
come the pieces in the order of their merges. A line feed has no piece and is the byte 0x0A.
"""

from __future__ import annotations

import argparse
import struct
from collections.abc import Iterator
from pathlib import Path
from random import Random

import sentencepiece
from corpus import document_texts

from rung.tokenizers import open_tokenizer

VOCAB_SIZE = 2048
TRAINING_DOCUMENTS = 40_000
CHECKED_DOCUMENTS = 2_000
SEED = "tokenizer"


def training_lines(count: int) -> Iterator[str]:
    """The lines of this many documents, whose ids nobody trains on later."""
    for index in range(count):
        for text in document_texts(Random(f"{SEED}-{index}")):
            yield from (line for line in text.split("\n") if line)


def train(out_dir: Path) -> Path:
    """Train the tokenizer; returns the path of the library's model file."""
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=training_lines(TRAINING_DOCUMENTS),
        model_prefix=str(out_dir / "tokenizer"),
        model_type="bpe",
        vocab_size=VOCAB_SIZE,
        byte_fallback=True,
        character_coverage=1.0,
        normalization_rule_name="identity",
        add_dummy_prefix=True,
        remove_extra_whitespaces=False,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        num_threads=1,
        max_sentence_length=20_000,
        minloglevel=1,
    )
    return out_dir / "tokenizer.model"


def write_bin(model_path: Path, bin_path: Path) -> None:
    """Write the tokenizer as llama2.c reads it: longest length, then (score, length, bytes)."""
    library = sentencepiece.SentencePieceProcessor(model_file=str(model_path))
    rows: list[tuple[bytes, float]] = []
    for index in range(library.vocab_size()):
        piece = library.id_to_piece(index).replace("▁", " ")
        piece = {library.bos_id(): "\n<s>\n", library.eos_id(): "\n</s>\n"}.get(index, piece)
        rows.append((piece.encode(), library.get_score(index)))
    with bin_path.open("wb") as file:
        file.write(struct.pack("<I", max(len(piece) for piece, _ in rows)))
        for piece, score in rows:
            file.write(struct.pack("<fI", score, len(piece)) + piece)


def check(out_dir: Path) -> None:
    """Compare both encoders on new documents. Raises ValueError where they differ."""
    library = sentencepiece.SentencePieceProcessor(model_file=str(out_dir / "tokenizer.model"))
    ours = open_tokenizer(out_dir / "tokenizer.bin")
    words = tokens = longest = 0
    for index in range(CHECKED_DOCUMENTS):
        document_tokens = 0
        for text in document_texts(Random(f"check-{index}")):
            ids = library.encode(text)
            if ours.encode(text, bos=False) != ids:
                raise ValueError(f"the encoders differ on {text!r}")
            if ours.decode(ids) != text:
                raise ValueError(f"not the same after encoding and decoding: {text!r}")
            words += len(text.split())
            document_tokens += len(ids) + 2
        tokens += document_tokens
        longest = max(longest, document_tokens)
    print(f"{CHECKED_DOCUMENTS} documents agree; {tokens / words:.3f} tokens a word")
    print(f"{tokens / CHECKED_DOCUMENTS:.0f} tokens a document, {longest} in the longest")


def main() -> None:
    """Train and export, or check what was exported."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if options.check:
        check(options.out_dir)
        return
    options.out_dir.mkdir(parents=True, exist_ok=True)
    write_bin(train(options.out_dir), options.out_dir / "tokenizer.bin")


if __name__ == "__main__":
    main()
