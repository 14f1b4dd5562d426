"""Opening a run: options made definite, model, tokenizer and data that fit each other."""

# B sequences, T tokens of each

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rung.backends.base import Compiling
from rung.closing import Closing
from rung.engine.vocabulary import tokenizer_file
from rung.errors import DataError, MemoryLimitError, TokenizerError, UsageError
from rung.formats import Checkpoint, open_checkpoint
from rung.formats.hub import is_reference
from rung.models.config import Config
from rung.models.trainable import check_trainable
from rung.tokenizers import Tokenizer, find_tokenizer, open_tokenizer
from rung.train.configs import config_named, fitted
from rung.train.data import DataSet, Loader, Position
from rung.train.initial import initial_checkpoint
from rung.train.run.checkpoints import Run, Saved, State
from rung.train.run.corpus import Corpus, check_same, identity
from rung.train.run.options import LENGTH, ON_THE_WAY, SOURCES, TrainOptions, flag_of
from rung.train.run.room import available_bytes, check_memory, suggestion
from rung.train.run.samples import check_prompt
from rung.train.schedules import Schedule
from rung.train.step import AdamW, TrainStep

_SEQ_LEN = 256  # unless the model's context is shorter
_WARMUP_SHARE, _MIN_LR_SHARE = 0.05, 0.1
_GIB = 2**30


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer and its file; both None where there is none."""

    tokenizer: Tokenizer | None = None
    path: Path | None = None


class Session(Closing):
    """All that a run needs, open: close it, or use it in a `with` block.

    Options are definite: steps, seq_len, min_lr and warmup are numbers.
    """

    def __init__(
        self,
        run: Run,
        options: TrainOptions,
        step: TrainStep,
        data: DataSet,
        vocabulary: Vocabulary,
        state: State,
    ) -> None:
        if options.sample_every:
            if vocabulary.tokenizer is None:
                raise UsageError("--sample-every writes text, which needs a --tokenizer")
            check_prompt(vocabulary.tokenizer, step.config, options.prompt)
        self.run, self.options, self.step = run, options, step
        self.config = step.config
        self.tokenizer = vocabulary.tokenizer
        self.state = state
        self.data = data
        self.identity = identity(data)
        self.loader = _loader(data, options, self.config)
        self.validation = _validation(data, options, self.config)
        self.schedule = schedule_of(options)

    @property
    def position(self) -> Position:
        """The place in the data."""
        return Position(self.state.epoch, self.state.batch)

    def close(self) -> None:
        """Gives threads and memory back, and the folder to other processes."""
        self.step.close()
        self.run.lock.release()


def begin(options: TrainOptions, out: Path, *, on_compile: Compiling | None = None) -> Session:
    """A new run in the folder `out`.

    Raises UsageError, DataError, TokenizerError, FormatError and MemoryLimitError, each with what
    to do; nothing is written then.
    """
    run = Run(out)
    run.check_new()
    options = _absolute(options)
    corpus = corpus_of(options)
    source = _source(options)
    vocabulary = _vocabulary(options, corpus, source)
    config = _config(options, vocabulary) if source is None else source.config
    check_trainable(config)
    data = corpus.open(vocabulary.tokenizer)
    data.check_vocabulary(config.vocab_size)
    options = _definite(options, config, data)
    _check_room(config, options)
    if source is None:
        source = initial_checkpoint(config, seed=options.seed)
    step = _open_step(source, options, on_compile)
    try:
        session = Session(run, options, step, data, vocabulary, State())
        run.create(vocabulary.path)
        run.lock.hold(run.path)
        run.tidy()
        return session
    except BaseException:
        step.close()
        run.lock.release()
        raise


def resume(out: Path, given: Mapping[str, Any], *, on_compile: Compiling | None = None) -> Session:
    """The run in the folder `out`, where its last checkpoint left it.

    given: options that were told anew. Those that decide the result must be what they were, but
    for how long the run is; the data may lie elsewhere. Raises as `begin`.
    """
    run = Run(out)
    try:
        with run.older_told():
            return _resume(run, given, on_compile)
    except BaseException:
        run.lock.release()
        raise


def _resume(run: Run, given: Mapping[str, Any], on_compile: Compiling | None) -> Session:
    saved = run.last()
    run.lock.hold(run.path)
    run.tidy()
    tokenizer = find_tokenizer(saved.path / "model", 0)
    vocabulary = Vocabulary()
    source = saved.model()
    if tokenizer is not None:
        opened = open_tokenizer(tokenizer, source.config.vocab_size)
        vocabulary = Vocabulary(opened, tokenizer)
    found = {name: given[name] for name in given if name in SOURCES}
    saved = replace(saved, options=_absolute(replace(saved.options, **found)))
    data = corpus_of(saved.options).open(vocabulary.tokenizer)
    check_same(saved.data, data)
    options = _continued(saved, given, data, source.config)
    _check_room(source.config, options)
    step = _open_step(source, options, on_compile)
    try:
        saved.restore(step)
        run.restore(saved.path)
        return Session(run, options, step, data, vocabulary, saved.state)
    except BaseException:
        step.close()
        raise


def corpus_of(options: TrainOptions) -> Corpus:
    """The data that options name."""
    paths, val_paths = (tuple(map(Path, names)) for names in (options.data, options.val_from))
    return Corpus(paths, val_paths, options.val_share)


def schedule_of(options: TrainOptions) -> Schedule:
    """The learning rates of definite options."""
    assert options.min_lr is not None
    assert options.warmup is not None
    return Schedule(
        kind=options.schedule,
        peak=options.lr,
        steps=options.steps,
        warmup=options.warmup,
        min_ratio=options.min_lr / options.lr,
        decay=options.decay,
    )


def _absolute(options: TrainOptions) -> TrainOptions:
    """Paths that mean the same from any folder."""

    def full(name: str) -> str:
        return name if not name or is_reference(Path(name)) else str(Path(name).absolute())

    return replace(
        options,
        data=tuple(map(full, options.data)),
        val_from=tuple(map(full, options.val_from)),
        init_from=full(options.init_from),
        tokenizer=full(options.tokenizer),
    )


def _source(options: TrainOptions) -> Checkpoint | None:
    """The model to go on from; None for one from nothing."""
    if bool(options.config) == bool(options.init_from):
        raise UsageError("give one of --config, for a new model, and --init-from, for one there is")
    return open_checkpoint(options.init_from) if options.init_from else None


def _vocabulary(options: TrainOptions, corpus: Corpus, source: Checkpoint | None) -> Vocabulary:
    """The tokenizer: the one named, else the model's, else that of the data."""
    vocab_size = None if source is None else source.config.vocab_size
    path: Path | None = None
    if options.tokenizer:
        path = tokenizer_file(Path(options.tokenizer))
    elif source is not None:
        path = find_tokenizer(source.path, source.config.vocab_size)
    path = path or corpus.tokenizer_file()
    if path is None:
        return Vocabulary()
    return Vocabulary(open_tokenizer(path, vocab_size), path)


def _config(options: TrainOptions, vocabulary: Vocabulary) -> Config:
    """The shape of a new model. A vocabulary that its name tells stays; else it is the tokenizer's.

    Raises TokenizerError where the tokenizer has more tokens than that.
    """
    config, tokenizer = config_named(options.config), vocabulary.tokenizer
    if tokenizer is None:
        return config
    told = options.config.endswith(".json") or "vocab=" in options.config
    if told and tokenizer.vocab_size > config.vocab_size:
        raise TokenizerError(
            f"the tokenizer has {tokenizer.vocab_size} tokens, more than the vocabulary of "
            f"{config.vocab_size} that {options.config} tells"
        )
    found = fitted(config, tokenizer)
    return replace(found, vocab_size=config.vocab_size) if told else found


def _definite(options: TrainOptions, config: Config, data: DataSet) -> TrainOptions:
    """Every number that was left open; how long in steps."""
    seq_len = options.seq_len or min(config.context_length, _SEQ_LEN)
    if seq_len > config.context_length:
        raise UsageError(f"--seq-len is {seq_len}, the model's context is {config.context_length}")
    options = replace(options, seq_len=seq_len)
    steps = _steps(options, _loader(data, options, config))
    warmup = options.warmup
    if warmup is None:
        warmup = math.ceil(_WARMUP_SHARE * steps) if options.schedule != "constant" else 0
    min_lr = options.lr * _MIN_LR_SHARE if options.min_lr is None else options.min_lr
    options = replace(options, steps=steps, epochs=0.0, tokens=0, warmup=warmup, min_lr=min_lr)
    schedule_of(options)  # raises what is wrong with it
    return options


def _steps(options: TrainOptions, loader: Loader) -> int:
    if options.steps:
        return options.steps
    if options.tokens:
        return math.ceil(options.tokens / options.tokens_per_step)
    batches = (options.epochs or 1.0) * loader.batches_per_epoch
    return max(1, math.floor(batches / options.grad_accum))


def _loader(data: DataSet, options: TrainOptions, config: Config) -> Loader:
    return Loader(
        data.train,
        B=options.batch_size,
        T=options.seq_len,
        vocab_size=config.vocab_size,
        seed=options.seed,
    )


def _validation(data: DataSet, options: TrainOptions, config: Config) -> Loader | None:
    """Batches to validate with, in the order of the data; None where nothing is validated."""
    if data.validation is None or not options.val_every:
        return None
    try:
        return Loader(
            data.validation,
            B=options.batch_size,
            T=options.seq_len,
            vocab_size=config.vocab_size,
            shuffle=False,
        )
    except DataError as error:
        raise DataError(f"validation: {error}; or --val-every 0 for none") from None


def _continued(
    saved: Saved, given: Mapping[str, Any], data: DataSet, config: Config
) -> TrainOptions:
    """The options of a run that goes on. Raises UsageError for one that was another."""
    options = saved.options
    asked = _absolute(replace(TrainOptions(), **{k: given[k] for k in given if k not in LENGTH}))
    for name in given:
        if name in ON_THE_WAY or name in LENGTH or name in SOURCES:
            continue
        was, now = getattr(options, name), getattr(asked, name)
        if was != now:
            raise UsageError(
                f"{flag_of(name)} is {now}, but the run has {was}: leave it out to go on, or begin "
                "a new run in another --out"
            )
    kept = {name: given[name] for name in given if name in ON_THE_WAY}
    options = replace(options, **kept)
    if longer := {name: given[name] for name in given if name in LENGTH}:
        base = replace(options, steps=0, epochs=0.0, tokens=0)
        steps = _steps(replace(base, **longer), _loader(data, options, config))
        if steps < saved.state.step:
            raise UsageError(
                f"the run is to have {steps} steps, and has {saved.state.step} already"
            )
        assert options.warmup is not None
        # A run that ends while it warms up does not get further than that.
        options = replace(options, steps=steps, warmup=min(options.warmup, steps))
        schedule_of(options)  # raises what is wrong with it
    return options


def _check_room(config: Config, options: TrainOptions) -> None:
    if options.device != "cpu":
        return  # a GPU does not tell what is free, and refuses what is too much
    check_memory(
        config,
        batch_size=options.batch_size,
        seq_len=options.seq_len,
        grad_accum=options.grad_accum,
        recompute=options.recompute,
    )


def _prepare(step: TrainStep) -> None:
    """Makes its programs now; a step that has no room for them, or is interrupted, is closed."""
    try:
        step.prepare()
    except BaseException:
        step.close()
        raise


def _open_step(
    source: Checkpoint, options: TrainOptions, on_compile: Compiling | None
) -> TrainStep:
    """The model ready to train. Raises MemoryLimitError, with what would fit."""
    weights: dict[str, NDArray[np.float32]] = {}
    try:
        for name, weight in source.weights.items():
            weights[name] = weight.float32()
        step = TrainStep(
            source.config,
            weights,
            sequences=options.batch_size,
            tokens=options.seq_len,
            device=options.device,
            threads=options.threads,
            optimizer=AdamW(
                beta1=options.beta1,
                beta2=options.beta2,
                epsilon=options.epsilon,
                weight_decay=options.weight_decay,
            ),
            recompute=options.recompute,
            precision=options.precision,
            on_compile=on_compile,
        )
        if options.device != "cpu":
            _prepare(step)
        return step
    except (MemoryError, MemoryLimitError) as error:
        told = str(error).partition(";")[0]
        if options.device != "cpu":
            raise MemoryLimitError(
                f"{told}; a smaller --batch-size with more --grad-accum needs less, as do a "
                "shorter --seq-len and --recompute"
            ) from None
        available = available_bytes() or 0
        fits = suggestion(
            source.config,
            batch_size=options.batch_size,
            seq_len=options.seq_len,
            grad_accum=options.grad_accum,
            recompute=options.recompute,
            available=available,
        )
        raise MemoryLimitError(
            f"out of memory ({told}), {available / _GIB:.1f} GiB are free; {fits}"
        ) from None
