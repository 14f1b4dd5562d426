"""Everything that a training run is told: what decides its result, and how it goes on."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from rung.backends.webgpu import adapters
from rung.errors import UsageError
from rung.models.trainable import PRODUCTS, Precision
from rung.train.schedules import KINDS, Kind

_ON_THE_WAY = {"on_the_way": True}
_FLAGS = {"epsilon": "eps", "val_share": "val"}  # where a flag is not the field's name
_MOST = 1 << 53  # of any number: far above all that makes sense, and exact in JSON everywhere


def _on_the_way(default: Any) -> Any:
    """A field that does not change what is learned, so that a resumed run may have another."""
    return field(default=default, metadata=_ON_THE_WAY)


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """What to train, with what, and how.

    config, init_from: the name or file of a shape to train from nothing, or a model to go on from;
        one of the two. tokenizer: its file, "" for the one that comes with the data or the model.
    data, val_from: token shards, folders of them, or text. val_share: of the data, where nothing
        is set apart for validation; 0 for none.
    batch_size B, seq_len T: of one pass; grad_accum of them make a step.
    steps: one of steps, epochs and tokens says how long, the others are 0; none is one epoch.
    lr, min_lr, schedule, warmup, decay: see `schedules.Schedule`. None stands for a tenth of lr,
        and for a twentieth of all steps.
    weight_decay: of matrices; beta1, beta2, epsilon: AdamW's. clip: the greatest norm of all
        gradients together, 0 for any.
    skip_spikes: a step whose loss lies so many deviations above the last losses' mean updates
        nothing; 0 skips none. recompute: less memory for activations, for more time.
    precision: float32, or bfloat16 for the factors of products alone (see `step.TrainStep`).
    val_every, sample_every, save_every: in steps, 0 for never (a run is always saved at its end).
    keep: how many checkpoints stay, the last ones.

    Raises UsageError for what is out of range.
    """

    config: str = ""
    init_from: str = ""
    tokenizer: str = ""
    data: tuple[str, ...] = ()
    val_from: tuple[str, ...] = ()
    val_share: float = 0.1
    batch_size: int = 8
    seq_len: int = 0
    grad_accum: int = 1
    steps: int = 0
    epochs: float = 0.0
    tokens: int = 0
    lr: float = 6e-4
    min_lr: float | None = None
    schedule: Kind = "cosine"
    warmup: int | None = None
    decay: float = 0.2
    weight_decay: float = 0.1
    beta1: float = 0.9
    beta2: float = 0.95
    epsilon: float = 1e-8
    clip: float = 1.0
    seed: int = 0
    skip_spikes: float = 0.0
    precision: Precision = "float32"
    recompute: bool = _on_the_way(False)
    val_every: int = _on_the_way(100)
    val_batches: int = _on_the_way(20)
    sample_every: int = _on_the_way(0)
    prompt: str = _on_the_way("")
    sample_tokens: int = _on_the_way(64)
    save_every: int = _on_the_way(500)
    keep: int = _on_the_way(2)
    threads: int | None = _on_the_way(None)
    device: str = _on_the_way("cpu")

    def __post_init__(self) -> None:
        for name in ("batch_size", "grad_accum", "val_batches", "sample_tokens", "keep"):
            _check(name, getattr(self, name), least=1)
        for name in ("seq_len", "steps", "tokens", "val_every", "sample_every", "save_every"):
            _check(name, getattr(self, name), least=0)
        for name in ("epochs", "weight_decay", "clip", "skip_spikes", "seed"):
            _check(name, getattr(self, name), least=0)
        if self.min_lr is not None:
            _check("min_lr", self.min_lr, least=0)
            if self.min_lr > self.lr:
                raise UsageError(f"--min-lr is {self.min_lr}, expected at most --lr, {self.lr}")
        if self.warmup is not None:
            _check("warmup", self.warmup, least=0)
        if not 0 < self.lr < math.inf:
            raise UsageError(f"--lr is {self.lr}, expected a positive number")
        _check("lr", self.lr, least=0)
        if not 0 < np.float32(self.epsilon) < math.inf:
            raise UsageError(f"--eps is {self.epsilon}, expected a positive number (float32)")
        for name in ("beta1", "beta2"):
            value = getattr(self, name)
            if value < 0 or not np.float32(value) < 1:  # moments learn by 1 - beta
                raise UsageError(f"--{name} is {value}, expected 0 to less than 1 (float32)")
        if not 0 <= self.val_share < 1:
            raise UsageError(f"--val is {self.val_share}, expected 0 to less than 1")
        if self.schedule not in KINDS:
            raise UsageError(f"--schedule is {self.schedule!r}, expected {', '.join(KINDS)}")
        if self.precision not in PRODUCTS:
            known = " or ".join(PRODUCTS)
            raise UsageError(f"--precision is {self.precision!r}, expected {known}")
        if self.device != "cpu" and not adapters.is_name(self.device):
            names = ", ".join(("cpu", *adapters.NAMES))
            raise UsageError(f"--device is {self.device!r}, expected one of {names}")
        if self.device != "cpu" and self.precision != "float32":
            raise UsageError(
                f"--precision {self.precision} is for the cpu; a GPU trains in float32"
            )
        if sum(map(bool, (self.steps, self.epochs, self.tokens))) > 1:
            raise UsageError("--steps, --epochs and --tokens all say how long; give one of them")

    @property
    def tokens_per_step(self) -> int:
        """Tokens that one update learns from."""
        return self.batch_size * self.seq_len * self.grad_accum

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


ON_THE_WAY = frozenset(f.name for f in fields(TrainOptions) if f.metadata == _ON_THE_WAY)
"""Options that a resumed run may be given anew."""
SOURCES = ("data", "val_from")
"""Options that say where the data lies: a resumed run may find the same data elsewhere."""
LENGTH = ("steps", "epochs", "tokens")
"""Options that say how long a run is: a resumed run may be longer, on the longer schedule."""


def options_from_json(values: dict[str, Any]) -> TrainOptions:
    """The options again. Raises TypeError or UsageError for what are none."""
    lists = {name: tuple(values[name]) for name in ("data", "val_from")}
    return TrainOptions(**(values | lists))


def flag_of(name: str) -> str:
    """What an option is called on the command line."""
    return f"--{_FLAGS.get(name, name).replace('_', '-')}"


def _check(name: str, value: float, *, least: float) -> None:
    if not least <= value < math.inf:
        raise UsageError(f"{flag_of(name)} is {value}, expected {least} or more")
    if value > _MOST:
        raise UsageError(f"{flag_of(name)} is {value}, expected at most {_MOST:,}")
