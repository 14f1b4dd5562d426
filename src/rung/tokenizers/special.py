"""Tokens that are found in a text before anything else is done with it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping


class SpecialTokens:
    """Finds tokens by their spelling, from the left, the longest where several begin.

    That is what the library `tokenizers` does with added tokens.
    """

    def __init__(self, tokens: Mapping[str, int], *, swallowing: Collection[str] = ()) -> None:
        """Ids by spelling; a token in `swallowing` takes the white space after it along."""
        self._ids = {text: token for text, token in tokens.items() if text}
        self._swallowing = frozenset(swallowing)
        longest_first = sorted(self._ids, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def split(self, text: str) -> Iterator[str | int]:
        """The ids of the tokens found, and the stretches of text between them, none empty."""
        end = 0
        while self._ids and (match := self._pattern.search(text, end)) is not None:
            if match.start() > end:
                yield text[end : match.start()]
            yield self._ids[match[0]]
            end = match.end()
            if match[0] in self._swallowing:
                end = len(text) - len(text[end:].lstrip())
        if end < len(text):
            yield text[end:]
