"""BLAS in plans: where it is measured to be faster, and the same tokens with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rung
from rung.engine.batch import Batch
from rung.engine.draft import draft
from rung.engine.runner import plan_model
from rung.formats.base import Checkpoint
from rung.schedule.homes import Override, Wishes
from rung.schedule.plan import Plan
from rung.schedule.rates import KernelRates, Point, Rates
from rung.tuning import file
from support import tiny_checkpoint

FORCED = Wishes(overrides=(Override.parse(".=blas"),))
IDS = [1, 17, 5, 99, 2, 64, 3, 130]


@pytest.fixture(autouse=True)
def rates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No rates yet."""
    path = tmp_path / "rates.json"
    monkeypatch.setattr(file, "path", lambda: path)
    return path


def _on_blas(plan: Plan) -> set[str]:
    return {n.op.name for n, placed in plan.placed.items() if placed.backend.name == "blas"}


def _logits(checkpoint: Checkpoint, **options: Any) -> np.ndarray:
    runner = plan_model(checkpoint, threads=2, **options)
    rows = [runner.forward(Batch.one(IDS[:7], rows="all")).copy()]
    rows.append(runner.forward(Batch.one(IDS[7:], start=7)).copy())
    runner.close()
    return np.concatenate(rows)


@pytest.mark.parametrize("activations", ["float32", "int8"])
@pytest.mark.parametrize("matrices", ["f32", "f16", "bf16", "i8", "q8_0", "q4_k", "i8_g32"])
def test_forced_products_come_out_the_same(matrices: str, activations: str) -> None:
    if activations == "int8" and matrices in ("f32", "f16", "bf16"):
        activations = "float32"
    checkpoint = tiny_checkpoint(matrices=matrices, dim=256, hidden_dim=256, n_layers=2)
    options: dict[str, Any] = {"activations": activations, "cache_type": "f32"}
    expected = _logits(checkpoint, blas="none", **options)
    plans = draft(
        checkpoint, [1, 7], blas="auto", threads=2, wishes=FORCED, activations=activations
    ).plans
    assert all(_on_blas(plan) == {"linear"} for plan in plans.values())
    assert all(len(plan.stages) == 1 for plan in plans.values()), "one team, one program"
    assert not any(plan.copies for plan in plans.values())
    result = _logits(checkpoint, blas="auto", wishes=FORCED, **options)
    # Another last bit can round an activation to the next of 255 steps.
    allowed = 2e-5 if activations == "float32" else 3e-2
    assert np.abs(result - expected).max() <= allowed * np.abs(expected).max()


def _keep(cpu_s: float, blas_s: float) -> None:
    """Rates that make one of them faster, whatever the machine."""
    runner = plan_model(tiny_checkpoint(), threads=2, blas="auto")
    known = file.load_rates(runner.backends).kernels
    made = {key: KernelRates((Point(1, blas_s if "blas" in key else cpu_s, 0.0),)) for key in known}
    assert any("blas" in key for key in made)
    file.keep_rates(runner.backends, Rates(made))
    runner.close()


def test_blas_takes_what_it_does_faster_and_nothing_else() -> None:
    checkpoint = tiny_checkpoint()
    for cpu_s, blas_s, expected in ((1.0, 0.9, {"linear"}), (1.0, 0.99, set()), (0.5, 1.0, set())):
        _keep(cpu_s, blas_s)
        plan = draft(checkpoint, [16], blas="auto", threads=2).plans[16]
        assert _on_blas(plan) == expected
        assert _on_blas(draft(checkpoint, [16], blas="none", threads=2).plans[16]) == set()
    assert all(
        placed.cause.startswith("upgrade")
        for placed in plan.placed.values()
        if placed.backend.name == "blas"
    )


def test_int8_activations_never_go_there_by_themselves() -> None:
    checkpoint = tiny_checkpoint(matrices="q8_0", dim=32, hidden_dim=64)
    runner = plan_model(checkpoint, threads=1, blas="auto")
    names = [backend.name for backend in runner.backends]
    runner.close()
    assert names == ["cpu"], "a library that nothing would use is not loaded"


def test_greedy_text_with_every_product_on_blas(data_folder: Path) -> None:
    golden = (data_folder / "stories260K_greedy_200.txt").read_text(encoding="utf-8")
    texts = []
    for blas, overrides in (("none", ()), ("auto", ()), ("auto", (".=blas",))):
        with rung.load(
            data_folder / "stories260K.bin", blas=blas, override_tensor=overrides, threads=2
        ) as model:
            texts.append(model.generate(temperature=0, max_tokens=200).complete().text)
    assert texts[0] == texts[1] == texts[2]
    assert golden.strip().startswith(texts[0].strip()[:400])
