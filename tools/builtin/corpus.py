"""windows_NS = make_windows(...): generated documents as rows of token ids for the training.

    N windows, S the 513 ids of a window: 512 inputs, and the same moved on by one as targets

Seven documents in ten are stories, three are conversations. Every window begins with the BOS of a
document, because that is where generation begins, and the last document of a window is cut off.
Document i of a seed is the same document on every machine and with any number of workers.
"""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path
from random import Random

import numpy as np
import sentencepiece
from chat import generate_chat
from grammar import generate

BOS, EOS = 1, 2
WINDOW = 513
CHAT_SHARE = 0.3
CHUNK = 2_000


def document_texts(rng: Random) -> list[str]:
    """The texts of one document, each of which will stand between BOS and EOS."""
    if rng.random() < CHAT_SHARE:
        return [f"{prompt} {answer}" for prompt, answer in generate_chat(rng).prompts()]
    return [generate(rng, brief=rng.random() < 0.2).text]


def _chunk_windows(job: tuple[Path, str, int]) -> np.ndarray:
    """The windows of one chunk of documents, packed on their own."""
    model_path, seed, start = job
    library = sentencepiece.SentencePieceProcessor(model_file=str(model_path))
    windows: list[list[int]] = []
    window: list[int] = []
    for index in range(start, start + CHUNK):
        for text in document_texts(Random(f"{seed}-{index}")):
            window += [BOS, *library.encode(text), EOS]
        if len(window) >= WINDOW:
            windows.append(window[:WINDOW])
            window = []
    return np.array(windows, dtype=np.uint16)


def make_windows(model_path: Path, *, seed: str, documents: int, workers: int) -> np.ndarray:
    """The windows [N, 513] of this many documents (rounded up to whole chunks), as uint16."""
    jobs = [(model_path, seed, start) for start in range(0, documents, CHUNK)]
    began_s = time.perf_counter()
    if workers == 1:
        chunks = [_chunk_windows(job) for job in jobs]
    else:
        # Spawned, not forked: a fork of a process that has used the GPU may hang.
        with multiprocessing.get_context("spawn").Pool(workers) as pool:
            chunks = pool.map(_chunk_windows, jobs, chunksize=1)
    windows_NS = np.concatenate(chunks)
    took_s = time.perf_counter() - began_s
    print(f"{seed}: {windows_NS.size:,} tokens of {documents:,} documents in {took_s:.0f} s")
    return windows_NS
