"""Shapes that kernels are timed on: a decoder of about a billion parameters, unless told otherwise.

A shape is a test case of its op with other sizes: dimension letters, attributes, types.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rung.bench.kernels.targets import TOKENS, Case, Target
from rung.errors import UsageError
from rung.registry import Op, letters_of

DECODE, PROMPT = 1, 128
"""Tokens of a step of decoding, and of a prompt."""

# Sizes by letter: widths of TinyLlama and its kin, for ops on whole vectors and for those on heads.
_WIDE = {"N": 2048, "K": 2048, "D": 2048, "F": 5632, "V": 4096, "E": 64}
_HEADS = {"H": 32, "G": 8, "S": 1, "C": 1024, "D": 128, "F": 128, "E": 64, "P": 16, "L": 64}
_HEADS |= {"M": _HEADS["G"] * _HEADS["D"]}
# Dimensions that hang together, or have one size only: as in a step of GPT-2 with 124M weights.
_UPDATE = {"N": 768 * 3072, "F": 2, "P": 9, "S": 148, "C": 64}
_SEQUENCES = {"B": 4, "M": 36, "H": 12, "D": 64, "F": 64}
_CHUNKS = {"C": 4, "R": 256, "D": 768}
_OWN = {
    "adamw": _UPDATE,
    "square_sums": _UPDATE,
    "gradient_factor": _UPDATE,
    "norm_backward_x": {"S": 2},
    "norm_backward_w": {"S": 2},
    "swiglu_pair": {"E": 2 * 5632},
    "swiglu_pair_backward": {"E": 2 * 5632},
    "causal_attention": _SEQUENCES,
    "causal_attention_backward": _SEQUENCES,
    "rope_heads": _SEQUENCES,
    "chunk": _CHUNKS,
    "chunk_backward": _CHUNKS,
    "cross_entropy": {"V": 50257},
    "cross_entropy_backward": {"V": 50257},
    "mean_loss": {"O": 1},
    "mean_loss_backward": {"O": 1},
}
# What an op's `make` is told beside sizes: attention's tokens come last in a full context.
_MADE = {"attention": {"full": True}}


def letters(op: Op) -> list[str]:
    """The dimension letters of an op's inputs, in order."""
    return list(dict.fromkeys(letter for name in op.inputs for letter in letters_of(name)))


def default_sizes(op: Op) -> dict[str, int]:
    """A size for each letter but T. Letters that are not known get 128."""
    own = letters(op)
    known = _WIDE | _HEADS if {"H", "G"} & set(own) else _WIDE
    known = known | _OWN.get(op.name, {})
    return {letter: known.get(letter, 128) for letter in own if letter != TOKENS}


def parse_shape(op: Op, text: str) -> dict[str, int]:
    """Sizes from "N=2048,K=5632", or N×K for ops that have both, as "2048x5632".

    Raises UsageError for anything else.
    """
    own = letters(op)
    words = [word for word in text.replace(" ", "").split(",") if word]
    if words and "=" not in text and {"N", "K"} <= set(own):
        numbers = text.replace(" ", "").lower().replace("×", "x").split("x")
        words = [f"{letter}={n}" for letter, n in zip("NK", numbers, strict=False)]
        if len(numbers) != 2:
            words = [text]
    sizes: dict[str, int] = {}
    for word in words or [text]:
        letter, _, number = word.partition("=")
        if letter not in own or letter in sizes or not _is_size(number):
            raise UsageError(
                f"--shape is {text!r}, expected sizes such as "
                + ",".join(f"{name}={size}" for name, size in example_sizes(op).items())
                + (" or 2048x5632 for N×K" if {"N", "K"} <= set(own) else "")
            )
        sizes[letter] = int(number)
    return sizes


def example_sizes(op: Op) -> dict[str, int]:
    """Sizes of one token, in the order of the op's letters."""
    sizes = {TOKENS: DECODE, **default_sizes(op)}
    return {letter: sizes[letter] for letter in letters(op)}


def _is_size(text: str) -> bool:
    return text.isascii() and text.isdecimal() and 0 < int(text[:12]) <= 1 << 31


def cases(
    target: Target, *, shapes: Sequence[str] = (), tokens: Sequence[int] = ()
) -> list[dict[str, Any]]:
    """The cases to time: each shape with each number of tokens; by default decoding and a prompt.

    Raises UsageError for a shape that the op or the storage types cannot have.
    """
    op = target.op
    found = []
    for text in shapes or [""]:
        given = parse_shape(op, text) if text else {}
        if TOKENS not in letters(op) or TOKENS in given:
            if tokens and TOKENS in given:
                raise UsageError(f"--shape {text} and --tokens both give T; leave one out")
            found.append(_case(target, given))
            continue
        found += [_case(target, {TOKENS: T, **given}) for T in tokens or (DECODE, PROMPT)]
    for case in found:
        _check(target, case)
    return found


def _case(target: Target, sizes: dict[str, int]) -> dict[str, Any]:
    """A case of the op's own attributes with these sizes."""
    op = target.op
    own = set(letters(op))
    example = op.cases[0] if op.cases else {}
    first = {k: v for k, v in example.items() if k not in own and k != "types"}
    made = _MADE.get(op.name, {})
    if {"P", "C", "L"} <= own and "C" in sizes:
        # Pages hold as many positions as there are.
        sizes = {"P": -(-sizes["C"] // sizes.get("L", _HEADS["L"])), **sizes}
    return first | made | default_sizes(op) | sizes | {"types": dict(target.types)}


def _check(target: Target, case: Case) -> None:
    """Raises UsageError where rows are no whole blocks of their storage type."""
    for name, kind in target.types.items():
        try:
            kind.plane_shapes(tuple(case[letter] for letter in letters_of(name)))
        except ValueError as error:
            raise UsageError(f"{target.name}: {name}: {error}") from None


def show(op: Op, case: Case) -> str:
    """Such as T=1 N=2048 K=2048."""
    return " ".join(f"{letter}={case[letter]}" for letter in letters(op))


def cut(op: Op, case: Case, fits: Callable[[Case], bool]) -> dict[str, Any]:
    """The case with sizes halved until fits(case) holds: those of the output first, down to 64.

    A reduction comes after them, for its length is what rounding errors grow with.
    """
    smaller = dict(case)
    own = letters(op)
    outer = [letter for letter in own if letter in letters_of(op.out)]
    while not fits(smaller):
        halves = [x for x in outer if smaller[x] % 2 == 0 and smaller[x] > 64]
        halves = halves or [x for x in own if smaller[x] % 2 == 0 and smaller[x] > 8]
        if not halves:
            return smaller
        largest = max(halves, key=lambda letter: smaller[letter])
        smaller[largest] //= 2
    return smaller
