"""Training runs for tests: tiny, in this process, told to nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rung.formats.config_json import config_to_json
from rung.formats.llmc import tokens as llmc_tokens
from rung.train.run.options import TrainOptions
from rung.train.run.session import Session, begin, resume
from rung.train.run.trainer import Step, Trainer
from support import GPT2, tiny_config

B, T = 2, 8


class Kept:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.held: list[tuple[int, float, bool]] = []
        self.texts: list[str] = []
        self.saves: list[int] = []

    def stepped(self, step: Step) -> None:
        self.steps.append(step)

    def validated(self, step: int, loss: float, *, best: bool) -> None:
        self.held.append((step, loss, best))

    def sampled(self, step: int, text: str) -> None:
        self.texts.append(text)

    def saved(self, step: int, path: Path) -> None:
        assert path.name == f"step-{step:08d}"
        self.saves.append(step)


def write_shard(path: Path, count: int = 600, *, most: int = 40, seed: int = 1) -> Path:
    """A shard of ids that follow a pattern with some noise, so that there is something to learn."""
    rng = np.random.default_rng(seed)
    ids = np.cumsum(rng.integers(1, 4, count)) % most
    with llmc_tokens.writing(path, llmc_tokens.kind_for(most)) as shard:
        shard.append(ids.astype(np.uint16))
    return path


def options(folder: Path, **changes: Any) -> TrainOptions:
    """Options of a run of a tiny GPT-2, with its data written to `folder`."""
    config = folder / "config.json"
    if not config.exists():
        config.write_text(config_to_json(tiny_config(**GPT2)))
        write_shard(folder / "data.bin")
    values: dict[str, Any] = {
        "config": str(config),
        "data": (str(folder / "data.bin"),),
        "batch_size": B,
        "seq_len": T,
        "steps": 8,
        "lr": 1e-2,
        "save_every": 3,
        "val_every": 4,
        "val_batches": 2,
        "threads": 1,
    }
    return TrainOptions(**(values | changes))


def trained(
    folder: Path, out: Path, *, stop_after: int | None = None, **changes: Any
) -> tuple[Session, Kept]:
    """A run to its end, or asked to stop after so many steps; the session is closed."""
    with begin(options(folder, **changes), out) as session:
        return session, run(session, stop_after=stop_after)


def resumed(out: Path, **given: Any) -> tuple[Session, Kept]:
    """The run in a folder, gone on with to its end."""
    with resume(out, given) as session:
        return session, run(session)


def run(session: Session, *, stop_after: int | None = None) -> Kept:
    """The session's run."""
    kept = Kept()
    ended = Trainer(session, kept).run(lambda: len(kept.steps) == stop_after)
    assert ended == (stop_after is None or session.options.steps == stop_after)
    return kept


def last_files(out: Path) -> dict[str, bytes]:
    """Parameters and moments of a run's last checkpoint."""
    folder = sorted((out / "checkpoints").glob("step-????????"))[-1]
    return {
        name: (folder / name).read_bytes() for name in ("model.safetensors", "moments.safetensors")
    }
