"""The loop of a run: steps, validation, samples, checkpoints; what it tells goes to a Reporter."""

# B sequences, T tokens of each

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from rung.backends.base import Compiling
from rung.errors import RungError
from rung.train.data import Position
from rung.train.run.checkpoints import METRICS_FILE, TENSORBOARD_FOLDER
from rung.train.run.metrics import Metrics
from rung.train.run.samples import sample
from rung.train.run.session import Session
from rung.train.run.spikes import REMARKABLE, Spikes
from rung.train.step import Tokens

_RECENT = 0.9  # of the running mean of a step's seconds is what was before


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a step was: loss and norm (of all gradients, before clipping), rate and speed.

    spike: deviations above the last losses' mean. skipped: nothing was updated, and norm is None.
    seconds: of this step; left_s: until the end, validation and saving included; None at first,
    for the first step also compiles.
    """

    step: int
    loss: float
    norm: float | None
    lr: float
    tokens_per_s: float
    seconds: float
    left_s: float | None
    spike: float
    skipped: bool


class Reporter(Protocol):
    """Who is told how a run goes on."""

    def stepped(self, step: Step) -> None:
        """A step is done."""

    def validated(self, step: int, loss: float, *, best: bool) -> None:
        """The loss of the validation data."""

    def sampled(self, step: int, text: str) -> None:
        """Text by the model as it is."""

    def saved(self, step: int, path: Path) -> None:
        """A checkpoint is on the disk."""


class Trainer:
    """Runs a session to its end, or until it is asked to stop.

        with begin(options, out) as session:
            finished = Trainer(session, reporter).run(stop=lambda: False)

    on_compile: told while kernels of a sample are compiled, once on a machine.

    Raises RungError where the loss or a gradient is no number any more (nothing of that is saved)
    and where a checkpoint cannot be written; the last good one stays in either case.
    """

    def __init__(
        self,
        session: Session,
        reporter: Reporter,
        *,
        tensorboard: bool = False,
        on_compile: Compiling | None = None,
    ) -> None:
        self._session = session
        self._on_compile = on_compile
        self._reporter = reporter
        self._state = session.state
        self._spikes = Spikes(session.state.losses)
        self._tensorboard = session.run.path / TENSORBOARD_FOLDER if tensorboard else None
        self._begun_s = 0.0  # after the first step of this process, which is step _first
        self._first = session.state.step + 1
        self._step_s = 0.0
        self._saved = session.state.step  # in a run that goes on

    def run(self, stop: Callable[[], bool]) -> bool:
        """Whether the run reached its end; False where `stop` said so, asked after each step."""
        session, options = self._session, self._session.options
        path = session.run.path / METRICS_FILE
        with Metrics(path, step=self._state.step, tensorboard=self._tensorboard) as metrics:
            self._metrics = metrics
            if not self._state.step:
                self._validate()
                self._save()  # a folder that cannot be written is told now
            while self._state.step < options.steps:
                self._step()
                self._after()
                if stop():
                    break
            self._save()
        return self._state.step >= options.steps

    def _step(self) -> None:
        """One update from grad_accum batches, unless its loss is a spike that is skipped."""
        session, options, state = self._session, self._session.options, self._state
        start = time.perf_counter()
        lr = session.schedule.rate(state.step)
        batches, position = self._batches(Position(state.epoch, state.batch))
        norm = None
        if options.skip_spikes:
            loss = session.step.gradients(batches)
        else:
            loss, norm = session.step.train(batches, learning_rate=lr, clip=options.clip)
        if not math.isfinite(loss):
            raise self._failed("loss", loss, lr)
        spike = self._spikes.add(loss)
        skipped = 0 < options.skip_spikes < spike
        if norm is None and not skipped:
            norm = session.step.update(learning_rate=lr, clip=options.clip)
        if norm is not None and not math.isfinite(norm):
            raise self._failed("gradient norm", norm, lr)
        seconds = time.perf_counter() - start
        self._state = replace(
            state,
            step=state.step + 1,
            updates=session.step.steps,
            epoch=position.epoch,
            batch=position.batch,
            losses=self._spikes.losses,
            seconds=state.seconds + seconds,
        )
        self._tell(loss, norm, lr, seconds, spike=spike, skipped=skipped)

    def _batches(self, position: Position) -> tuple[list[Tokens], Position]:
        """Tokens and targets of a step's batches, and the place after them."""
        session, found = self._session, []
        for _ in range(session.options.grad_accum):
            batch = session.loader.batch(position)
            found.append((batch.x_BT, batch.y_BT))
            position = session.loader.after(position)
        return found, position

    def _tell(
        self,
        loss: float,
        norm: float | None,
        lr: float,
        seconds: float,
        *,
        spike: float,
        skipped: bool,
    ) -> None:
        options, state = self._session.options, self._state
        done = state.step - self._first
        share = _RECENT if done > 1 else 0.0
        self._step_s = share * self._step_s + (1 - share) * seconds
        now_s = time.perf_counter()
        left_s = (now_s - self._begun_s) / done * (options.steps - state.step) if done else None
        self._begun_s = self._begun_s if done else now_s
        step = Step(
            step=state.step,
            loss=loss,
            norm=norm,
            lr=lr,
            tokens_per_s=options.tokens_per_step / self._step_s,
            seconds=seconds,
            left_s=left_s,
            spike=spike,
            skipped=skipped,
        )
        row = {
            "step": step.step,
            "loss": loss,
            "norm": norm,
            "lr": lr,
            "tok_s": round(options.tokens_per_step / seconds, 1),
            "tokens": state.step * options.tokens_per_step,
            "seconds": round(state.seconds, 3),
        }
        if spike > REMARKABLE or skipped:
            row |= {"spike": round(spike, 2), "skipped": skipped}
        self._metrics.add(row)
        self._reporter.stepped(step)

    def _after(self) -> None:
        """Validation, a sample and a checkpoint, where they are due; the end is validated too."""
        options, step = self._session.options, self._state.step
        if step == options.steps or _due(options.val_every, step):
            self._validate()
        if _due(options.sample_every, step):
            self._sample()
        if step < options.steps and _due(options.save_every, step):
            self._save()

    def _validate(self) -> None:
        session, state = self._session, self._state
        loader = session.validation
        if loader is None:
            return
        count = min(session.options.val_batches, loader.batches_per_epoch)
        losses = []
        for index in range(count):
            batch = loader.batch(Position(0, index))
            losses.append(session.step.loss(batch.x_BT, batch.y_BT))
        loss = math.fsum(losses) / count
        if not math.isfinite(loss):
            raise self._failed("validation loss", loss, session.schedule.rate(state.step))
        best = state.best_loss is None or loss < state.best_loss
        if best:
            self._state = replace(state, best_loss=loss, best_step=state.step)
        self._metrics.add({"step": state.step, "val_loss": loss})
        self._reporter.validated(state.step, loss, best=best)

    def _sample(self) -> None:
        session, options, step = self._session, self._session.options, self._state.step
        assert session.tokenizer is not None  # a session without one takes no --sample-every
        text = sample(
            session.step,
            session.config,
            session.tokenizer,
            options.prompt,
            max_tokens=options.sample_tokens,
            seed=options.seed + step,
            threads=options.threads,
            on_compile=self._on_compile,
        )
        self._metrics.add({"step": step, "sample": text})
        self._reporter.sampled(step, text)

    def _save(self) -> None:
        session = self._session
        if self._saved == self._state.step > 0:
            return
        path = session.run.save(session.step, session.options, self._state, data=session.identity)
        self._saved = self._state.step
        self._reporter.saved(self._state.step, path)

    def _failed(self, what: str, value: float, lr: float) -> RungError:
        """The error of a run whose numbers have gone."""
        clip = "a lower --clip" if self._session.options.clip else "a --clip such as 1"
        return RungError(
            f"the {what} is {value} at step {self._state.step + 1} (learning rate {lr:.2e}), so "
            f"training stops; {self._session.run.kept()}. Resumed, it would get here again: "
            f"begin another, with a lower --lr, a longer --warmup or {clip}"
        )


def _due(every: int, step: int) -> bool:
    return every > 0 and step % every == 0
