"""Tokens that end a turn or a text, known by the names that model families gave them."""

from __future__ import annotations

from collections.abc import Iterable

_ENDINGS = frozenset(
    {
        "<|eot_id|>",
        "<|eom_id|>",
        "<|im_end|>",
        "<|end|>",
        "<|endoftext|>",
        "<|end_of_text|>",
        "<|return|>",
        "<end_of_turn>",
        "<end_of_utterance>",
        "<EOT>",
        "_<EOT>",
        "[EOT]",
        "<｜end▁of▁sentence｜>",
    }
)


def text_endings(pieces: Iterable[str]) -> frozenset[int]:
    """The ids of the tokens, given in order of id, whose names say that they end a turn or a text.

    Files often name only one of them, while the model was taught to end its turns with another.
    """
    return frozenset(token for token, piece in enumerate(pieces) if piece in _ENDINGS)
