"""The tokenizer's part of GGUF metadata: copied from a GGUF file, or made of what lies beside.

llama.cpp wants a token for each row of the embedding, and no two that are spelled alike.
"""

from __future__ import annotations

from pathlib import Path

from rung.errors import FormatError
from rung.formats.base import Checkpoint
from rung.formats.files import mapped, replacing
from rung.formats.gguf.header import Metadata, parse_header
from rung.formats.gguf.pack import flag, integer, integers, numbers, pack_header, strings, text
from rung.formats.gguf.tokens import Tokens, of_json, of_llama2c, of_sentencepiece
from rung.models.config import Config
from rung.tokenizers.base import Tokenizer
from rung.tokenizers.gguf_vocab import TokenType
from rung.tokenizers.huggingface import HuggingFaceTokenizer
from rung.tokenizers.llama2c import Llama2cTokenizer
from rung.tokenizers.sentencepiece_model import SentencePieceModel

VOCABULARY_FILE = "tokenizer.gguf"
_MODEL_FILE = "tokenizer.model"
_TOKENS = "tokenizer.ggml.tokens"
_ARCHITECTURE = "general.architecture"


def vocabulary(checkpoint: Checkpoint) -> dict[str, bytes]:
    """The keys that describe the tokenizer of `checkpoint`, or say that it has none.

    Raises as `open_tokenizer` does where the tokenizer beside the model is not one for it.
    """
    metadata = checkpoint.metadata
    if isinstance(metadata, Metadata) and _TOKENS in metadata:
        return _copied(metadata)
    beside = checkpoint.path.with_name(VOCABULARY_FILE)
    if beside.is_file():
        return _copied(_metadata_of(beside))
    found = _tokenizer_of(checkpoint)
    if found is None:
        return {"tokenizer.ggml.model": text("no_vocab")}
    tokenizer, tokens = found
    tokens.fill(checkpoint.config.vocab_size)
    return _keys(tokenizer, tokens)


def write_vocabulary(source: Path, path: Path) -> None:
    """Write the vocabulary of the GGUF file `source` as one of its own, without tensors.

    Raises FormatError for a file that holds none, RungError where `path` cannot be written.
    """
    metadata = _metadata_of(source)
    if _TOKENS not in metadata:
        raise FormatError(source, _TOKENS, "missing", "the tokens of a tokenizer")
    keys = {_ARCHITECTURE: metadata.raw(_ARCHITECTURE)} if _ARCHITECTURE in metadata else {}
    with replacing(path) as file:
        file.write(pack_header(keys | _copied(metadata), ()))


def _metadata_of(path: Path) -> Metadata:
    return parse_header(path, mapped(path, "a GGUF file").data).metadata


def _copied(metadata: Metadata) -> dict[str, bytes]:
    return {key: metadata.raw(key) for key in metadata if key.startswith("tokenizer.")}


def special_tokens(config: Config) -> dict[str, bytes]:
    """The keys of the tokens that begin and end texts, as far as a Config says them."""
    ends = zip(("eos", "eot", "eom"), config.eos_ids, strict=False)
    ids = {"bos": config.bos_id, **dict(ends)}
    return {
        f"tokenizer.ggml.{name}_token_id": integer(token)
        for name, token in ids.items()
        if token is not None
    }


def _tokenizer_of(checkpoint: Checkpoint) -> tuple[Tokenizer, Tokens] | None:
    """The tokenizer beside a model and its tokens; None where GGUF has no way to say them."""
    from rung.tokenizers import find_tokenizer, open_tokenizer

    vocab_size = checkpoint.config.vocab_size
    path = find_tokenizer(checkpoint.path, vocab_size)
    if path is None:
        return None
    tokenizer = open_tokenizer(path, vocab_size)
    tokens: Tokens | None = None
    if isinstance(tokenizer, Llama2cTokenizer):
        tokens = of_llama2c(tokenizer)
    elif isinstance(tokenizer, SentencePieceModel):
        tokens = of_sentencepiece(tokenizer)
    elif isinstance(tokenizer, HuggingFaceTokenizer):
        tokens = of_json(path)
        original = path.with_name(_MODEL_FILE)
        if tokens is not None and tokens.model == "llama" and original.is_file():
            tokens.take_scores(_opened_model(original))
    return None if tokens is None else (tokenizer, tokens)


def _opened_model(path: Path) -> SentencePieceModel:
    from rung.tokenizers import open_tokenizer

    model = open_tokenizer(path)
    assert isinstance(model, SentencePieceModel)
    return model


def _keys(tokenizer: Tokenizer, tokens: Tokens) -> dict[str, bytes]:
    keys = {
        "model": text(tokens.model),
        "pre": text(tokens.pre),
        "tokens": strings(tokens.pieces),
        "token_type": integers(tokens.kinds),
        "add_bos_token": flag(tokenizer.add_bos),
    }
    if tokens.model == "llama":
        keys["scores"] = numbers(tokens.scores)
        keys["add_space_prefix"] = flag(tokens.space_prefix)
        keys["add_eos_token"] = flag(False)
    else:
        keys["merges"] = strings(tokens.merges)
    unknown = tokens.kinds.index(TokenType.UNKNOWN) if TokenType.UNKNOWN in tokens.kinds else None
    for name, token in (
        ("bos", tokenizer.bos_id),
        ("eos", tokenizer.eos_id),
        ("unknown", unknown),
    ):
        if token is not None:
            keys[f"{name}_token_id"] = integer(token)
    values = {f"tokenizer.ggml.{name}": value for name, value in keys.items()}
    if tokenizer.chat_template is not None:
        values["tokenizer.chat_template"] = text(tokenizer.chat_template)
    return values
