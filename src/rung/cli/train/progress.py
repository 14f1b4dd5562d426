"""What `rung train` says as it goes: a moving line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rung.cli import show
from rung.cli.streams import note
from rung.errors import MemoryLimitError
from rung.train.run.spikes import REMARKABLE

if TYPE_CHECKING:
    from rung.train.run.session import Session
    from rung.train.run.trainer import Step

_EVERY_S = 10.0  # between lines where there is no terminal
_KEPT_EVERY = 20  # parts of a run after each of which a line stays on a terminal


class Quiet:
    """Says nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def stepped(self, step: Step) -> None:
        """Nothing."""

    def validated(self, step: int, loss: float, *, best: bool) -> None:
        """Nothing."""

    def sampled(self, step: int, text: str) -> None:
        """Nothing."""

    def saved(self, step: int, path: Path) -> None:
        """Nothing."""

    def asked_to_stop(self, number: int) -> None:
        """Nothing; as all that follows, from any thread."""

    def stopped_at_once(self) -> None:
        """Nothing."""


class Telling(Quiet):
    """Says on stderr what a run does, a line for each thing."""

    def __init__(self, session: Session) -> None:
        from rung.backends.cpu.machine import default_threads
        from rung.train.work import flops_per_token

        options = session.options
        self._steps = options.steps
        self._flops = flops_per_token(session.config, options.seq_len)
        self._threads = options.threads or default_threads()
        self._multiplies = "bf16" if options.precision == "bfloat16" else "f32"
        self._gpu_gflops = session.step.limit_gops
        self._device = options.device
        self._kept = session.run.kept
        self._limit_gflops: float | None = None
        self._last_s = 0.0
        self._first = True
        self._live: Any = None
        note(_facts(session))

    def __enter__(self) -> Self:
        self._limit_gflops = self._limit()
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            # Lines that are to stay are printed above it.
            self._live = Live(
                console=Console(stderr=True, highlight=False), refresh_per_second=4, transient=True
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _limit(self) -> float | None:
        """Gflop/s that the processor does at most; None for a GPU without room to measure it."""
        try:
            return self._gpu_gflops() or self._cpu_gflops()
        except MemoryLimitError:
            note(
                "how fast this GPU is was never measured, and this model leaves no room for it; "
                f"rung tune --device {self._device} does it"
            )
            return None

    def _cpu_gflops(self) -> float:
        from rung.bench.machine.file import limits
        from rung.cli.progress import doing

        with doing() as progress:

            def telling(what: str) -> None:
                progress(f"this machine: {what}")

            return limits(self._threads, progress=telling).peaks[self._multiplies].gops

    def stepped(self, step: Step) -> None:
        line = self._line(step)
        if self._live is not None:
            from rich.text import Text

            self._live.update(Text(line))
        now = time.perf_counter()
        part = max(1, self._steps // _KEPT_EVERY)
        due = now - self._last_s >= _EVERY_S if self._live is None else step.step % part == 0
        if self._first or due or step.step == self._steps:
            self._first, self._last_s = False, now
            self._say(line)
        if step.skipped:
            self._say(f"step {step.step}: {_spike(step)}, nothing is updated")
        elif step.spike > REMARKABLE:
            self._say(f"step {step.step}: {_spike(step)}")

    def validated(self, step: int, loss: float, *, best: bool) -> None:
        self._say(f"step {step}: validation loss {loss:.4f}{', the best so far' if best else ''}")

    def sampled(self, step: int, text: str) -> None:
        self._say(f"step {step}: {text}")

    def saved(self, step: int, path: Path) -> None:
        self._say(f"step {step}: saved {path}")

    def asked_to_stop(self, number: int) -> None:
        more = "; Ctrl-C once more ends at once" if number == signal.SIGINT else ""
        self._say(f"finishing this step, then saving{more}")

    def stopped_at_once(self) -> None:
        if self._live is not None:
            self._live.console.show_cursor()
        self._say(f"stopped at once, nothing is saved now; {self._kept()}")

    def _say(self, line: str) -> None:
        if self._live is None:
            note(line)
        else:
            self._live.console.print(line, markup=False)

    def _line(self, step: Step) -> str:
        norm = "-" if step.norm is None else f"{step.norm:.3f}"
        width = len(str(self._steps))
        return (
            f"step {step.step:>{width}}/{self._steps}  loss {step.loss:.4f}  norm {norm}  "
            f"lr {step.lr:.2e}  {show.count(round(step.tokens_per_s))} tok/s"
            f"{self._share(step)}{_time_left(step.left_s)}"
        )

    def _share(self, step: Step) -> str:
        if self._limit_gflops is None:
            return ""
        return f"  {self._flops * step.tokens_per_s / (self._limit_gflops * 1e9):.0%} of limit"


def _spike(step: Step) -> str:
    return f"loss {step.loss:.4f} is {step.spike:.1f} deviations above the mean"


def _facts(session: Session) -> str:
    """The model and the plan in two lines."""
    options, config, data = session.options, session.config, session.data
    held = 0 if data.validation is None else data.validation.count
    parts = session.step.describe()
    memory = sum(parts.values()) - parts["activations"]
    begun = f", from step {session.state.step}" if session.state.step else ""
    return (
        f"{config.family}, {show.count(config.n_parameters)} parameters, vocabulary "
        f"{config.vocab_size:,}, {show.size(memory)} before activations\n"
        f"{options.steps:,} steps{begun} of {options.tokens_per_step:,} tokens "
        f"({options.batch_size} x {options.seq_len} x {options.grad_accum}); "
        f"{show.count(data.train.count)} tokens to train with, {show.count(held)} to validate with"
    )


def _time_left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
    return f"  {clock} left"
