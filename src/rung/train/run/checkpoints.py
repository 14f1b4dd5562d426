"""Checkpoints of a run: all that it needs to go on bit for bit, in a folder for each.

OUT/checkpoints/step-00000500/
    model.safetensors    the parameters, a model as Rung loads it
    moments.safetensors  AdamW's two moments of each parameter, float32
    state.json           options, place in the data, counters, losses that spikes are told by
    tokenizer.json …     the tokenizer
OUT/model.safetensors    the last one's parameters, beside the tokenizer: OUT is a model as well

A checkpoint has its name only when all of it is on the disk; the older ones go after that. Random
numbers have no state: the order of the data and the samples follow from the seed and the step.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rung.errors import FormatError, RungError, UsageError
from rung.formats import gguf, native
from rung.formats.base import Checkpoint
from rung.formats.files import read_head, replacing, replacing_folder
from rung.formats.gguf.vocabulary import VOCABULARY_FILE, write_vocabulary
from rung.formats.json_fields import Fields, read_object
from rung.formats.safetensors_file import Planned, open_safetensors, pack_header
from rung.models.config import Config
from rung.storage import StoredTensor, stored
from rung.train.data.tokenizer_files import TOKENIZER_FILES, copy_tokenizer
from rung.train.run.lock import Lock
from rung.train.run.options import TrainOptions, options_from_json
from rung.train.step import TrainStep

CHECKPOINTS = "checkpoints"
MODEL_FILE = "model.safetensors"
MOMENTS_FILE, STATE_FILE = "moments.safetensors", "state.json"
METRICS_FILE, CURVE_FILE = "metrics.jsonl", "loss.png"
TENSORBOARD_FOLDER = "tensorboard"
VERSION = 1
_NAME = re.compile(r"step-([0-9]{8,})")
_MOST = 1 << 53
_TOKENIZER = (*TOKENIZER_FILES, VOCABULARY_FILE)
_WRITTEN = "|".join(map(re.escape, (MODEL_FILE, METRICS_FILE, *_TOKENIZER)))
_LEFT = re.compile(rf"(step-[0-9]+|{_WRITTEN})\.[0-9]+\.(part|old)")
_BEFORE_FIRST = {CHECKPOINTS, METRICS_FILE, TENSORBOARD_FOLDER, *_TOKENIZER}
"""What a run has made in its folder before its first checkpoint."""


@dataclass(frozen=True, kw_only=True)
class State:
    """Where a run stands. step: steps done; updates: those that changed parameters.

    epoch, batch: the place in the data. best_loss: the least validation loss, None before the
    first, and best_step where it was. losses: the last ones, for spikes. seconds: spent so far.
    """

    step: int = 0
    updates: int = 0
    epoch: int = 0
    batch: int = 0
    best_loss: float | None = None
    best_step: int = 0
    losses: tuple[float, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class Saved:
    """A checkpoint on disk. data: the fingerprint of the data that the run learns from."""

    path: Path
    options: TrainOptions
    state: State
    data: str

    def model(self) -> Checkpoint:
        """Its parameters. Raises FormatError for a file that is damaged."""
        return native.read(self.path / MODEL_FILE)

    def restore(self, step: TrainStep) -> None:
        """Sets moments and the number of updates; parameters are the model's.

        Raises FormatError where a moment is missing, or the file damaged.
        """
        path = self.path / MOMENTS_FILE
        file = open_safetensors(path)
        for name in step.names:
            pair = [_moment(file.tensors, path, f"{name} {m}", step.shape(name)) for m in "mv"]
            step.set_moments(name, *pair)
        step.steps = self.state.updates


def _moment(
    tensors: Mapping[str, Any], path: Path, name: str, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    tensor = tensors.get(name)
    found = "missing" if tensor is None else f"{tensor.dtype} {list(tensor.shape)}"
    if tensor is None or (tensor.dtype, tensor.shape) != ("F32", shape):
        raise FormatError(path, name, found, f"F32 {list(shape)}")
    values: NDArray[np.float32] = np.frombuffer(tensor.data.tobytes(), np.float32).reshape(shape)
    return values


class _Live(Mapping[str, StoredTensor]):
    """The parameters of a step in training, copied one at a time as they are asked for."""

    def __init__(self, step: TrainStep) -> None:
        self._step = step
        self._last: tuple[str, StoredTensor] | None = None

    def __getitem__(self, name: str) -> StoredTensor:
        if self._last is None or self._last[0] != name:
            self._last = (name, stored(self._step.parameter(name)))
        return self._last[1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._step.names)

    def __len__(self) -> int:
        return len(self._step.names)


def live_model(config: Config, step: TrainStep, path: Path = Path("training")) -> Checkpoint:
    """The model in training as a checkpoint, its weights read when they are asked for."""
    return Checkpoint(path, "in training", config, _Live(step))


class Run:
    """The folder of a run."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.lock = Lock()

    @property
    def checkpoints(self) -> list[Path]:
        """Those that are whole, the oldest first."""
        folder = self.path / CHECKPOINTS
        found = folder.iterdir() if folder.is_dir() else ()
        numbered = [(int(m[1]), p) for p in found if (m := _NAME.fullmatch(p.name))]
        return [path for _, path in sorted(numbered)]

    def check_new(self) -> None:
        """Raises UsageError where a new run must not be written here."""
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise UsageError(f"{self.path} is a file; give --out the name of a folder")
        if self.checkpoints:
            raise UsageError(
                f"{self.path} holds a run already; go on with it by --resume, or give another --out"
            )
        found = {path.name for path in self.path.iterdir() if not _LEFT.fullmatch(path.name)}
        if others := sorted(found - _BEFORE_FIRST if CHECKPOINTS in found else found):
            raise UsageError(f"{self.path} holds {others[0]}, no run; give another --out")

    def create(self, tokenizer: Path | None) -> None:
        """Makes the folder, with the tokenizer in it. Raises RungError where that fails."""
        try:
            (self.path / CHECKPOINTS).mkdir(parents=True, exist_ok=True)
            if tokenizer is not None:
                carry_tokenizer(tokenizer, self.path)
        except OSError as error:
            raise RungError(f"{self.path} cannot be written ({error.strerror})") from error

    def last(self) -> Saved:
        """The last checkpoint. Raises UsageError where there is none, FormatError for damage."""
        found = self.checkpoints
        if not found:
            raise UsageError(f"{self.path} holds no checkpoint to resume; leave --resume out")
        return read_state(found[-1])

    def tidy(self) -> None:
        """Removes what a run that was killed left half-written."""
        for folder in (self.path, self.path / CHECKPOINTS):
            for path in folder.iterdir() if folder.is_dir() else ():
                if not _LEFT.fullmatch(path.name):
                    continue
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    with suppress(OSError):
                        path.unlink()

    def save(self, step: TrainStep, options: TrainOptions, state: State, *, data: str) -> Path:
        """Writes a checkpoint, makes it the folder's model, and removes those beyond `keep`.

        Raises RungError where it cannot be written, such as on a full disk: the last one stays.
        """
        path = self.path / CHECKPOINTS / f"step-{state.step:08d}"
        if not path.exists():
            try:
                with replacing_folder(path) as folder:
                    self._write(folder, step, options, state, data)
            except RungError as error:
                again = ", --resume goes on from it" if self.checkpoints else ""
                raise RungError(
                    f"step {state.step} is not saved: {error}; {self.kept()}{again}"
                ) from None
        self.publish(path)
        self._drop_old(options.keep)
        return path

    @contextmanager
    def older_told(self) -> Iterator[None]:
        """Where the last checkpoint turns out to be damaged, the error tells of the one before."""
        try:
            yield
        except FormatError as error:
            found = self.checkpoints
            if len(found) < 2 or not str(error).startswith(str(found[-1])):
                raise
            raise RungError(
                f"{error}; to go on from {found[-2].name}, remove {found[-1]}"
            ) from None

    def kept(self) -> str:
        """What is left where a run ends badly, in words."""
        found = self.checkpoints
        if not found:
            return "no checkpoint was saved yet"
        return f"the last checkpoint is {found[-1].name}"

    def _write(
        self, folder: Path, step: TrainStep, options: TrainOptions, state: State, data: str
    ) -> None:
        native.write(folder / MODEL_FILE, live_model(step.config, step, folder), kind="f32")
        _write_moments(folder / MOMENTS_FILE, step)
        _copy_missing(self.path, folder)
        values = {
            "format": "rung training",
            "version": VERSION,
            "data": data,
            "state": asdict(state),
            "options": options.to_json(),
        }
        text = json.dumps(values, indent=2) + "\n"
        (folder / STATE_FILE).write_text(text, encoding="utf-8", newline="\n")

    def restore(self, checkpoint: Path) -> None:
        """Makes the folder a model again where it is none: killed before `publish`, or damaged.

        Raises RungError where it cannot be written.
        """
        try:
            _copy_missing(checkpoint, self.path)
        except OSError as error:
            raise RungError(f"{self.path} cannot be written ({error.strerror})") from error
        self.publish(checkpoint)

    def publish(self, checkpoint: Path) -> None:
        """Makes a checkpoint's parameters the folder's model: a second name for the same file."""
        target = self.path / MODEL_FILE
        beside = target.with_name(f"{target.name}.{os.getpid()}.part")
        try:
            with suppress(FileNotFoundError):
                beside.unlink()
            try:
                os.link(checkpoint / MODEL_FILE, beside)
            except OSError:  # a file system without second names
                shutil.copyfile(checkpoint / MODEL_FILE, beside)
            beside.replace(target)
            with suppress(FileNotFoundError):
                beside.unlink()  # POSIX renames nothing where both are names of one file
        except OSError as error:
            with suppress(OSError):
                beside.unlink()
            raise RungError(f"{target} cannot be written ({error.strerror})") from error

    def _drop_old(self, keep: int) -> None:
        for path in self.checkpoints[:-keep]:
            # Under another name first: what is half-removed must not look like a checkpoint.
            gone = path.with_name(f"{path.name}.{os.getpid()}.old")
            path.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)


def _copy_missing(source: Path, target: Path) -> None:
    """Copies the tokenizer's files that a folder lacks."""
    for name in _TOKENIZER:
        if (source / name).is_file() and not (target / name).exists():
            shutil.copyfile(source / name, target / name)


def read_state(path: Path) -> Saved:
    """The checkpoint in a folder, its tensors unread. Raises FormatError for a damaged one."""
    fields = read_object(path / STATE_FILE, "the state of a training run")
    if fields.text("format") != "rung training":
        raise fields.refuse("format", "rung training")
    fields.integer("version", least=1, most=VERSION)
    try:
        options = options_from_json(dict(fields.object("options").values))
    except (TypeError, KeyError, UsageError) as error:
        raise FormatError(fields.path, "options", f"impossible ({error})", "a run's") from None
    return Saved(path, options, _state(fields.object("state")), fields.text("data"))


def _state(fields: Fields) -> State:
    counts = ("step", "updates", "epoch", "batch", "best_step")
    return State(
        **{name: fields.integer(name, most=_MOST) for name in counts},
        best_loss=fields.optional_number("best_loss"),
        losses=fields.numbers("losses"),
        seconds=fields.number("seconds"),
    )


def _write_moments(path: Path, step: TrainStep) -> None:
    plan = [Planned(f"{name} {m}", "F32", step.shape(name)) for name in step.names for m in "mv"]
    with replacing(path) as file:
        file.write(pack_header(plan, {"format": "rung moments"}))
        for name in step.names:
            for values in step.moments(name):
                file.write(np.ascontiguousarray(values).data)


def carry_tokenizer(path: Path, folder: Path) -> None:
    """Copies a tokenizer into a folder; of a GGUF file, which may hold a model, the vocabulary."""
    if gguf.recognises(read_head(path, 4, "a tokenizer")):
        write_vocabulary(path, folder / VOCABULARY_FILE)
    else:
        copy_tokenizer(path, folder)
