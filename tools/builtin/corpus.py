"""The grammar's documents as a folder to train with: python corpus.py FOLDER --documents 1600000.

Seven documents in ten are stories, three are conversations. A story stands between BOS and EOS, and
so does each turn of a conversation; the turns of one follow each other. Document i of a seed is the
same on every machine, and any number of workers writes the same bytes, as `rung data` would.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Iterator
from functools import cache
from multiprocessing.pool import Pool
from pathlib import Path
from random import Random

import numpy as np
from chat import generate_chat
from grammar import generate

from rung.formats.llmc import tokens as llmc_tokens
from rung.tokenizers import Tokenizer, open_tokenizer
from rung.train.data.encode import Encoded, separation
from rung.train.data.manifest import Manifest
from rung.train.data.prepare import finish
from rung.train.data.shards import ShardSet
from rung.train.data.sources import Source
from rung.train.data.staging import staged
from rung.train.data.tokenizer_files import copy_tokenizer

TOKENIZER = Path(__file__).parents[2] / "src" / "rung" / "builtin" / "tokenizer.bin"
SEPARATOR = "both"
VALIDATION_DOCUMENTS = 2_000
CHAT_SHARE = 0.3
CHUNK = 500
SHARD_TOKENS = 100_000_000
TELL_EVERY_S = 5.0

Job = tuple[Path, str, int, int]
"""The tokenizer's file, a seed, and the numbers of the first document and of the one after all."""


def document_texts(rng: Random) -> list[str]:
    """The texts of one document, each of which will stand between BOS and EOS."""
    if rng.random() < CHAT_SHARE:
        return [f"{prompt} {answer}" for prompt, answer in generate_chat(rng).prompts()]
    return [generate(rng, brief=rng.random() < 0.2).text]


@cache
def _tokenizer(path: Path) -> Tokenizer:
    return open_tokenizer(path)


def document_ids(tokenizer: Tokenizer, seed: str, index: int) -> list[int]:
    """The ids of document `index` of a seed."""
    around = separation(tokenizer, SEPARATOR)
    ids: list[int] = []
    for text in document_texts(Random(f"{seed}-{index}")):
        ids += (*around.before, *tokenizer.encode(text, bos=False), *around.after)
    return ids


def _chunk_ids(job: Job) -> np.ndarray:
    """The ids of some documents."""
    path, seed, first, after = job
    tokenizer = _tokenizer(path)
    ids = [document_ids(tokenizer, seed, index) for index in range(first, after)]
    return np.concatenate(ids).astype(np.uint16)


def _documents(source: Source, jobs: list[Job], pool: Pool | None) -> Iterator[Encoded]:
    """The ids of all jobs in order, as the shards take them, with a line now and then."""
    began_s = told_s = time.perf_counter()
    tokens, last = 0, jobs[-1][-1]
    for job, ids in zip(jobs, (pool.imap if pool else map)(_chunk_ids, jobs), strict=True):
        _, seed, first, after = job
        yield Encoded(source, seed == "validation", ids, after - first, 0)
        tokens += ids.size
        now_s = time.perf_counter()
        if now_s - told_s >= TELL_EVERY_S or after == last:
            told_s = now_s
            left_s = (now_s - began_s) * (last - after) / after
            speed = tokens / (now_s - began_s)
            print(
                f"{seed}: {after:,} of {last:,} documents, {tokens / 1e6:.1f} million tokens, "
                f"{speed / 1e6:.2f} million a second, {left_s:.0f} s left",
                flush=True,
            )


def _source(seed: str, count: int) -> Source:
    """What the manifest says of the grammar; no file was read, so no bytes of one."""
    return Source(Path(seed), f"grammar.py, documents 0 to {count - 1} of seed {seed!r}", "text", 0)


def write_corpus(
    folder: Path,
    *,
    documents: int,
    workers: int,
    tokenizer: Path = TOKENIZER,
    replace: bool = False,
) -> Manifest:
    """Writes `documents` to train with, and those to validate with, as llm.c's token shards."""
    opened = open_tokenizer(tokenizer)
    counts = {"validation": VALIDATION_DOCUMENTS, "train": documents}
    sources = {seed: _source(seed, count) for seed, count in counts.items()}
    kind = llmc_tokens.kind_for(opened.vocab_size)
    pool = multiprocessing.get_context("spawn").Pool(workers) if workers > 1 else None
    try:
        with staged(folder, replace=replace) as stage:
            with ShardSet(stage, kind, list(sources.values()), SHARD_TOKENS) as shards:
                for seed, count in counts.items():
                    jobs = [
                        (tokenizer, seed, first, min(first + CHUNK, count))
                        for first in range(0, count, CHUNK)
                    ]
                    for part in _documents(sources[seed], jobs, pool):
                        shards.add(part)
            name = copy_tokenizer(tokenizer, stage)
            return finish(stage, shards, opened, name=name, separator=SEPARATOR)
    finally:
        if pool is not None:
            pool.terminate()


def main() -> None:
    """Write the corpus."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int, default=1_600_000, help="to train with")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--tokenizer", type=Path, default=TOKENIZER, help="the one that is shipped")
    parser.add_argument("--force", action="store_true", help="replace FOLDER")
    options = parser.parse_args()
    manifest = write_corpus(
        options.folder,
        documents=options.documents,
        workers=options.workers,
        tokenizer=options.tokenizer,
        replace=options.force,
    )
    for split, name in (("train", "training"), ("val", "validation")):
        print(f"{manifest.tokens(split):,} tokens for {name}")


if __name__ == "__main__":
    main()
