"""Damage model and tokenizer files in many ways; each must load or give one clear error.

    python tools/fuzz_formats.py --count 10000 --seed 0

A violation is any exception but RungError, any warning, or a read that allocates more than
2 × the file's size + 64 KiB and a file buffer + 1 KiB a tensor (4 KiB a plane where a header is
JSON) + 96 bytes a token (objects of NumPy and Python cost that whatever they hold). The exit
status is 1 if there is any; --keep names a folder for the files that caused them.
"""

from __future__ import annotations

import argparse
import io
import struct
import sys
import tempfile
import time
import tracemalloc
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from gguf_models import FAMILIES  # noqa: E402
from mutate import mutate  # noqa: E402
from rung.errors import RungError  # noqa: E402
from rung.formats import native, open_checkpoint  # noqa: E402
from rung.formats.gguf.write import write as write_gguf  # noqa: E402
from rung.formats.llama2c.write import write  # noqa: E402
from rung.formats.llmc import state as llmc_state  # noqa: E402
from rung.formats.llmc import tokens as llmc_tokens  # noqa: E402
from rung.formats.llmc import write as llmc_write  # noqa: E402
from rung.models.config import weight_shapes  # noqa: E402
from rung.tokenizers import Tokenizer, open_tokenizer  # noqa: E402
from support import (  # noqa: E402
    GPT2,
    tiny_checkpoint,
    tiny_config,
    tiny_vocabulary,
    tokenizer_bytes,
    write_tokenizer,
)

FIXED_BYTES = (64 << 10) + io.DEFAULT_BUFFER_SIZE
TENSOR_BYTES = 1 << 10
TOKEN_BYTES = 96
MODELS = {
    "tied": {},
    "untied": {"tied_output": False, "n_kv_heads": 1},
    "unaligned": {"dim": 2, "n_heads": 1, "n_kv_heads": 1, "hidden_dim": 2, "vocab_size": 3},
    "many layers": {"dim": 4, "n_heads": 2, "n_kv_heads": 1, "hidden_dim": 4, "n_layers": 40},
    "wide": {"dim": 128, "n_heads": 2, "n_kv_heads": 1, "hidden_dim": 64, "n_layers": 1},
}
SMALL = {"vocab_size": 5, "hidden_dim": 4}


@dataclass(frozen=True)
class Seed:
    """A good file to damage, how to read it, and the bytes its Python objects may take."""

    name: str
    data: bytes
    read: Callable[[Path], Any]
    object_bytes: int


@dataclass
class Outcome:
    """What happened so far."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    worst_share: float = 0.0
    worst: str = "none"


def checkpoint_seeds(folder: Path) -> Iterator[Seed]:
    """Small checkpoints of every version."""
    for name, changes in MODELS.items():
        model = tiny_checkpoint(**changes)
        for version in (0, 1, 2):
            path = folder / "seed.bin"
            write(path, model, version=version)
            n_tensors = len(model.weights) + 4
            label = f"v{version} {name}"
            yield Seed(label, path.read_bytes(), open_checkpoint, TENSOR_BYTES * n_tensors)


def llmc_seeds(folder: Path) -> Iterator[Seed]:
    """A small GPT-2 in float32 and in bfloat16."""
    model = tiny_checkpoint(**GPT2)
    for kind in ("f32", "bf16"):
        path = folder / "seed.bin"
        llmc_write.write(path, model, kind=kind)
        n_bytes = TENSOR_BYTES * len(model.weights)
        yield Seed(f"llm.c {kind}", path.read_bytes(), open_checkpoint, n_bytes)


def training_seeds(folder: Path) -> Iterator[Seed]:
    """llm.c's token shards, debug state and tokenizer."""
    path = folder / "seed.bin"
    for kind in llmc_tokens.KINDS.values():
        llmc_tokens.write(path, np.arange(300), kind=kind)
        yield Seed(f"tokens {kind.name}", path.read_bytes(), llmc_tokens.read, TENSOR_BYTES)
    config = tiny_config(**GPT2 | {"n_layers": 1, "vocab_size": 5, "context_length": 4})
    x_BT = np.array([[1, 2, 3], [4, 0, 1]], np.int32)
    gradients = {n: np.ones(shape, np.float32) for n, shape in weight_shapes(config).items()}
    llmc_state.write(
        path,
        config,
        x_BT=x_BT,
        y_BT=x_BT,
        logits_BTV=np.ones((2, 3, 5), np.float32),
        loss=1.0,
        gradients=gradients,
    )
    n_bytes = TENSOR_BYTES * (len(gradients) + 4)
    yield Seed("state", path.read_bytes(), lambda p: llmc_state.read(p, config), n_bytes)
    pieces = [bytes((byte,)) for byte in range(256)] + [b"th", b"the", b"<|endoftext|>"]
    data = struct.pack("<4i", 20240328, 2, len(pieces), len(pieces) - 1).ljust(1024, b"\0")
    data += b"".join(bytes((len(piece),)) + piece for piece in pieces)
    yield Seed("llm.c tokenizer", data, open_tokenizer, 4 * TOKEN_BYTES * len(pieces))


def native_seeds(folder: Path) -> Iterator[Seed]:
    """Rung's own files: a header of JSON takes more Python objects a tensor than the others."""
    for name, changes, kind in (
        ("f32", {}, None),
        ("i8", {"tied_output": False}, "i8"),
        ("gpt2", GPT2, "bf16"),
    ):
        model = tiny_checkpoint(**changes)
        path = folder / "seed.safetensors"
        native.write(path, model, kind=kind)
        data = path.read_bytes()
        n_planes = 2 * len(model.weights)
        yield Seed(f"native {name}", data, open_checkpoint, 4 * TENSOR_BYTES * n_planes)


def gguf_seeds(folder: Path) -> Iterator[Seed]:
    """A small GGUF file of every family, and one with a tokenizer."""
    models = {name: SMALL | changes for name, changes in FAMILIES.items()}
    write_tokenizer(folder / "tokenizer.bin", *tiny_vocabulary())
    for name, changes in {**models, "with a tokenizer": {}}.items():
        model = replace(tiny_checkpoint(**changes), path=folder / "model.bin")
        path = folder / "seed.gguf"
        if name != "with a tokenizer":
            model = replace(model, path=folder / "elsewhere" / "model.bin")
        write_gguf(path, model, kind="f16")
        object_bytes = TENSOR_BYTES * len(model.weights)
        yield Seed(f"gguf {name}", path.read_bytes(), open_checkpoint, object_bytes)


def tokenizer_seed() -> Seed:
    """A tokenizer of 300 tokens."""
    pieces, scores = tiny_vocabulary()
    return Seed(
        "tokenizer",
        tokenizer_bytes(pieces, scores),
        lambda path: open_tokenizer(path, len(pieces)),
        TOKEN_BYTES * len(pieces),
    )


def measure(seed: Seed, path: Path) -> tuple[object, int]:
    """What reading gives (or the exception), and the most bytes that it had allocated."""
    tracemalloc.start()
    result: object
    try:
        result = seed.read(path)
    except Exception as error:  # every kind: the caller tells the expected from the others
        result = error
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return result, peak


def use(loaded: object) -> None:
    """What a program does with a file that loaded; raises if it is not sound."""
    if isinstance(loaded, Tokenizer):
        loaded.decode(loaded.encode("the sand and 日本\n"))
        loaded.decode(range(loaded.vocab_size))
        return
    if isinstance(loaded, llmc_tokens.Shard):
        loaded.tokens.max()
        return
    if isinstance(loaded, llmc_state.State):
        for array in (loaded.logits_BTV, *loaded.gradients.values()):
            array.max()
        return
    with suppress(RungError):  # text that is not UTF-8 is told when it is asked for
        list(loaded.metadata.items())
    for weight in loaded.weights.values():
        for plane in weight.planes:
            if not plane.flags.aligned:
                raise AssertionError("a plane is not aligned")
            plane.max()  # touches every page


def try_one(random: Random, seeds: list[Seed], path: Path, outcome: Outcome) -> str | None:
    """Damage one file and read it; the violation, if there is one."""
    seed = random.choice(seeds)
    donors = [other.data for other in seeds]
    kind, data = mutate(random, seed.data, donors)
    path.write_bytes(data)
    result, peak = measure(seed, path)
    refused = isinstance(result, RungError)
    outcome.counts[kind, "refused" if refused else "loaded"] += 1

    label = f"{seed.name}, {kind}, {len(data):,} bytes"
    # A splice may carry the header, and so the tensors, of the largest seed.
    object_bytes = max(s.object_bytes for s in seeds) if kind == "splice" else seed.object_bytes
    allowed = 2 * len(data) + FIXED_BYTES + object_bytes
    if peak / allowed > outcome.worst_share:
        outcome.worst_share = peak / allowed
        outcome.worst = f"{peak:,} of {allowed:,} bytes allowed ({label})"
    if peak > allowed:
        return f"{label}: allocated {peak:,} bytes, {allowed:,} allowed"
    if isinstance(result, Exception) and not refused:
        return f"{label}: {type(result).__name__}: {result}"
    if not refused:
        try:
            use(result)
        except Exception as error:  # any is a violation, and is reported as one
            return f"{label}: loaded, then {type(error).__name__}: {error}"
    return None


def with_progress(steps: range) -> Iterable[int]:
    """The steps, behind a bar where rich is there to draw one."""
    try:
        from rich.progress import track
    except ImportError:
        return steps
    return track(steps, description="Damaging files", disable=not sys.stderr.isatty())


def fuzz(count: int, seed: int, keep: Path | None) -> Outcome:
    """Try `count` damaged files; the same for the same seed."""
    random = Random(seed)
    outcome = Outcome()
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("error")
        folder = Path(name)
        tokenizer = tokenizer_seed()
        seeds = [*checkpoint_seeds(folder), *llmc_seeds(folder), *native_seeds(folder)]
        seeds += training_seeds(folder)
        seeds += [*gguf_seeds(folder), *[tokenizer] * 3]
        for good in seeds:  # what is allocated once, at the first read, is not counted
            path = folder / "good.bin"
            path.write_bytes(good.data)
            use(good.read(path))
        for step in with_progress(range(count)):
            path = folder / "damaged.bin"
            violation = try_one(random, seeds, path, outcome)
            if violation is not None:
                outcome.violations.append(violation)
                if keep is not None:
                    keep.mkdir(parents=True, exist_ok=True)
                    (keep / f"{step}.bin").write_bytes(path.read_bytes())
    return outcome


def report(outcome: Outcome, seconds: float) -> None:
    """Print a table of the counts, the worst case and the violations."""
    print(f"{'damage':<14}{'refused':>9}{'loaded':>9}")
    for kind in sorted({kind for kind, _ in outcome.counts}):
        refused, loaded = outcome.counts[kind, "refused"], outcome.counts[kind, "loaded"]
        print(f"{kind:<14}{refused:>9,}{loaded:>9,}")
    total = sum(outcome.counts.values())
    print(f"{total:,} files in {seconds:.1f} s; {len(outcome.violations)} violations")
    print(f"most memory: {outcome.worst}")
    for violation in outcome.violations[:20]:
        print(f"VIOLATION {violation}")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000, help="files to try")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers")
    parser.add_argument("--keep", type=Path, help="folder for the files that break a rule")
    arguments = parser.parse_args()
    start = time.perf_counter()
    outcome = fuzz(arguments.count, arguments.seed, arguments.keep)
    report(outcome, time.perf_counter() - start)
    return 1 if outcome.violations else 0


if __name__ == "__main__":
    sys.exit(main())
