"""Shapes by name: what published models have, what may be told, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from rung.bench.models.shapes import SHAPES
from rung.errors import FormatError, UsageError
from rung.formats.config_json import config_to_json
from rung.formats.llmc.layout import Header, padded_vocab
from rung.tokenizers import open_tokenizer
from rung.train.configs import config_named, fitted
from support import tiny_config, tiny_vocabulary, write_tokenizer


@pytest.mark.parametrize(
    ("name", "other", "shape"),
    [
        ("gpt2-124m", "gpt2:d12", "gpt2-124m"),
        ("gpt2-350m", "gpt2:d24", "gpt2-355m"),
        ("gpt2-774m", "gpt2:d36", "gpt2-774m"),
        ("gpt2-1558m", "gpt2:d48", "gpt2-1558m"),
    ],
)
def test_gpt2_is_as_published(name: str, other: str, shape: str) -> None:
    assert config_named(name) == config_named(other) == SHAPES[shape]


def test_gpt2_124m_has_its_parameters() -> None:
    config = config_named("gpt2-124m")
    assert config.n_parameters == 124_439_808
    # llm.c's file with the padded vocabulary has 124,475,904.
    assert (Header(3, config, padded_vocab(50257)).file_bytes - 1024) // 4 == 124_475_904


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("llama:288x6", "stories15M"),
        ("llama:512x8:context=1024", "stories42M"),
        ("llama:768x12:context=1024", "stories110M"),
        ("llama:64x5:heads=8,kv=4,hidden=172,vocab=512,context=512", "stories260K"),
        (
            "llama:2048x22:heads=32,kv=4,hidden=5632,context=2048,tied=no",
            "tinyllama-1.1b",
        ),
    ],
)
def test_llama_by_width_and_layers(name: str, shape: str) -> None:
    assert config_named(name) == SHAPES[shape]


def test_gpt2_with_other_sizes() -> None:
    config = config_named("gpt2:d6:vocab=512,context=128")
    assert (config.dim, config.n_heads, config.n_layers) == (384, 6, 6)
    assert (config.vocab_size, config.context_length) == (512, 128)
    assert (config.bos_id, config.eos_ids) == (None, ())
    assert config_named("gpt2-124m:context=64").context_length == 64


def test_gpt2_by_width_and_layers() -> None:
    assert config_named("gpt2:768x12") == config_named("gpt2:d12")
    config = config_named("gpt2:128x4:heads=4,vocab=512,context=64")
    assert (config.dim, config.n_heads, config.n_layers) == (128, 4, 4)
    assert (config.hidden_dim, config.vocab_size, config.context_length) == (512, 512, 64)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gpt3", "model 'gpt3' is unknown, expected one of gpt2-124m, "),
        ("gpt2:12", "is unknown"),
        ("gpt2:d13", "depth is 13, expected one of d6, d12, d24, d36, d48"),
        ("gpt2:d12:heads=3", "unknown heads, expected vocab, context"),
        ("gpt2:0x4", "width is 0, expected 1 to"),
        ("gpt2:128x4:heads=3", "heads is 3, expected a number that divides the width 128"),
        ("gpt2:128x4:kv=2", "unknown kv, expected heads, vocab, context"),
        ("llama:288", "is unknown"),
        ("llama:0x6", "width is 0, expected 1 to"),
        ("llama:288x0", "layers is 0, expected 1 to 1,024"),
        ("llama:288x6:heads=7", "heads is 7, expected a number that divides the width 288"),
        ("llama:288x6:heads=288", "into heads of an even width"),
        ("llama:288x6:kv=4", "kv is 4, expected a divisor of 6"),
        ("llama:288x6:kv=0", "kv is 0, expected 1 to"),
        ("llama:288x6:depth=4", "unknown depth, expected heads, kv, "),
        ("llama:288x6:context", "'context' is no setting, expected as context=512"),
        ("llama:288x6:heads=yes", "'heads=yes' is no setting"),
        ("llama:17x2", "no usual width of a head divides 17; give heads=N"),
    ],
)
def test_other_names_are_refused(name: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        config_named(name)
    assert message in str(caught.value)


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "shape.json"
    path.write_text(config_to_json(tiny_config()))
    assert config_named(str(path)) == tiny_config()
    path.write_text('{"dim": 3}')
    with pytest.raises(FormatError, match=r"shape\.json: config\.hidden_dim is missing"):
        config_named(str(path))
    with pytest.raises(FormatError, match="file is missing, expected a Config as JSON"):
        config_named(str(tmp_path / "other.json"))


def test_a_vocabulary_is_fitted(tmp_path: Path) -> None:
    path = write_tokenizer(tmp_path / "tokenizer.bin", *tiny_vocabulary())
    config = fitted(config_named("gpt2:d6"), open_tokenizer(path, 300))
    assert (config.vocab_size, config.bos_id, config.eos_ids) == (300, 1, (2,))
