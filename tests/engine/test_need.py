"""The memory that `rung info` names is the memory that a runner takes."""

from __future__ import annotations

from typing import Any

import pytest

from rung.engine.need import memory_need
from rung.engine.runner import plan_model
from support import GPT2, tiny_checkpoint


@pytest.mark.parametrize("changes", [{}, GPT2, {"matrices": "i8_g8"}, {"matrices": "i8"}])
@pytest.mark.parametrize(("context_length", "n_slots"), [(32, 1), (7, 3)])
def test_need_is_what_a_runner_takes(
    changes: dict[str, Any], context_length: int, n_slots: int
) -> None:
    checkpoint = tiny_checkpoint(**changes)
    need = memory_need(checkpoint, context_length=context_length, n_slots=n_slots)
    runner = plan_model(checkpoint, threads=1, context_length=context_length, n_slots=n_slots)
    taken = runner.describe()
    runner.close()
    assert need.weights_bytes == taken["weights bytes"]
    assert need.kv_cache_bytes == taken["KV cache bytes"]
    assert need.activations_bytes == taken["activation bytes"]
    assert need.total_bytes == sum(need)
