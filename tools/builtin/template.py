"""text = expand("[Hello|Hi], {name}!"): the template language in which the stories are written.

`[a|b|]` chooses one alternative, nested as deep as one likes; `{role.field}` asks the story for a
value. Capital first letters carry over: `{H.he}` is "She" where `{h.he}` is "she".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from random import Random

# A parsed template is a tuple of parts: text, a field (name, attribute), or a list of alternatives.
Field = tuple[str, str]
Part = str | Field | list["Parts"]
Parts = tuple[Part, ...]
Lookup = Callable[[str, str], str]

_TOKEN = re.compile(r"\[|\]|\||\{[^{}]*\}|[^\[\]|{}]+")


class TemplateError(ValueError):
    """A template that does not parse, or names a field that nobody knows."""


@cache
def parse(template: str) -> Parts:
    """The template as nested parts. Raises TemplateError where brackets do not match."""
    tokens = _TOKEN.findall(template)
    parts, end = _parse_sequence(tokens, 0, depth=0)
    if end != len(tokens):
        raise TemplateError(f"unbalanced ']' or stray '|' in {template!r}")
    return parts


def _parse_sequence(tokens: list[str], start: int, *, depth: int) -> tuple[Parts, int]:
    parts: list[Part] = []
    at = start
    while at < len(tokens):
        token = tokens[at]
        if token in ("|", "]"):
            break
        if token == "[":
            options: list[Parts] = []
            while True:
                option, at = _parse_sequence(tokens, at + 1, depth=depth + 1)
                options.append(option)
                if at >= len(tokens):
                    raise TemplateError(f"'[' without ']' in {''.join(tokens)!r}")
                if tokens[at] == "]":
                    break
            parts.append(options)
        elif token.startswith("{"):
            name, _, attribute = token[1:-1].partition(".")
            parts.append((name, attribute))
        else:
            parts.append(token)
        at += 1
    return tuple(parts), at


def expand(template: str, rng: Random, lookup: Lookup) -> str:
    """One realization of the template; lookup(name, attribute) gives the fields."""
    out: list[str] = []
    _expand(parse(template), rng, lookup, out)
    return "".join(out)


def _expand(parts: Parts, rng: Random, lookup: Lookup, out: list[str]) -> None:
    for part in parts:
        if isinstance(part, str):
            out.append(part)
        elif isinstance(part, tuple):
            out.append(lookup(part[0], part[1]))
        else:
            _expand(part[int(rng.random() * len(part))], rng, lookup, out)


_SPACES = re.compile(r" {2,}")
_SPACE_BEFORE_STOP = re.compile(r" +([,.!?])")
# After a full stop inside quotes a sentence always begins; after '!"' or '?"' it may be "said Tom".
_SENTENCE_START = re.compile(r'(^"?|[.!?] +"?|\." +"?|\n"?)([a-z])')
_ARTICLE = re.compile(r"\b([Aa]) (?=(?:[aeio]|u(?!ni|se))(?!ne\b))", re.IGNORECASE)
# "Mr. Hill, the baker,'s shop" and "asked Mr. Hill, the baker,." lose what cannot stand there.
_APPOSITION_ENDS = re.compile(r", the \w+,(?='s)|,(?=[.,?!])")
_STOP_AFTER_QUOTE = re.compile(r'([a-z])"([.,])')
_DOUBLE_STOP = re.compile(r'([.!?]"?)\.(?!\.)|!(?=[.!])')


def tidy(text: str) -> str:
    """The text with a/an, capitals at the heads of sentences and spaces put right."""
    text = _SPACES.sub(" ", text).strip()
    text = _SPACE_BEFORE_STOP.sub(r"\1", text)
    text = _APPOSITION_ENDS.sub("", text)
    text = _STOP_AFTER_QUOTE.sub(r'\1\2"', text)
    text = _DOUBLE_STOP.sub(r"\1", text)
    text = _ARTICLE.sub(r"\1n ", text)
    return _SENTENCE_START.sub(lambda match: match[1] + match[2].upper(), text)
