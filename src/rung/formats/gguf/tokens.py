"""The tokens of a tokenizer as GGUF lists them, from each kind of tokenizer file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rung.tokenizers.gguf_vocab import TokenType
from rung.tokenizers.llama2c import Llama2cTokenizer
from rung.tokenizers.pieces import BYTE_PIECE
from rung.tokenizers.sentencepiece_model import SentencePieceModel
from rung.tokenizers.splitting import SPLITTINGS

_SPACE = "▁".encode()  # how SentencePiece writes a space
_LLAMA2C_SPECIAL = (
    (b"<unk>", TokenType.UNKNOWN),
    (b"<s>", TokenType.CONTROL),
    (b"</s>", TokenType.CONTROL),
)
_LEAST_SCORE = -1e6  # of a piece that no pair makes
# As the library `tokenizers` splits by itself, in the patterns of `splitting`.
_BYTE_LEVEL = SPLITTINGS["gpt-2"].patterns[0]
_EACH_DIGIT = r"\p{N}"


@dataclass
class Tokens:
    """Every token in order of id; scores where `model` is "llama", merges where it is "gpt2"."""

    model: str
    pre: str
    pieces: list[bytes]
    kinds: list[int]
    scores: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    merges: list[bytes] = field(default_factory=list)
    space_prefix: bool = True

    def fill(self, count: int) -> None:
        """Adds tokens that are never used up to `count`, and spells apart what is spelled alike.

        Text yields the first of equal tokens alone, so that the others lose nothing.
        """
        missing = range(len(self.pieces), count)
        self.pieces += [b"[PAD%d]" % token for token in missing]
        self.kinds += [TokenType.UNUSED] * len(missing)
        if self.model == "llama":
            self.scores = np.append(self.scores, np.full(len(missing), _LEAST_SCORE, np.float32))
        first: dict[bytes, int] = {}
        for token, piece in enumerate(self.pieces):
            if first.setdefault(piece, token) != token:
                self.pieces[token], self.kinds[token] = b"[PAD%d]" % token, TokenType.UNUSED

    def take_scores(self, model: SentencePieceModel) -> None:
        """Takes the scores of the SentencePiece model that these tokens were made from."""
        scores = model.scores()[: len(self.pieces)]
        self.scores[: len(scores)] = scores


def of_llama2c(tokenizer: Llama2cTokenizer) -> Tokens:
    """The tokens of a tokenizer.bin, with SentencePiece's mark for a space."""
    pieces = [piece.replace(b" ", _SPACE) for piece in tokenizer.pieces]
    kinds: list[int] = [TokenType.NORMAL] * len(pieces)
    for token in tokenizer.byte_tokens:
        kinds[token] = TokenType.BYTE
    for token, (piece, kind) in enumerate(_LLAMA2C_SPECIAL[: len(pieces)]):
        pieces[token], kinds[token] = piece, kind
    return Tokens("llama", "default", pieces, kinds, tokenizer.scores)


def of_sentencepiece(model: SentencePieceModel) -> Tokens:
    """The tokens of a tokenizer.model, those added beside it included."""
    pieces = [piece.encode() for piece in model.vocabulary.pieces]
    kinds = model.kinds()
    return Tokens(
        "llama", "default", pieces, kinds, model.scores(), space_prefix=model.space_prefix
    )


def of_json(path: Path) -> Tokens | None:
    """The tokens of a tokenizer.json that was read well; None for one that GGUF has no name for.

    That is a model other than byte pairs, or byte-level pairs over words that are split in a way
    that llama.cpp does not know.
    """
    data = json.loads(path.read_bytes())
    model = data["model"]
    if model.get("type", "BPE") != "BPE":
        return None
    merges = [tuple(m) if isinstance(m, list) else tuple(m.split(" ", 1)) for m in model["merges"]]
    pieces, kinds = _listed(model, data.get("added_tokens") or [])
    if not _is_byte_level(data):
        for token, piece in enumerate(pieces):
            if BYTE_PIECE.fullmatch(piece):
                kinds[token] = TokenType.BYTE
        spelled = [piece.encode() for piece in pieces]
        scores = _scores(pieces, merges)
        return Tokens("llama", "default", spelled, kinds, scores, space_prefix=_has_prefix(data))
    pre = _splitting_name(data.get("pre_tokenizer"), bool(model.get("ignore_merges")))
    if pre is None:
        return None
    joined = [" ".join(merge).encode() for merge in merges]
    return Tokens("gpt2", pre, [piece.encode() for piece in pieces], kinds, merges=joined)


def _listed(model: Mapping[str, Any], added: list[Any]) -> tuple[list[str], list[int]]:
    """Pieces and types in order of id; an id that the file leaves out is unused."""
    ids: dict[str, int] = model["vocab"]
    count = 1 + max([*ids.values(), *(token["id"] for token in added)])
    pieces = [f"[PAD{token}]" for token in range(count)]
    kinds: list[int] = [TokenType.UNUSED] * count
    for piece, token in ids.items():
        pieces[token], kinds[token] = piece, TokenType.NORMAL
    for entry in added:
        token = entry["id"]
        pieces[token] = entry["content"]
        kinds[token] = TokenType.CONTROL if entry.get("special") else TokenType.USER_DEFINED
    if (unknown := ids.get(model.get("unk_token") or "")) is not None:
        kinds[unknown] = TokenType.UNKNOWN
    return pieces, kinds


def _scores(pieces: list[str], merges: list[tuple[str, ...]]) -> NDArray[np.float32]:
    """The earlier a piece is merged, the better its score; the pairs were made by such scores."""
    ranks: dict[str, int] = {}
    for rank, pair in enumerate(merges):
        ranks.setdefault("".join(pair), rank)
    return np.array([-float(ranks.get(piece, -_LEAST_SCORE)) for piece in pieces], np.float32)


def _steps(part: Any, name: str) -> list[Mapping[str, Any]]:
    """The steps of a part of the file that may be one step, or a sequence of them."""
    if part is None:
        return []
    return list(part[name]) if part["type"] == "Sequence" else [part]


def _is_byte_level(data: Mapping[str, Any]) -> bool:
    parts = _steps(data.get("pre_tokenizer"), "pretokenizers")
    parts += _steps(data.get("decoder"), "decoders")
    return any(step["type"] == "ByteLevel" for step in parts)


def _has_prefix(data: Mapping[str, Any]) -> bool:
    """Whether a space is put before a text."""
    steps = _steps(data.get("normalizer"), "normalizers")
    if any(step["type"] == "Prepend" for step in steps):
        return True
    return any(
        step["type"] == "Metaspace" and step.get("prepend_scheme", "always") != "never"
        for step in _steps(data.get("pre_tokenizer"), "pretokenizers")
    )


def _splitting_name(pre_tokenizer: Any, whole_words: bool) -> str | None:
    """The name in `tokenizer.ggml.pre` of how a tokenizer.json splits text."""
    patterns: list[str] = []
    for step in _steps(pre_tokenizer, "pretokenizers"):
        if step["type"] == "Split" and "Regex" in step["pattern"]:
            patterns.append(step["pattern"]["Regex"])
        elif step["type"] == "Digits" and step.get("individual_digits"):
            patterns.append(_EACH_DIGIT)
        elif step["type"] == "ByteLevel":
            if step.get("use_regex", True):
                patterns.append(_BYTE_LEVEL)
        else:
            return None
    for name, known in SPLITTINGS.items():
        if known.patterns == tuple(patterns) and known.whole_words == whole_words:
            return name
    return None
