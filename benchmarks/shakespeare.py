"""A small GPT-2 on Shakespeare: the validation loss of `rung train` beside PyTorch's.

    python benchmarks/shakespeare.py tinyshakespeare.txt --plot shakespeare.png

Both start from the same weights and see the same batches in the same order, with the same learning
rates, clipping and AdamW, in float32. PyTorch's decoder is the one that the tests compare with.
Printed are the losses of both on the same validation batches, and the greatest differences.

--control runs PyTorch a second time with one weight of the beginning moved to the next float32: so
far apart are two runs that differ by rounding alone, which is what the differences compare with.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from rung.bench.results import append_rows, origin
from rung.formats.config_json import config_to_json
from rung.formats.llmc.layout import plain_config
from rung.train.data import Loader, Position
from rung.train.data.prepare import Options, prepare
from rung.train.data.sources import Reading, find_sources
from rung.train.run.options import TrainOptions
from rung.train.run.session import Session, begin
from rung.train.run.trainer import Trainer

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from torch_model import mean_loss, parameters

RESULTS = Path(__file__).parent / "results" / "shakespeare.jsonl"


class Curves(NamedTuple):
    """Losses of training by step, and of validation as (step, loss)."""

    trained: list[float]
    held: list[tuple[int, float]]


class Keeping:
    """A reporter of `rung train` that keeps losses."""

    def __init__(self) -> None:
        self.curves = Curves([], [])

    def stepped(self, step: Any) -> None:
        self.curves.trained.append(step.loss)

    def validated(self, step: int, loss: float, *, best: bool) -> None:
        self.curves.held.append((step, loss))
        print(f"rung     step {step:5d}  validation loss {loss:.5f}", flush=True)

    def sampled(self, step: int, text: str) -> None:
        """Not asked for."""

    def saved(self, step: int, path: Path) -> None:
        """Not of interest."""


def write_data(text: Path, folder: Path, vocabulary: int) -> Path:
    """The text as token shards, with a tokenizer trained on it."""
    prepare(
        find_sources([text]),
        folder,
        Options(reading=Reading(), validation=0.1),
        vocabulary=vocabulary,
        progress=lambda stage, done, total, tokens: None,
    )
    return folder


def options_of(told: argparse.Namespace, folder: Path) -> TrainOptions:
    """What both sides are told."""
    config = plain_config(
        dim=told.dim,
        n_layers=told.layers,
        n_heads=told.heads,
        vocab_size=told.vocabulary,
        context_length=told.seq_len,
    )
    (folder / "config.json").write_text(config_to_json(config))
    data = write_data(told.text, folder / "data", told.vocabulary)
    return TrainOptions(
        config=str(folder / "config.json"),
        data=(str(data),),
        batch_size=told.batch_size,
        seq_len=told.seq_len,
        steps=told.steps,
        lr=told.lr,
        val_every=max(1, told.steps // 20),
        save_every=0,
        threads=told.threads,
    )


class PyTorch:
    """The same run by PyTorch, from the weights that a session begins with."""

    def __init__(self, session: Session, *, moved: bool = False) -> None:
        options, step = session.options, session.step
        self.session = session
        first = {name: step.parameter(name) for name in step.names}
        if moved:
            matrix = first["blk.0.ffn_up.weight"]
            matrix[0, 0] = np.nextafter(matrix[0, 0], np.float32(np.inf))
        self.weights = parameters(first)
        matrices, vectors = (
            [w for w in self.weights.values() if (w.ndim > 1) == matrix] for matrix in (True, False)
        )
        groups = [
            {"params": matrices, "weight_decay": options.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(
            groups, betas=(options.beta1, options.beta2), eps=options.epsilon
        )

    def loss(self, loader: Loader, position: Position) -> torch.Tensor:
        """The mean loss of a batch."""
        batch = loader.batch(position)
        arrays = (torch.from_numpy(ids).long() for ids in (batch.x_BT, batch.y_BT))
        return mean_loss(self.session.config, self.weights, *arrays)

    @torch.no_grad()
    def validate(self) -> float:
        """The mean over the batches that rung validates with."""
        loader = self.session.validation
        assert loader is not None
        count = min(self.session.options.val_batches, loader.batches_per_epoch)
        return sum(self.loss(loader, Position(0, i)).item() for i in range(count)) / count

    def run(self) -> Curves:
        """All steps."""
        session, options = self.session, self.session.options
        curves = Curves([], [(0, self.validate())])
        for step in range(options.steps):
            loss = self.loss(session.loader, session.loader.at_step(step))
            self.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.weights.values(), options.clip)
            for group in self.optimizer.param_groups:
                group["lr"] = session.schedule.rate(step)
            self.optimizer.step()
            curves.trained.append(loss.item())
            if (step + 1) % options.val_every == 0 or step + 1 == options.steps:
                curves.held.append((step + 1, self.validate()))
                print(f"pytorch  step {step + 1:5d}  validation loss {curves.held[-1][1]:.5f}")
        return curves


def greatest(one: Curves, other: Curves) -> tuple[float, float]:
    """The greatest difference of validation losses, and of training losses."""
    held = max(abs(a - b) for (_, a), (_, b) in zip(one.held, other.held, strict=True))
    return held, max(abs(a - b) for a, b in zip(one.trained, other.trained, strict=True))


def draw(ours: Curves, theirs: Curves, path: Path) -> None:
    """Both validation curves, and their difference below."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for curves, style, name in ((theirs, "o", "PyTorch"), (ours, "-", "rung train")):
        steps, losses = zip(*curves.held, strict=True)
        above.plot(steps, losses, style, label=name, markerfacecolor="none")
    away = [a - b for (_, a), (_, b) in zip(ours.held, theirs.held, strict=True)]
    below.plot([step for step, _ in ours.held], away)
    above.set(ylabel="validation loss, nats a token", title="a small GPT-2 on Shakespeare")
    above.legend()
    below.set(xlabel="step", ylabel="difference")
    for axes in (above, below):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Trains both, prints both columns and the greatest difference."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("text", type=Path)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--vocabulary", type=int, default=512)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--seq-len", type=int, default=64)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--control", action="store_true", help="PyTorch once more, a rounding away")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--results", type=Path, default=RESULTS)
    told = parser.parse_args()
    torch.set_num_threads(told.threads)
    with (
        tempfile.TemporaryDirectory() as folder,
        begin(options_of(told, Path(folder)), Path(folder) / "run") as session,
    ):
        other = PyTorch(session)  # before any step of ours
        control = PyTorch(session, moved=True) if told.control else None
        keeping = Keeping()
        Trainer(session, keeping).run(stop=lambda: False)
        ours, theirs = keeping.curves, other.run()
        again = None if control is None else control.run()
    print("\n step        rung     pytorch  difference")
    for (step, a), (_, b) in zip(ours.held, theirs.held, strict=True):
        print(f"{step:5d}  {a:10.5f}  {b:10.5f}  {a - b:+10.1e}")
    apart = {"rung and pytorch": greatest(ours, theirs)}
    if again is not None:
        apart["pytorch and pytorch, a rounding away"] = greatest(again, theirs)
    for names, (held, trained) in apart.items():
        print(f"greatest difference of {names}: validation {held:.1e}, training {trained:.1e}")
    if told.plot is not None:
        draw(ours, theirs, told.plot)
    shape = ("dim", "layers", "heads", "vocabulary", "batch_size", "seq_len", "steps", "lr")
    row: dict[str, Any] = {name: getattr(told, name) for name in (*shape, "threads")}
    row |= {"rung_losses": ours.held, "pytorch_losses": theirs.held, "greatest": apart, **origin()}
    append_rows(told.results, [json.loads(json.dumps(row))])


if __name__ == "__main__":
    main()
