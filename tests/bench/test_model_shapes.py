"""Known shapes have the number of parameters that their makers publish."""

from __future__ import annotations

import pytest

from rung.bench.models.shapes import SHAPES, shape_named
from rung.errors import UsageError

# Sums of the tensors in the published files, an output that is tied counted once. Where only a
# rounded figure is published, so is ours: see `test_rounded`.
PUBLISHED = {
    "gpt2-124m": 124_439_808,
    "gpt2-355m": 354_823_168,
    "gpt2-774m": 774_030_080,
    "gpt2-1558m": 1_557_611_200,
    "smollm2-135m": 134_515_008,
    "qwen2.5-0.5b": 494_032_768,
    "qwen2.5-1.5b": 1_543_714_304,
    "qwen2.5-7b": 7_615_616_512,
    "qwen3-0.6b": 596_049_920,
    "tinyllama-1.1b": 1_100_048_384,
    "llama2-7b": 6_738_415_616,
    "llama2-13b": 13_015_864_320,
    "llama3-8b": 8_030_261_248,
    "llama3.1-8b": 8_030_261_248,
    "llama3.2-1b": 1_235_814_400,
    "llama3.2-3b": 3_212_749_824,
    "mistral-7b": 7_248_023_552,
}
ROUNDED = {"stories260K": 0.26, "stories15M": 15.2, "stories42M": 41.7, "stories110M": 109.5}


@pytest.mark.parametrize("name", SHAPES)
def test_parameters(name: str) -> None:
    count = shape_named(name).n_parameters
    if name in ROUNDED:
        assert count / 1e6 == pytest.approx(ROUNDED[name], abs=0.05)
    else:
        assert count == PUBLISHED[name]


@pytest.mark.parametrize("name", SHAPES)
def test_ids_are_in_the_vocabulary(name: str) -> None:
    config = SHAPES[name]
    ids = [config.bos_id, *config.eos_ids]
    assert all(i is None or 0 <= i < config.vocab_size for i in ids)
    assert config.eos_ids


def test_an_unknown_shape_is_told_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"'llama9-1b'.*tinyllama-1\.1b"):
        shape_named("llama9-1b")
