"""`rung tokenize`: a text as the tokens of a model."""

from __future__ import annotations

import json as json_format
from typing import TYPE_CHECKING, Annotated

import typer

from rung.cli import options
from rung.cli.streams import read_prompt

if TYPE_CHECKING:
    from rung.tokenizers import Tokenizer


def tokenize(
    model: options.OptionalModel = None,
    prompt: options.Prompt = None,
    file: options.PromptFile = None,
    no_bos: Annotated[
        bool, typer.Option("--no-bos", help="Leave out the token that begins a text.")
    ] = False,
    special: Annotated[
        bool,
        typer.Option("--special", help="Read names such as <|im_end|> as the tokens they name."),
    ] = False,
    tokenizer: options.Tokenizer = None,
    json: options.Json = False,
) -> None:
    """Show a text as the tokens of a model.

    MODEL is a model, a GGUF file with nothing but a vocabulary, a tokenizer file, or a folder with
    one. A line is an id, the token as the vocabulary writes it, and the text it stands for.
    """
    from rung.engine.model import built_in_model
    from rung.engine.vocabulary import tokenizer_at

    text = read_prompt(prompt, file)
    opened = tokenizer_at(model or built_in_model(), tokenizer=tokenizer)
    ids = opened.encode(text, bos=not no_bos, special=special)
    if json:
        pieces = [opened.piece(token) for token in ids]
        print(json_format.dumps({"tokens": ids, "pieces": pieces}, ensure_ascii=False))
    elif ids:
        print(_table(opened, ids))


def _table(tokenizer: Tokenizer, ids: list[int]) -> str:
    """Id, piece and text of each token, in columns."""
    pieces = [_visible(tokenizer.piece(token)) for token in ids]
    id_width = max(len(str(token)) for token in ids)
    width = min(max(map(len, pieces)), 24)
    lines = []
    previous = None
    for token, piece in zip(ids, pieces, strict=True):
        data = tokenizer.token_bytes(token, previous=previous)
        text = data.decode(errors="backslashreplace")
        shown = f'"{_visible(text)}"' if data else ""
        lines.append(f"{token:>{id_width}}  {piece:<{width}}  {shown}".rstrip())
        previous = token
    return "\n".join(lines)


def _visible(text: str) -> str:
    """The text with what cannot be seen as escapes."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )
