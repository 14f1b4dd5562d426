"""Sampling: from the logits of one position to the next token id.

Shapes: V vocabulary, N tokens that are still candidates.

The steps, in this order, each skipped when it is off:
1. repeat penalty: the logit of every recent token moves towards "less likely";
2. temperature: logits are divided by it; at 0 the largest logit wins and the rest is skipped;
3. top-k: the k likeliest tokens stay;
4. top-p: of those, the smallest set whose probability reaches p stays;
5. min-p: of those, tokens at least min_p times as likely as the likeliest stay.
A draw from what is left, by probability, is the next token.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from copy import deepcopy

import numpy as np
from numpy.typing import NDArray

from rung.engine.batch import Choice
from rung.engine.params import SamplingParams
from rung.errors import RungError
from rung.ops.sampling.op import MOST_K

Floats = NDArray[np.float64]
Ids = NDArray[np.intp]
Chosen = Ids | slice
"""Indices of what a filter keeps; a slice where that is everything, which copies nothing."""

_ALL = slice(None)

# Sorting 32,000 float64 takes 1.7 ms, summing them by bucket 0.1 ms (one x86 core, NumPy 2.4), so
# only sets up to this size are sorted whole.
_SORT_AT_MOST = 1024
_LARGEST_LOGIT = np.finfo(np.float32).max
# Below it, differences of float32 logits over it are no numbers any more.
_COLDEST_ON_DEVICE = 1e-4
# Buckets for each factor of e in probability; only one bucket is then sorted.
_BUCKETS_PER_E = 64


class Sampler:
    """Chooses the tokens of one sequence; the same seed and logits give the same tokens.

    A batch uses one sampler for each sequence, so that a sequence's text does not depend on its
    company.
    """

    def __init__(self, params: SamplingParams) -> None:
        """Draws a seed where `params` has none; `seed` then says which."""
        self.params = params
        self.seed = secrets.randbits(32) if params.seed is None else params.seed
        # Named, since what default_rng returns may change and with it the text of a seed.
        self._random = np.random.Generator(np.random.PCG64(self.seed))

    def sample(self, logits_V: NDArray[np.float32], history: Sequence[int] = ()) -> int:
        """The next token id after `history` (the ids so far, for the repeat penalty).

        Raises RungError for logits that are not finite: they come from a damaged model or kernel.
        """
        refuse_nonfinite(logits_V)
        logits_V = self._penalised(logits_V, history)
        if self.params.temperature == 0:
            return int(np.argmax(logits_V))  # the lowest id of equals
        top_k = _largest(logits_V, self.params.top_k)
        exponents_N = self._scaled(logits_V[top_k])
        weights_N = np.exp(exponents_N)
        top_p = _nucleus(exponents_N, weights_N, self.params.top_p)
        weights_N = weights_N[top_p]
        min_p = _at_least(weights_N, self.params.min_p)
        token = self._draw(weights_N[min_p])
        for chosen in (min_p, top_p, top_k):
            token = token if isinstance(chosen, slice) else int(chosen[token])
        return token

    def choice(self, n_tokens: int) -> Choice | None:
        """How a device chooses the next tokens as `sample` would, up to the rounding of its floats.

        None where that needs the logits on the host: for penalties, and candidates by the hundred.
        """
        p = self.params
        if p.repeat_penalty != 1 and p.repeat_last_n != 0:
            return None
        if p.temperature == 0:
            return Choice()
        is_cut = p.top_p < 1 or p.min_p > 0 if p.top_k == 0 else p.top_k <= MOST_K
        if not is_cut or p.temperature < _COLDEST_ON_DEVICE:
            return None
        return Choice(
            np.array([p.temperature, p.top_k, p.top_p, p.min_p], np.float32),
            deepcopy(self._random).random(n_tokens).astype(np.float32),
        )

    def skip(self) -> None:
        """Counts a token as sampled that a device took by `choice`."""
        if self.params.temperature != 0:
            self._random.random()

    def _penalised(
        self, logits_V: NDArray[np.float32], history: Sequence[int]
    ) -> NDArray[np.float32]:
        """The logits with recent tokens made less likely (CTRL, Keskar et al. 2019)."""
        penalty, last_n = self.params.repeat_penalty, self.params.repeat_last_n
        if penalty == 1 or last_n == 0 or not history:
            return logits_V
        recent = list(set(history if last_n < 0 else history[-last_n:]))
        logits_V = logits_V.copy()
        # CTRL divides whatever the sign; multiplying negative logits keeps the penalty a penalty.
        values = logits_V[recent].astype(np.float64)
        with np.errstate(over="ignore"):  # an extreme penalty: clipped, so that logits stay finite
            values = np.where(values > 0, values / penalty, values * penalty)
        logits_V[recent] = values.clip(-_LARGEST_LOGIT, _LARGEST_LOGIT)
        return logits_V

    def _scaled(self, logits_N: NDArray[np.float32]) -> Floats:
        """(logit - largest logit) / temperature."""
        exponents_N = logits_N.astype(np.float64)
        exponents_N -= exponents_N.max()
        with np.errstate(over="ignore"):  # a tiny temperature: -inf, which is probability 0
            exponents_N /= self.params.temperature
        return exponents_N

    def _draw(self, weights_N: Floats) -> int:
        """An index, drawn by weight."""
        cumulative_N = np.cumsum(weights_N)
        target = self._random.random() * cumulative_N[-1]
        return min(int(np.searchsorted(cumulative_N, target, side="right")), len(weights_N) - 1)


def refuse_nonfinite(logits_V: NDArray[np.float32]) -> None:
    """Raises RungError for logits [V] that are NaN or infinite."""
    finite = np.isfinite(logits_V)
    if not finite.all():
        worst = int(np.argmin(finite))
        raise RungError(
            f"the model's logits are not finite (token {worst}: {logits_V[worst]}); "
            "the file may be damaged, or a kernel is wrong: RUNG_PIN chooses another"
        )


def _largest(logits_V: NDArray[np.float32], k: int) -> Chosen:
    """The k largest logits in order of index; among equals those with the lowest; 0 is all."""
    V = len(logits_V)
    if k == 0 or k >= V:
        return _ALL
    threshold = np.partition(logits_V, V - k)[V - k]
    above = np.flatnonzero(logits_V > threshold)
    equal = np.flatnonzero(logits_V == threshold)[: k - len(above)]
    return np.sort(np.concatenate([above, equal]))


def _at_least(weights_N: Floats, min_p: float) -> Chosen:
    """Weights of at least min_p, the likeliest token's being exp(0) = 1 (Nguyen et al. 2024)."""
    return np.flatnonzero(weights_N >= min_p) if min_p > 0 else _ALL


def _nucleus(exponents_N: Floats, weights_N: Floats, top_p: float) -> Chosen:
    """The fewest largest weights that sum to at least top_p of all (Holtzman et al. 2019).

    Equal weights are taken in order of index. exponents_N are the logarithms of weights_N.
    """
    N = len(weights_N)
    if top_p >= 1 or N == 1:
        return _ALL
    wanted = top_p * float(weights_N.sum())
    # Exact, from llama2.c: N - 1 weights below this bound sum to less than what top-p leaves out,
    # so all but the largest, which is exp(0) = 1, can go.
    bound = (1 - top_p) / (N - 1) * (wanted / top_p)
    candidates = np.flatnonzero(weights_N >= min(bound, 1.0))
    head, tail, wanted = _split_by_bucket(candidates, exponents_N, weights_N, wanted)
    order = tail[np.argsort(-weights_N[tail], kind="stable")]
    last = int(np.searchsorted(np.cumsum(weights_N[order]), wanted))
    return np.concatenate([head, order[: last + 1]])


def _split_by_bucket(
    candidates: Ids, exponents_N: Floats, weights_N: Floats, wanted: float
) -> tuple[Ids, Ids, float]:
    """Candidates surely in the nucleus, those that must be sorted, the weight they must add."""
    if len(candidates) <= _SORT_AT_MOST:
        return candidates[:0], candidates, wanted
    buckets = (exponents_N[candidates] * -_BUCKETS_PER_E).astype(np.intp)
    mass = np.cumsum(np.bincount(buckets, weights_N[candidates]))
    last = min(int(np.searchsorted(mass, wanted)), len(mass) - 1)
    kept = candidates[buckets <= last]
    if len(kept) <= _SORT_AT_MOST:
        return candidates[:0], kept, wanted
    before = float(mass[last - 1]) if last else 0.0
    return candidates[buckets < last], candidates[buckets == last], wanted - before
