"""Kills a training run with SIGKILL at random moments, resumes it, and compares with one that ran.

    python tools/kill_training.py --kills 10

A tiny GPT-2 is trained twice from the same options: once without a break, once killed again and
again, at a random step and a random moment after it, in the middle of saving too. Parameters and
moments at the end must be the same bytes.
"""

from __future__ import annotations

import argparse
import filecmp
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from rung.formats.llmc import tokens as llmc_tokens
from rung.train.run.metrics import read_rows

FILES = ("model.safetensors", "moments.safetensors")
_POLL_S = 0.01
_MOST_DELAY_S = 0.1  # after a step is seen, a few of them with their saving
_TIMEOUT_S = 120
_WIDTH, _LAYERS, _VOCAB = 64, 2, 128


def train(out: Path, data: Path, *, steps: int, resume: bool) -> subprocess.Popen[bytes]:
    """A process that trains, with a checkpoint at every second step."""
    begun = [str(data), "--config", f"llama:{_WIDTH}x{_LAYERS}:vocab={_VOCAB},context=32"]
    options = ["--steps", steps, "--batch-size", 2, "--seq-len", 32, "--grad-accum", 2]
    options += ["--save-every", 2, "--val-every", 5, "--val-batches", 2, "--threads", 1]
    told = ["--resume"] if resume else [*begun, *map(str, options)]
    command = [sys.executable, "-m", "rung", "train", "--quiet", "--out", str(out), *told]
    return subprocess.Popen(command, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[bytes]) -> None:
    """Waits for the end. Raises RuntimeError for a run that fails."""
    _, errors = process.communicate(timeout=_TIMEOUT_S)
    if process.returncode:
        raise RuntimeError(f"the run ended with {process.returncode}: {errors.decode()}")


def last_step(out: Path) -> int:
    """The last step that a run has told of."""
    return max((row["step"] for row in read_rows(out / "metrics.jsonl")), default=-1)


def kill_at(process: subprocess.Popen[bytes], out: Path, step: int, delay_s: float) -> bool:
    """Kills a run a moment after it has told of a step; False where it had ended by then."""
    deadline = time.monotonic() + _TIMEOUT_S
    while last_step(out) < step and process.poll() is None:
        if time.monotonic() > deadline:
            process.kill()
            raise RuntimeError(f"no step {step} within {_TIMEOUT_S} s")
        time.sleep(_POLL_S)
    time.sleep(delay_s)
    was_running = process.poll() is None
    process.kill()
    process.communicate()
    return was_running


def checkpoints(out: Path) -> list[Path]:
    """Whole checkpoints, the oldest first."""
    return sorted((out / "checkpoints").glob("step-????????"))


def compare(folder: Path, *, kills: int, steps: int, seed: int) -> list[int]:
    """The steps that were left to resume from, one for each kill.

    Raises RuntimeError where the killed run ends with other bytes than the whole one.
    """
    chance = random.Random(seed)
    data = folder / "data.bin"
    ids = np.random.default_rng(seed).integers(0, _VOCAB, 20_000).astype(np.uint16)
    with llmc_tokens.writing(data, llmc_tokens.kind_for(_VOCAB)) as shard:
        shard.append(ids)
    whole, killed = folder / "whole", folder / "killed"
    finish(train(whole, data, steps=steps, resume=False))
    left: list[int] = []
    process = train(killed, data, steps=steps, resume=False)
    for index in range(kills):
        # Spread over the run, so that there is something left to kill.
        first, last = (steps * (index + end) // (kills + 1) for end in (0, 1))
        if not kill_at(
            process, killed, chance.randint(first, last), chance.random() * _MOST_DELAY_S
        ):
            finish(process)
            break
        found = checkpoints(killed)
        left.append(int(found[-1].name[5:]) if found else -1)
        process = train(killed, data, steps=steps, resume=bool(found))
    finish(process)
    ends = [checkpoints(out)[-1] for out in (whole, killed)]
    _, different, missing = filecmp.cmpfiles(*ends, FILES, shallow=False)
    if different or missing:
        raise RuntimeError(f"{', '.join(different + missing)} differ after kills at {left}")
    return left


def main() -> None:
    """Prints what was left after each kill, and whether the ends are the same."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        left = compare(Path(folder), kills=options.kills, steps=options.steps, seed=options.seed)
    print(f"killed {len(left)} times, resumed from steps {', '.join(map(str, left))}")
    print(f"parameters and moments after {options.steps} steps are the same bytes")


if __name__ == "__main__":
    main()
