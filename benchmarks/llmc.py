"""llm.c's training program beside ours, a step at a time.

The program takes no options: it trains 4 sequences of 64 tokens from files in its working folder,
one step after another. Those files are written here, with the weights and tokens of the other
sides, and the program is stopped between turns.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from rung.formats.base import Checkpoint
from rung.formats.llmc import tokens as llmc_tokens
from rung.formats.llmc import write as llmc_write
from rung.models.config import Config
from rung.storage import stored

SEQUENCES, TOKENS = 4, 64
MOST_TURNS = 18
"""Steps before the program writes text, which takes a minute, less those that also validate."""

_VALIDATES_EVERY = 10
_DATA = Path("dev", "data", "tinyshakespeare")
_SHARDS = ("tiny_shakespeare_train.bin", "tiny_shakespeare_val.bin")
_BATCHES = 8  # in a shard, all of them the same

Arrays = dict[str, np.ndarray[Any, np.dtype[np.float32]]]


class LlmcSide:
    """llm.c's train_gpt2, which runs while it is its turn."""

    def __init__(
        self,
        program: Path,
        config: Config,
        weights: Arrays,
        tokens_X: np.ndarray[Any, np.dtype[np.int32]],
        *,
        threads: int,
    ) -> None:
        self.seconds: list[float] = []
        self.losses: list[float] = []
        self.peak_bytes = 0
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        named = {name: stored(values) for name, values in weights.items()}
        llmc_write.write(folder / "gpt2_124M.bin", Checkpoint(folder, "", config, named))
        (folder / _DATA).mkdir(parents=True)
        for shard in _SHARDS:
            repeated = np.append(np.tile(tokens_X, _BATCHES), tokens_X[:1])
            llmc_tokens.write(folder / _DATA / shard, repeated)
        command = ["stdbuf", "-oL", str(program.resolve())]
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, cwd=folder, env=environment
        )
        self._resumed_s = time.perf_counter()
        self._lost_s = 0.0  # of the coming step: what ran before it was stopped
        self._next()  # step 0, which validates first
        self._stop()

    def step(self) -> None:
        """One turn: a step without validation."""
        self._resumed_s = time.perf_counter() - self._lost_s
        self._process.send_signal(signal.SIGCONT)
        step, loss, seconds = self._next()
        if step % _VALIDATES_EVERY == 0:
            step, loss, seconds = self._next()
        self._stop()
        self.seconds.append(seconds)
        self.losses.append(loss)
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found is not None
        self.peak_bytes = int(found[1]) << 10

    def close(self) -> None:
        """Ends it."""
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    def _next(self) -> tuple[int, float, float]:
        """The next step's number, loss and seconds."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if (found := re.match(r"step (\d+): train loss (\S+) ", line)) is not None:
                now = time.perf_counter()
                seconds, self._resumed_s = now - self._resumed_s, now
                return int(found[1]), float(found[2]), seconds
        raise SystemExit("llm.c's program has ended; what it said is above")

    def _stop(self) -> None:
        self._process.send_signal(signal.SIGSTOP)
        self._lost_s = time.perf_counter() - self._resumed_s
