"""Runs: what they leave behind, going on bit for bit, spikes, numbers that go, full disks."""

from __future__ import annotations

import json
import math
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runs import Kept, last_files, options, resumed, run, trained, write_shard

from rung.errors import DataError, FormatError, MemoryLimitError, RungError, UsageError
from rung.formats import open_checkpoint
from rung.train.run import room, session
from rung.train.run.checkpoints import Run
from rung.train.run.metrics import read_rows
from rung.train.run.session import begin, resume
from rung.train.step import TrainStep
from support import full_disk


def test_a_run_learns_and_tells(tmp_path: Path) -> None:
    opened, kept = trained(tmp_path, tmp_path / "out", steps=20, keep=2)
    losses = [step.loss for step in kept.steps]
    assert losses[-1] < losses[0] - 0.5
    assert [step.step for step in kept.steps] == list(range(1, 21))
    assert kept.saves == [0, 3, 6, 9, 12, 15, 18, 20]
    assert [step for step, _, _ in kept.held] == [0, 4, 8, 12, 16, 20]
    assert kept.held[0][1] == pytest.approx(math.log(300), abs=0.1)
    assert kept.steps[0].left_s is None
    assert all(step.tokens_per_s > 0 for step in kept.steps)
    out = tmp_path / "out"
    assert [path.name[-2:] for path in opened.run.checkpoints] == ["18", "20"]
    rows = read_rows(out / "metrics.jsonl")
    assert [row["loss"] for row in rows if "loss" in row] == losses
    assert [row["val_loss"] for row in rows if "val_loss" in row] == [v for _, v, _ in kept.held]
    assert rows[-2]["tokens"] == 20 * 16
    model = open_checkpoint(out)
    assert model.weights["output_norm.bias"].float32().any()
    assert model.path == opened.run.path / "model.safetensors"


def test_going_on_is_bit_for_bit(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"grad_accum": 2, "clip": 0.5, "skip_spikes": 3.0, "steps": 11}
    _, whole = trained(tmp_path, tmp_path / "whole", **changes)
    _, first = trained(tmp_path, tmp_path / "parts", stop_after=4, **changes)
    # Rows of steps that a killed run had made after its last checkpoint are made again.
    with (tmp_path / "parts" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "loss": 1.0}\n{"step": 6, "lo')
    _, rest = resumed(tmp_path / "parts", threads=2)
    assert last_files(tmp_path / "parts") == last_files(tmp_path / "whole")
    assert [s.loss for s in first.steps + rest.steps] == [s.loss for s in whole.steps]
    rows = [read_rows(tmp_path / name / "metrics.jsonl") for name in ("whole", "parts")]
    steps = [[(row["step"], row.get("loss"), row.get("val_loss")) for row in r] for r in rows]
    assert steps[0] == steps[1]
    before = last_files(tmp_path / "parts")
    assert resumed(tmp_path / "parts")[1].saves == []  # at its end already
    assert last_files(tmp_path / "parts") == before


def test_a_longer_run(tmp_path: Path) -> None:
    trained(tmp_path, tmp_path / "out", steps=4)
    opened, kept = resumed(tmp_path / "out", steps=6, keep=1)
    assert [step.step for step in kept.steps] == [5, 6]
    assert len(opened.run.checkpoints) == 1
    with pytest.raises(UsageError, match="is to have 2 steps, and has 6 already"):
        resumed(tmp_path / "out", steps=2)


def test_a_run_may_end_while_it_warms_up(tmp_path: Path) -> None:
    trained(tmp_path, tmp_path / "out", steps=40, warmup=30, stop_after=4)
    opened, kept = resumed(tmp_path / "out", steps=6)
    assert [step.step for step in kept.steps] == [5, 6]
    assert opened.options.warmup == 6


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lr": 0.5}, "--lr is 0.5, but the run has 0.01"),
        ({"seed": 4}, "--seed is 4, but the run has 0"),
        ({"epsilon": 1e-3}, "--eps is 0.001, but the run has 1e-08"),
        ({"val_share": 0.3}, "--val is 0.3, but the run has 0.1"),
    ],
)
def test_another_run_cannot_be_gone_on_with(
    given: dict[str, Any], message: str, tmp_path: Path
) -> None:
    trained(tmp_path, tmp_path / "out", steps=1)
    with pytest.raises(UsageError, match=message):
        resumed(tmp_path / "out", **given)


def test_other_data_cannot_be_gone_on_with(tmp_path: Path) -> None:
    trained(tmp_path, tmp_path / "out", steps=1)
    (tmp_path / "data.bin").rename(tmp_path / "moved.bin")
    write_shard(tmp_path / "data.bin", seed=2)
    with pytest.raises(DataError, match="the data is not what this run began with"):
        resumed(tmp_path / "out")
    moved = (str(tmp_path / "moved.bin"),)
    assert resumed(tmp_path / "out", data=moved, steps=2)[0].options.data == moved
    assert resumed(tmp_path / "out", steps=3)[0].options.data == moved


def test_folders_that_are_taken(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no checkpoint to resume"):
        resumed(tmp_path / "nothing")
    trained(tmp_path, tmp_path / "out", steps=1)
    with pytest.raises(UsageError, match="holds a run already; go on with it by --resume"):
        trained(tmp_path, tmp_path / "out")
    with pytest.raises(UsageError, match=r"holds config\.json, no run"):
        trained(tmp_path, tmp_path)
    with pytest.raises(UsageError, match="is a file"):
        trained(tmp_path, tmp_path / "config.json")


def test_what_was_left_half_written_goes(tmp_path: Path) -> None:
    trained(tmp_path, tmp_path / "out", steps=1)
    out = tmp_path / "out"
    left = out / "checkpoints" / "step-00000002.123.part"
    left.mkdir()
    files = [out / "model.safetensors.12.part", out / "metrics.jsonl.3.part"]
    other = out / "film.12.part"
    for file in (*files, other):
        file.write_text("half")
    resumed(out)
    assert not left.exists()
    assert not any(file.exists() for file in files)
    assert other.exists()


@pytest.mark.skipif(os.name == "nt", reason="folders have no locks on Windows")
def test_one_process_at_a_time(tmp_path: Path) -> None:
    out = tmp_path / "out"
    trained(tmp_path, out, steps=1)
    left = out / "checkpoints" / "step-00000002.123.part"
    with resume(out, {}):
        left.mkdir()  # as the one that trains may be writing
        with pytest.raises(UsageError, match=rf"another process trains in {out}; wait"):
            resumed(out)
        assert left.exists()
    resumed(out)
    with (
        begin(options(tmp_path), tmp_path / "new"),
        pytest.raises(UsageError, match="another process trains"),
    ):
        begin(options(tmp_path), tmp_path / "new")


def test_a_run_that_was_killed_while_it_began_is_begun_again(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with begin(options(tmp_path), out):
        (out / "metrics.jsonl.3.part").write_text("half")
        (out / "checkpoints" / "step-00000000.3.part").mkdir()
    trained(tmp_path, out, steps=1)
    assert not list(out.rglob("*.part"))


def test_a_model_that_is_no_run_is_not_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in ("model.safetensors", "tokenizer.json"):
        (out / name).write_text("mine")
        with pytest.raises(UsageError, match=rf"holds {name}, no run; give another --out"):
            trained(tmp_path, out, steps=1)
        (out / name).rename(tmp_path / name)


def test_a_run_killed_before_its_model_was_published(tmp_path: Path) -> None:
    out = tmp_path / "out"
    trained(tmp_path, out, steps=2, lr=0.05)
    model, expected = out / "model.safetensors", last_files(out)["model.safetensors"]
    model.unlink()  # for it is the checkpoint's file by another name
    model.write_bytes((out / "checkpoints" / "step-00000000" / "model.safetensors").read_bytes())
    assert model.read_bytes() != expected
    resumed(out)
    assert model.read_bytes() == expected


def test_going_on_leaves_no_half_written_file(tmp_path: Path) -> None:
    out = tmp_path / "out"
    trained(tmp_path, out)
    resumed(out)  # publishes the model that is published already
    assert not list(out.rglob("*.part"))


def test_a_damaged_checkpoint_is_told(tmp_path: Path) -> None:
    trained(tmp_path, tmp_path / "out", steps=1)
    path = Run(tmp_path / "out").checkpoints[-1]
    state = json.loads((path / "state.json").read_text())
    moments = (path / "moments.safetensors").read_bytes()
    (path / "moments.safetensors").write_bytes(moments[:-8])
    with pytest.raises(RungError, match=r"moments.*remove"):
        resumed(tmp_path / "out")
    for change in ({"version": 9}, {"options": {"lr": 1}}, {"state": {"step": -1}}):
        (path / "state.json").write_text(json.dumps(state | change))
        with pytest.raises(RungError, match=rf"state\.json.*from step-00000000, remove {path}"):
            resumed(tmp_path / "out")
    shutil.rmtree(path)
    assert resumed(tmp_path / "out")[1].saves == [0, 1]
    shutil.rmtree(path)
    (path.with_name("step-00000000") / "state.json").unlink()
    with pytest.raises(FormatError, match=r"state\.json: file is missing"):
        resumed(tmp_path / "out")


def test_a_full_disk_leaves_the_last_good_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    with begin(options(tmp_path), out) as opened:
        kept = Kept()
        stopped = kept.stepped

        def fill(step: Any) -> None:
            stopped(step)
            if step.step == 5:
                full.__enter__()

        kept.stepped = fill  # type: ignore[method-assign]
        full = full_disk(monkeypatch)
        message = r"step 6 is not saved: .*No space left.*is step-00000003, --resume goes on"
        with pytest.raises(RungError, match=message):
            session_trainer(opened, kept)
        full.__exit__(None, None, None)
    assert [path.name for path in Run(out).checkpoints] == ["step-00000000", "step-00000003"]
    assert resumed(out)[1].steps[0].step == 4
    trained(tmp_path, tmp_path / "whole")
    assert last_files(out) == last_files(tmp_path / "whole")


def session_trainer(opened: Any, kept: Kept) -> None:
    from rung.train.run.trainer import Trainer

    Trainer(opened, kept).run(lambda: False)


@pytest.mark.parametrize("gone", ["loss", "norm"])
def test_numbers_that_go_stop_the_run_and_are_not_saved(
    gone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, advice = (0.0, "a --clip such as 1") if gone == "loss" else (1.0, "a lower --clip")
    with begin(options(tmp_path, clip=clip), tmp_path / "out") as opened:
        kept = Kept()
        real = opened.step.train

        def train(*arguments: Any, **named: Any) -> tuple[float, float]:
            loss, norm = real(*arguments, **named)
            if len(kept.steps) == 4:
                return (math.nan, norm) if gone == "loss" else (loss, math.inf)
            return loss, norm

        monkeypatch.setattr(opened.step, "train", train)
        message = (
            rf"{gone} is (nan|inf) at step 5 .*step-00000003.*another, with a lower --lr.*{advice}"
        )
        with pytest.raises(RungError, match=message):
            session_trainer(opened, kept)
    assert Run(tmp_path / "out").checkpoints[-1].name == "step-00000003"


def test_a_spike_updates_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {"steps": 40, "save_every": 0, "val_every": 0, "lr": 1e-3}
    with begin(options(tmp_path, skip_spikes=5.0, **changes), tmp_path / "out") as opened:
        real, kept = opened.step.gradients, Kept()
        before: dict[str, Any] = {}

        def loss(*arguments: Any, **named: Any) -> float:
            found = real(*arguments, **named)
            if len(kept.steps) == 36:
                before["weights"] = opened.step.parameter("token_embd.weight")
                return found + 100
            if len(kept.steps) == 37:
                np.testing.assert_array_equal(
                    opened.step.parameter("token_embd.weight"), before["weights"]
                )
            return found

        monkeypatch.setattr(opened.step, "gradients", loss)
        session_trainer(opened, kept)
        assert [step.step for step in kept.steps if step.skipped] == [37]
        assert kept.steps[36].norm is None
        assert opened.step.steps == 39
    row = next(r for r in read_rows(tmp_path / "out" / "metrics.jsonl") if r.get("skipped"))
    assert row["step"] == 37
    assert row["spike"] > 5


def test_how_long(tmp_path: Path) -> None:
    length = {"steps": 0, "grad_accum": 2}
    # 540 tokens to train with make 66 windows of 8, 33 batches of 2: 16 steps of two.
    for told, steps in (({}, 16), ({"epochs": 2.0}, 33), ({"tokens": 100}, 4)):
        with begin(options(tmp_path, **length, **told), tmp_path / "out") as opened:
            assert opened.options.steps == steps
            assert opened.options.min_lr == pytest.approx(1e-3)


def test_too_little_data(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data too small for a batch.*a smaller batch"):
        begin(options(tmp_path, batch_size=100), tmp_path / "out")
    with pytest.raises(DataError, match=r"validation: data too small.*--val-every 0"):
        begin(options(tmp_path, batch_size=10), tmp_path / "out")
    with begin(options(tmp_path, batch_size=10, val_every=0), tmp_path / "out") as opened:
        assert opened.validation is None
    assert not list((tmp_path / "out" / "checkpoints").iterdir())


def test_a_vocabulary_that_is_too_small(tmp_path: Path) -> None:
    write_shard(tmp_path / "large.bin", most=400)
    with pytest.raises(DataError, match="does not fit the model, whose vocabulary has 300"):
        begin(options(tmp_path, data=(str(tmp_path / "large.bin"),)), tmp_path / "out")


def test_memory_that_does_not_suffice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = options(tmp_path, batch_size=16, val_every=0, grad_accum=3)
    with begin(wanted, tmp_path / "out") as opened:
        config = opened.config
    sizes: dict[str, Any] = {"batch_size": 16, "seq_len": 8}
    whole, less = (room.needed_bytes(config, **sizes, recompute=again) for again in (False, True))
    for free, fits in (
        (less, "--recompute"),
        (
            room.needed_bytes(config, batch_size=4, seq_len=8, recompute=False),
            "--batch-size 4 --grad-accum 12$",
        ),
        (1000, "a smaller --config does"),
    ):
        monkeypatch.setattr(room, "available_bytes", lambda free=free: free)
        with pytest.raises(MemoryLimitError, match=f"training needs.*{fits}"):
            begin(wanted, tmp_path / "out")
    monkeypatch.setattr(room, "available_bytes", lambda: whole)
    monkeypatch.setattr(session, "available_bytes", lambda: less)

    def refuse(*_: Any, **__: Any) -> Any:
        raise MemoryLimitError("not enough memory for 3 MiB of activations")

    monkeypatch.setattr(session, "TrainStep", refuse)
    message = "out of memory .not enough memory for 3 MiB.*--recompute"
    with pytest.raises(MemoryLimitError, match=message):
        begin(wanted, tmp_path / "out")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lr": 0}, "--lr is 0"),
        ({"lr": 1e30}, "--lr is 1e.30, expected at most"),
        ({"min_lr": 1.0}, "--min-lr is 1.0, expected at most"),
        ({"beta2": 1.0}, "--beta2 is 1.0"),
        ({"epsilon": 0}, "--eps is 0"),
        ({"epsilon": 1e-50}, "--eps is 1e-50"),
        ({"beta2": 0.99999999999}, "--beta2 is 0.99999999999, expected 0 to less than 1"),
        ({"epochs": 1e300}, "--epochs is 1e.300, expected at most"),
        ({"schedule": "x"}, "--schedule is 'x'"),
        ({"batch_size": 0}, "--batch-size is 0"),
        ({"clip": -1}, "--clip is -1"),
        ({"steps": 3, "epochs": 1}, "give one of them"),
        ({"val_share": 1}, "--val is 1"),
        ({"device": "tpu"}, "--device is 'tpu', expected one of cpu, webgpu, vulkan"),
        ({"keep": 0}, "--keep is 0"),
        ({"warmup": -1}, "--warmup is -1"),
    ],
)
def test_options_out_of_range(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        options(tmp_path, **changes)


def test_options_that_do_not_fit_the_model(tmp_path: Path) -> None:
    for changes, message in (
        ({"seq_len": 33}, "--seq-len is 33, the model's context is 32"),
        ({"warmup": 9}, "warmup is 9, expected 0 to 8"),
        ({"config": ""}, "give one of --config"),
        ({"init_from": "x"}, "give one of --config"),
        ({"data": ()}, "there is no data"),
        ({"sample_every": 2}, "--sample-every writes text, which needs a --tokenizer"),
    ):
        with pytest.raises(UsageError, match=message):
            begin(options(tmp_path, **changes), tmp_path / "out")
    with pytest.raises(FormatError, match=r"nowhere: file is missing, expected token shards"):
        begin(options(tmp_path, data=(str(tmp_path / "nowhere"),)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_fine_tuning_begins_with_the_models_weights(tmp_path: Path) -> None:
    trained(tmp_path, tmp_path / "first", steps=2)
    again = {"config": "", "init_from": str(tmp_path / "first"), "steps": 1}
    with begin(options(tmp_path, **again), tmp_path / "second") as opened:
        assert isinstance(opened.step, TrainStep)
        model = open_checkpoint(tmp_path / "first")
        for name, weight in model.weights.items():
            np.testing.assert_array_equal(opened.step.parameter(name), weight.float32())
        run(opened)
