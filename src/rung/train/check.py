"""llm.c's test of a GPT-2: logits, loss, all gradients and some steps of AdamW beside a reference.

The reference is a debug state that another program wrote. Differences are shares of the largest
expected value of a weight's gradient (of each layer, queries, keys and values apart), so that one
bound holds for small ones, too. llm.c's own program allows 1e-2 of logits and losses and 2e-2 of
gradients, as absolute differences.
"""

# B sequences, T tokens of each, V vocabulary

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rung.backends.base import Compiling
from rung.engine.batch import Batch
from rung.engine.runner import plan_model
from rung.errors import UsageError
from rung.formats import Checkpoint, llmc
from rung.formats.llmc import state as llmc_state
from rung.formats.llmc.state import State
from rung.train.step import AdamW, TrainStep

LOGITS, LOSS, GRADIENTS, STEPS = 2e-5, 1e-5, 1e-4, 1e-3
"""The greatest differences allowed. The last: steps of AdamW magnify rounding."""

_FROM_SCORES = {"qkvb": 1e-3}
"""Where weights are fresh, attention is nearly uniform, and the gradients of these biases are
little more than rounding: 1.2e-4 in a model that is right."""

LEARNING_RATE = 1e-4
_ADAMW = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}

_NAMES = {
    "token_embd.weight": "wte",
    "position_embd.weight": "wpe",
    "attn_norm.weight": "ln1w",
    "attn_norm.bias": "ln1b",
    "attn_q.weight": "qkvw",
    "attn_k.weight": "qkvw",
    "attn_v.weight": "qkvw",
    "attn_q.bias": "qkvb",
    "attn_k.bias": "qkvb",
    "attn_v.bias": "qkvb",
    "attn_output.weight": "attprojw",
    "attn_output.bias": "attprojb",
    "ffn_norm.weight": "ln2w",
    "ffn_norm.bias": "ln2b",
    "ffn_up.weight": "fcw",
    "ffn_up.bias": "fcb",
    "ffn_down.weight": "fcprojw",
    "ffn_down.bias": "fcprojb",
    "output_norm.weight": "lnfw",
    "output_norm.bias": "lnfb",
}
"""What llm.c calls each of our weights, the layer left out."""

# Losses of ten steps on the batch in gpt2_124M_debug_state.bin, as llm.c's test lists them.
_KNOWN = (5.270007133483887, 4.059706687927246, 3.3751230239868164, 2.8007826805114746,
          2.315382242202759, 1.8490285873413086, 1.3946564197540283, 0.9991465210914612,
          0.6240804195404053, 0.37651097774505615)  # fmt: skip
_GPT2_124M = (12, 768, 50257)  # layers, width, vocabulary


class Check(NamedTuple):
    """One comparison. expected, found: a loss, or the largest value of a tensor; place: where the
    difference is greatest. expected and difference are None where nothing is known to compare.
    """

    name: str
    expected: float | None
    found: float
    difference: float | None
    tolerance: float
    place: str = ""

    @property
    def ok(self) -> bool:
        """Whether the difference is allowed; no number never is."""
        if self.difference is None:
            return bool(np.isfinite(self.found))
        return self.difference <= self.tolerance


def check(
    model: Path,
    state: Path,
    *,
    steps: int = 10,
    losses: Sequence[float] | None = None,
    weight_decay: float = 0.0,
    device: str = "cpu",
    threads: int | None = None,
    on_compile: Compiling | None = None,
) -> list[Check]:
    """Everything that is compared, in order.

    losses: those expected of the steps, None where they are not known (but for GPT-2 124M).
    weight_decay: of every tensor. device: what trains, and computes the logits. Raises FormatError
    for files that are damaged, UsageError for a state that does not belong to the model, or another
    number of losses than steps.
    """
    if losses is not None and len(losses) != steps:
        raise UsageError(
            f"--losses are {len(losses)} numbers, expected one for each of {steps} steps"
        )
    checkpoint = llmc.read(model)
    reference = llmc_state.read(state, checkpoint.config)
    B, T = reference.x_BT.shape
    if checkpoint.config.context_length < T:
        raise UsageError(
            f"{state}: sequences of {T} tokens, the model's context is "
            f"{checkpoint.config.context_length}"
        )
    found = [_logits(checkpoint, reference, device, threads)]
    with TrainStep(
        checkpoint.config,
        {name: weight.float32() for name, weight in checkpoint.weights.items()},
        sequences=B,
        tokens=T,
        device=device,
        threads=threads,
        optimizer=AdamW(**_ADAMW, weight_decay=weight_decay),
        decays=lambda name, shape: True,
        on_compile=on_compile,
    ) as step:
        loss = step.loss_and_gradients(reference.x_BT, reference.y_BT)
        found.append(_number("loss", reference.loss, loss, LOSS))
        found += _gradients(step, reference.gradients)
        found += _steps(step, reference, loss, _expected(checkpoint, reference, losses, steps))
    return found


def _logits(checkpoint: Checkpoint, reference: State, device: str, threads: int | None) -> Check:
    """Logits of every token, by the engine that generates."""
    T = reference.x_BT.shape[1]
    runner = plan_model(checkpoint, context_length=T, max_tokens=T, device=device, threads=threads)
    try:
        rows = [
            runner.forward(Batch.one(ids.tolist(), rows="all")).copy() for ids in reference.x_BT
        ]
    finally:
        runner.close()
    return compared("logits", {"logits": (np.stack(rows), reference.logits_BTV)}, LOGITS)


def _gradients(step: TrainStep, expected: Mapping[str, NDArray[np.float32]]) -> list[Check]:
    """The sixteen tensors of llm.c, each over all layers."""
    groups: dict[str, dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]] = {}
    for name in step.names:
        theirs = _NAMES[re.sub(r"^blk\.\d+\.", "", name)]
        groups.setdefault(theirs, {})[name] = (step.gradient(name), expected[name])
    return [
        compared(f"d{name}", parts, _FROM_SCORES.get(name, GRADIENTS))
        for name, parts in groups.items()
    ]


def _expected(
    checkpoint: Checkpoint, reference: State, losses: Sequence[float] | None, steps: int
) -> list[float | None]:
    """The losses of the steps, None where nobody knows."""
    c = checkpoint.config
    if losses is not None:
        return list(losses)
    published = (c.n_layers, c.dim, c.vocab_size) == _GPT2_124M
    if published and abs(reference.loss - _KNOWN[0]) < 1e-3:
        return [*_KNOWN, *[None] * steps][:steps]
    return [reference.loss, *[None] * steps][:steps]


def _steps(
    step: TrainStep, reference: State, loss: float, expected: Sequence[float | None]
) -> list[Check]:
    """The loss before each update."""
    found = []
    for index, value in enumerate(expected):
        if index:
            loss = step.loss_and_gradients(reference.x_BT, reference.y_BT)
        step.update(learning_rate=LEARNING_RATE)
        found.append(_number(f"loss of step {index + 1}", value, loss, STEPS))
    return found


def _number(name: str, expected: float | None, found: float, tolerance: float) -> Check:
    difference = None if expected is None else abs(found - expected) / (abs(expected) or 1.0)
    return Check(name, expected, found, difference, tolerance)


def compared(
    name: str,
    parts: Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]],
    tolerance: float,
) -> Check:
    """Arrays, each found and expected, in one row: the worst, as a share of its largest value.

    One that holds no number is the worst.
    """
    worst, place = 0.0, ""
    for part, (found, expected) in parts.items():
        away = np.abs(found - expected)
        # A bias of all keys adds the same to all scores of a token, so its gradient is nothing but
        # rounding: it is held against that of the queries.
        like = parts.get(part.replace("attn_k.bias", "attn_q.bias"), (found, expected))[1]
        scale = max(float(np.abs(expected).max()), float(np.abs(like).max())) or 1.0
        difference = float(away.max()) / scale
        if not difference <= worst:
            worst = difference
            place = f"{part} {[int(i) for i in np.unravel_index(np.argmax(away), away.shape)]}"
        if np.isnan(worst):
            break
    largest = [max(float(np.abs(pair[side]).max()) for pair in parts.values()) for side in (0, 1)]
    return Check(name, largest[1], largest[0], worst, tolerance, place)
