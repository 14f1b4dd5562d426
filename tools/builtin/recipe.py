"""The built-in model, from nothing: python recipe.py OUT [--device webgpu]. Run again, it goes on.

OUT/corpus    the grammar's documents as token shards, by corpus.py
OUT/run       the training run, by `rung train`: checkpoints, metrics.jsonl, loss.png
OUT/package   what the package ships, model.bin by `rung convert`; facts.json is for the model card

Training stops cleanly at Ctrl-C or after --seconds, and the next call resumes it. The exit code is
that of the command that did not end: 130 where training stopped before its last step.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import signal
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import corpus

import rung
from rung.models.config import weight_shapes
from rung.train.data import open_data
from rung.train.run.checkpoints import METRICS_FILE, Run
from rung.train.run.curve import can_draw, draw
from rung.train.run.metrics import Row, read_rows

WINDOWS = 64  # of a step, whatever part of them is there at once
TRAIN = {
    "config": "llama:256x5:heads=8,kv=4,hidden=512,context=512,tied=yes",
    "seq-len": 512,
    "lr": 2e-3,
    "min-lr": 0,
    "schedule": "cosine",
    "warmup": 400,
    "beta1": 0.9,
    "beta2": 0.95,
    "eps": 1e-8,
    "weight-decay": 0.1,
    "clip": 1,
    "seed": 20_240_817,
    "val-every": 500,
    "val-batches": 1000,  # all there are
    "save-every": 500,
    "keep": 2,
}
SMALL = {
    "config": "llama:64x2:heads=2,kv=1,hidden=64,context=512,tied=yes",
    "warmup": 10,
    "val-every": 20,
    "val-batches": 5,
    "save-every": 20,
}
"""What --small changes: a model and a batch of 4 windows that any machine trains in a minute."""
SMALL_WINDOWS = 4

GROUP = 64  # int8 values that share a scale
LOGGED_EVERY = 50  # steps of a row of the shipped loss.jsonl


def command(*words: object) -> list[str]:
    """The words of a `rung` command, by this Python."""
    return [sys.executable, "-m", "rung", *map(str, words)]


def train(out: Path, options: argparse.Namespace) -> int:
    """`rung train`, from the start or from the last checkpoint; its exit code."""
    where = [out / "corpus", "--out", out / "run", "--device", options.device]
    if Run(out / "run").checkpoints:
        words = command("train", *where, "--resume")
    else:
        windows = SMALL_WINDOWS if options.small else WINDOWS
        at_once = min(options.batch_size, windows)
        numbers = {"batch-size": at_once, "grad-accum": windows // at_once, "steps": options.steps}
        told = numbers | TRAIN | (SMALL if options.small else {})
        named = [word for name, value in told.items() for word in (f"--{name}", value)]
        words = command("train", *where, "--tokenizer", corpus.TOKENIZER, *named)
    print(" ".join(words), flush=True)
    return ended(words, options.seconds)


def ended(words: list[str], seconds: float | None) -> int:
    """The exit code of a command, which is asked to stop once: by Ctrl-C, kill, or its time.

    It is in a session of its own, for a signal to this one's group would be a second Ctrl-C, which
    ends training without a checkpoint.
    """
    process = subprocess.Popen(words, start_new_session=True)
    asked: list[bool] = []

    def stop(*_: object) -> None:
        if not asked:
            asked.append(True)
            process.send_signal(signal.SIGINT)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        stop()
        return process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def log(rows: list[Row]) -> Iterator[Row]:
    """The rows of loss.jsonl: means over LOGGED_EVERY steps, and all validations."""
    losses: list[float] = []
    last = max(row["step"] for row in rows)
    for row in rows:
        if "val_loss" in row:
            yield {"step": row["step"], "val_loss": round(row["val_loss"], 5)}
        if "loss" in row:
            losses.append(row["loss"])
            if row["step"] % LOGGED_EVERY == 0 or row["step"] == last:
                loss = round(statistics.fmean(losses), 5)
                yield {"step": row["step"], "tokens": row["tokens"], "loss": loss}
                losses.clear()


def validation_loss(model: Path) -> float:
    """Nats a token of the validation documents, each from its own beginning, by the engine.

    Products are in float32. What is beyond the context (of a few conversations) is left out.
    """
    nats = tokens = 0.0
    with rung.load(model, activations="float32") as opened:
        for index in range(corpus.VALIDATION_DOCUMENTS):
            ids = corpus.document_ids(opened.tokenizer, "validation", index)
            ids = ids[: opened.context_length]
            nats += math.log(opened.perplexity(ids)) * (len(ids) - 1)
            tokens += len(ids) - 1
    return nats / tokens


def pack(out: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Writes OUT/package; the facts for the model card."""
    run, package = out / "run", out / "package"
    package.mkdir(exist_ok=True)
    model = package / "model.bin"
    words = ("--to", "llama2c-v2", "--group-size", GROUP, "--force")
    subprocess.run(command("convert", run, model, *words), check=True)
    shutil.copyfile(run / "tokenizer.bin", package / "tokenizer.bin")
    rows = read_rows(run / METRICS_FILE)
    with (package / "loss.jsonl").open("w") as file:
        file.writelines(json.dumps(row) + "\n" for row in log(rows))
    draw(rows, package / "loss.png")

    saved, data = Run(run).last(), open_data(out / "corpus")
    assert data.manifest is not None
    steps = [row for row in rows if "loss" in row]
    seen = saved.state.step * saved.options.tokens_per_step
    shapes = weight_shapes(saved.model().config).values()
    return {
        "config": saved.options.config,
        "parameters": sum(math.prod(shape) for shape in shapes),
        "documents": data.manifest.sources[-1].documents,
        "corpus_tokens": data.train.count,
        "validation_tokens": data.manifest.tokens("val"),
        "windows_a_step": saved.options.batch_size * saved.options.grad_accum,
        "steps": saved.state.step,
        "tokens_seen": seen,
        "epochs": round(seen / data.train.count, 3),
        "device": options.device,
        "train_seconds": round(saved.state.seconds, 1),
        "tokens_a_second": round(statistics.median(row["tok_s"] for row in steps)),
        "train_loss_last_50": statistics.fmean(row["loss"] for row in steps[-50:]),
        "trainer_validation_loss": [row for row in rows if "val_loss" in row][-1]["val_loss"],
        "validation_loss_float32": validation_loss(run),
        "validation_loss_int8": validation_loss(model),
        "bytes": {path.name: path.stat().st_size for path in sorted(package.iterdir())},
    }


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--documents", type=int, default=600_000, help="of the corpus")
    parser.add_argument("--steps", type=int, default=7_000)
    parser.add_argument("--device", default="webgpu", help="as rung train takes it (webgpu)")
    parser.add_argument(
        "--batch-size",
        type=int,
        default=WINDOWS,
        choices=[WINDOWS >> n for n in range(7)],
        help=f"windows at once, where there is no memory for all {WINDOWS} of a step",
    )
    parser.add_argument("--seconds", type=float, help="stop training after so many, to go on later")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="that write the corpus")
    parser.add_argument("--small", action="store_true", help="a tiny model, to try the recipe")
    return parser.parse_args()


def main() -> int:
    """Make what is not there yet."""
    options = parse_options()
    if not can_draw():
        print('the loss curve needs matplotlib: pip install "rung[plot]"', file=sys.stderr)
        return 2
    out: Path = options.out
    if not (out / "corpus").exists():
        corpus.write_corpus(out / "corpus", documents=options.documents, workers=options.workers)
    if code := train(out, options):
        return code
    facts = pack(out, options)
    text = json.dumps(facts, indent=2) + "\n"
    (out / "package" / "facts.json").write_text(text)
    print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
