"""The memory that `rung info` names is the memory that a runner takes."""

from __future__ import annotations

from typing import Any

import pytest

from rung.engine.need import memory_need
from rung.engine.options import CacheType
from rung.engine.runner import default_cache_type, plan_model
from support import GPT2, tiny_checkpoint


@pytest.mark.parametrize("changes", [{}, GPT2, {"matrices": "i8_g8"}, {"matrices": "i8"}])
@pytest.mark.parametrize(("context_length", "n_slots"), [(32, 1), (7, 3)])
@pytest.mark.parametrize("cache_type", [None, "f32", "f16"])
def test_need_is_what_a_runner_takes(
    changes: dict[str, Any], context_length: int, n_slots: int, cache_type: CacheType | None
) -> None:
    checkpoint = tiny_checkpoint(**changes)
    sizes: dict[str, Any] = {
        "context_length": context_length,
        "n_slots": n_slots,
        "cache_type": cache_type,
    }
    need = memory_need(checkpoint, **sizes)
    runner = plan_model(checkpoint, threads=1, **sizes)
    taken = runner.describe()
    runner.close()
    assert need.weights_bytes == taken["weights bytes"]
    assert need.kv_cache_bytes == taken["KV cache bytes"]
    assert need.activations_bytes == taken["activation bytes"]
    assert need.total_bytes == sum(need)


def test_a_float16_cache_takes_half() -> None:
    checkpoint = tiny_checkpoint()
    whole, half = (
        memory_need(checkpoint, context_length=32, cache_type=kind).kv_cache_bytes
        for kind in ("f32", "f16")
    )
    assert whole == 2 * half > 0


@pytest.mark.parametrize(
    ("matrices", "expected"), [("f32", "f32"), ("f16", "f16"), ("bf16", "f16"), ("i8", "f16")]
)
def test_the_cache_is_float32_where_all_matrices_are(matrices: str, expected: str) -> None:
    assert default_cache_type(tiny_checkpoint(matrices=matrices)) == expected
