"""Small vocabularies for tests, trained in a moment on a few lines of many scripts."""

from __future__ import annotations

import io
import json
from functools import cache
from typing import Any

import sentencepiece
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    pre_tokenizers,
    processors,
    trainers,
)

from rung.tokenizers.splitting import SPLITTINGS

LINES = [
    "The quick brown fox jumps over the lazy dog. The dog didn't mind; he'd seen it 1234 times!",
    "I'll say we've DON'T there's 'RE 'Ve a'lL in 2024: 3.14159, 10,000 and 1/2 of 100 %.",
    "def f(x):\n    return x ** 2\n\n\tif x == 10:\r\n        pass  # a comment\n\n\n",
    "Größe über naïve café, señor; Привет, как дела? Это 2-й пример. Ελληνικά γράμματα.",
    "日本語の文章です。我想在apple工作1314151天~ 한국어 문장도 있습니다. हिन्दी पाठ १२३",
    "camelCase HTTPServer parseJSON fooBarBaz ÉCOLE École iPhone",
    "🦙 llama 😁 emojis ✅ and marks: e\u0301 a\u0308 \u00b2\u00bd \u2167 \u200d",
    "    indented     spaces   \t\t tabs \n \n  \n   lines",
] * 4

TEXTS = [
    *LINES[:8],
    "",
    " ",
    "   ",
    "\n",
    "\n\n\n",
    " \n \t\n",
    "a  b",
    "a \n b",
    "x 12345678 y 1 22 333 4444",
    "'s 'S 'll 'LL 'Ll it's IT'S ''",
    "$100+<tag>^~|`code`",
    "²½Ⅷ①٣٤٥ १२३",
    "\u00a0\u2003\u3000wide\u2028spaces\u0085",
    "e\u0301\u0301x नमस्ते",
    "日本 語\n中文。English",
    "🦙🦙 👩\u200d👩\u200d👧",
    "\x00\x01\x7f\u200b\ufeff",
    "/path/to//file\\n?!\r\n/next",
]


@cache
def trained_bpe() -> tuple[list[str], list[tuple[str, str]]]:
    """Pieces and merges of a byte-level vocabulary of 700 tokens."""
    library = Tokenizer(models.BPE())
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    library.train_from_iterator(LINES, trainer)
    ids = library.get_vocab()
    merges = trained_merges(library)
    return sorted(ids, key=ids.__getitem__), merges


def trained_merges(library: Tokenizer) -> list[tuple[str, str]]:
    """The merges of a BPE model, in order."""
    return [tuple(pair) for pair in json.loads(library.to_str())["model"]["merges"]]


def bpe_metadata(pre: str | None = "gpt-2", **changes: Any) -> dict[str, Any]:
    """GGUF metadata of the trained vocabulary with a few special tokens after it."""
    pieces, merges = trained_bpe()
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool>", "  \n"]
    types = [1] * len(pieces) + [3, 3, 3, 4, 4]
    metadata = {
        "general.architecture": "qwen2",
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.tokens": [*pieces, *specials],
        "tokenizer.ggml.token_type": types,
        "tokenizer.ggml.merges": [f"{left} {right}" for left, right in merges],
        "tokenizer.ggml.bos_token_id": len(pieces),
        "tokenizer.ggml.eos_token_id": len(pieces) + 2,
    }
    if pre is not None:
        metadata["tokenizer.ggml.pre"] = pre
    return metadata | {f"tokenizer.ggml.{key}": value for key, value in changes.items()}


def byte_level_library(*, bos: bool = True) -> Tokenizer:
    """As Llama 3's: words split by a pattern, BOS put before a text by the file itself."""
    pieces, merges = trained_bpe()
    library = Tokenizer(models.BPE({p: i for i, p in enumerate(pieces)}, merges))
    library.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLITTINGS["llama-bpe"].patterns[0]), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    library.decoder = decoders.ByteLevel()
    library.add_special_tokens(["<|begin|>", "<|eot_id|>", "<|end_of_text|>"])
    library.add_tokens([AddedToken("<tool>", normalized=False)])
    if bos:
        library.post_processor = processors.TemplateProcessing(
            single="<|begin|> $A", special_tokens=[("<|begin|>", len(pieces))]
        )
    return library


@cache
def spm_model(**options: Any) -> bytes:
    """A SentencePiece BPE model of 500 pieces with byte fallback, as a tokenizer.model."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(line for text in LINES for line in text.split("\n")),
        model_writer=written,
        model_type="bpe",
        vocab_size=500,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        split_digits=True,
        allow_whitespace_only_pieces=True,
        character_coverage=0.98,
        minloglevel=2,
        **options,
    )
    return written.getvalue()


def spm_metadata(model: bytes, **changes: Any) -> dict[str, Any]:
    """GGUF metadata of a SentencePiece model."""
    theirs = sentencepiece.SentencePieceProcessor(model_proto=model)
    ids = range(len(theirs))

    def kind(token: int) -> int:
        for number, is_kind in (
            (2, theirs.is_unknown),
            (3, theirs.is_control),
            (5, theirs.is_unused),
            (6, theirs.is_byte),
        ):
            if is_kind(token):
                return number
        return 1

    metadata = {
        "general.architecture": "llama",
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.pre": "default",
        "tokenizer.ggml.tokens": [theirs.id_to_piece(i) for i in ids],
        "tokenizer.ggml.scores": [theirs.get_score(i) for i in ids],
        "tokenizer.ggml.token_type": [kind(i) for i in ids],
        "tokenizer.ggml.bos_token_id": theirs.bos_id(),
        "tokenizer.ggml.eos_token_id": theirs.eos_id(),
        "tokenizer.ggml.unknown_token_id": theirs.unk_id(),
    }
    return metadata | {f"tokenizer.ggml.{key}": value for key, value in changes.items()}
