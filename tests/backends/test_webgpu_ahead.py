"""A GPU that runs ahead: the same tokens as without, and as on the CPU; nothing is left behind."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest

from engine_fakes import ByteTokenizer
from gpu import require_gpu
from rung.backends.webgpu.backend import WebGpuBackend
from rung.backends.webgpu.gpu import Gpu
from rung.backends.webgpu.log import Log, log
from rung.backends.webgpu.objects import object_counts
from rung.engine.batch import Batch, Choice
from rung.engine.model import Model
from rung.engine.runner import ModelRunner, plan_model
from rung.errors import BackendError, MemoryLimitError, RungError
from rung.schedule.ahead import Flight
from rung.schedule.homes import Wishes
from support import GPT2, tiny_checkpoint

GREEDY = {"temperature": 0, "max_tokens": 16, "ignore_eos": True}


def planned(device: str, **changes) -> ModelRunner:
    return plan_model(tiny_checkpoint(**changes), device=device, n_slots=2)


def device_of(model: Model) -> Gpu:
    runner = model._runner
    assert isinstance(runner, ModelRunner)
    backend = runner.backends[0]
    assert isinstance(backend, WebGpuBackend)
    return backend.gpu


def model_of(runner: ModelRunner) -> Model:
    return Model(runner.checkpoint, runner, ByteTokenizer())


@pytest.fixture(scope="module")
def gpu() -> Iterator[Model]:
    require_gpu()
    with model_of(planned("webgpu")) as model:
        yield model


@pytest.fixture(scope="module")
def cpu() -> Iterator[Model]:
    with model_of(planned("cpu")) as model:
        yield model


@pytest.fixture
def flights(gpu: Model, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Positions from which the GPU ran ahead."""
    starts: list[int] = []
    ahead = ModelRunner.ahead

    def noted(self, token, *, position, **options):
        found = ahead(self, token, position=position, **options)
        if found is not None:
            starts.append(position)
        return found

    monkeypatch.setattr(ModelRunner, "ahead", noted)
    return starts


def test_greedy_tokens_are_those_of_the_cpu(gpu: Model, cpu: Model, flights: list[int]) -> None:
    expected = cpu.generate("hello", **GREEDY).complete()
    assert gpu.generate("hello", **GREEDY).complete().tokens == expected.tokens
    assert flights == [6]


def test_gpt2_runs_ahead_too(cpu: Model, flights: list[int]) -> None:
    expected = model_of(planned("cpu", **GPT2)).generate("hello", **GREEDY).complete().tokens
    with model_of(planned("webgpu", **GPT2)) as model:
        assert model.generate("hello", **GREEDY).complete().tokens == expected
    assert flights


@pytest.mark.parametrize(
    "options",
    [
        {"top_p": 1.0},
        {"top_p": 0.7},
        {"top_p": 1.0, "min_p": 0.3},
        {"top_k": 0, "top_p": 0.3},
        {"top_k": 0, "top_p": 1.0, "min_p": 0.2},
    ],
)
def test_drawn_tokens_are_those_of_the_cpu(
    gpu: Model, cpu: Model, flights: list[int], options: dict[str, float]
) -> None:
    drawn = GREEDY | {"temperature": 1.2, "top_k": 40, "seed": 11} | options
    expected = cpu.generate("hello", **drawn).complete().tokens
    assert len(set(expected)) > 3
    assert gpu.generate("hello", **drawn).complete().tokens == expected
    assert flights[0] == 6


def test_ends(gpu: Model, cpu: Model, flights: list[int]) -> None:
    """By the text's end, a stop string, a full context; what ran on does not show."""
    whole = cpu.generate("hello", **GREEDY).complete()
    for options in (
        {"stop": whole.text[5:7]},
        {"max_tokens": 9},
        {"max_tokens": None},
    ):
        chosen = GREEDY | options
        expected = cpu.generate("hello", **chosen).complete()
        found = gpu.generate("hello", **chosen).complete()
        assert (found.text, found.tokens) == (expected.text, expected.tokens)
        assert found.finish_reason == expected.finish_reason
    assert found.finish_reason == "context"
    assert len(flights) == 3


def test_the_end_of_the_text(cpu: Model, flights: list[int]) -> None:
    whole = cpu.generate("hello", **GREEDY).complete()
    end = next(token for token in whole.tokens[4:] if token not in whole.tokens[:4])
    with model_of(planned("webgpu", eos_ids=(end,))) as model:
        completion = model.generate("hello", temperature=0, max_tokens=16).complete()
    assert completion.finish_reason == "end_of_text"
    assert completion.tokens == whole.tokens[: whole.tokens.index(end)]
    assert flights


def test_interrupted_text_then_others_in_its_slot_and_beside_it(
    gpu: Model, cpu: Model, flights: list[int]
) -> None:
    with gpu.generate("first", **GREEDY) as interrupted:
        for _ in range(5):
            interrupted.step()
        beside = gpu.generate("second", **GREEDY)
        beside.step()
        interrupted.step()
    assert interrupted.finish_reason == "interrupted"
    assert beside.complete().tokens == cpu.generate("second", **GREEDY).complete().tokens
    session, other = gpu.session(), cpu.session()
    for prompt in ("third", "third and"):
        found = session.generate(prompt, **GREEDY).complete()
        expected = other.generate(prompt, **GREEDY).complete()
        assert found.tokens == expected.tokens
        assert found.usage.cached_tokens == expected.usage.cached_tokens
    session.close()
    other.close()
    assert len(flights) == 4


def test_many_steps_in_one_submission_are_the_same(gpu: Model, cpu: Model) -> None:
    runner = gpu._runner
    assert isinstance(runner, ModelRunner)
    runner.forward(Batch.one([1, 40, 41]))
    flight = runner.ahead(42, position=3, slot=0, choice=Choice(), steps=17)
    assert isinstance(flight, Flight)
    flight._steps = 5
    found = list(flight)
    prompt = [1, 40, 41, 42]
    expected = cpu.generate(prompt, **GREEDY | {"max_tokens": 17}).complete().tokens
    assert found == expected


@pytest.mark.parametrize("variable", ["RUNG_GPU_AHEAD=0", "RUNG_GPU_WAIT=1"])
def test_it_can_be_switched_off(
    variable: str, cpu: Model, flights: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*variable.split("="))
    with model_of(planned("webgpu")) as model:
        found = model.generate("hello", **GREEDY).complete()
    assert found.tokens == cpu.generate("hello", **GREEDY).complete().tokens
    assert not flights


def test_a_profile_watches_each_step(gpu: Model, cpu: Model, flights: list[int]) -> None:
    expected = cpu.generate("hello", **GREEDY).complete().tokens
    with gpu.profile() as profile:
        assert gpu.generate("hello", **GREEDY).complete().tokens == expected
    assert len(profile.runs) == 16
    assert not flights


def test_layers_on_the_host_need_it_in_each_step(cpu: Model, flights: list[int]) -> None:
    require_gpu()
    runner = plan_model(tiny_checkpoint(), device="webgpu", n_slots=2, wishes=Wishes(gpu_layers=1))
    with model_of(runner) as model:
        found = model.generate("hello", **GREEDY).complete()
        assert not runner.runs_ahead  # asked once, and not for each token
    assert found.tokens == cpu.generate("hello", **GREEDY).complete().tokens
    assert not flights


def test_ctrl_c_while_the_gpu_is_waited_for(gpu: Model, cpu: Model) -> None:
    """It comes up in the library's callback, goes on to the caller, and nothing is lost."""
    readback = device_of(gpu)._readback
    generation = gpu.generate("hello", **GREEDY)
    for _ in range(3):
        generation.step()

    class Interrupting(dict):
        def get(self, *args):
            readback._known = known
            raise KeyboardInterrupt

    known = readback._known
    readback._known = Interrupting(known)
    with pytest.raises(KeyboardInterrupt):
        generation.complete()
    # Whoever goes on all the same misses nothing.
    assert generation.complete().tokens == cpu.generate("hello", **GREEDY).complete().tokens
    expected = cpu.generate("after", **GREEDY).complete().tokens
    assert gpu.generate("after", **GREEDY).complete().tokens == expected
    assert not any(staging.status == 0 for staging in readback._given_up)


def test_logits_that_are_not_finite_are_an_error() -> None:
    require_gpu()
    checkpoint = tiny_checkpoint()
    # The row of one token: its embedding makes all logits of the step that reads it NaN.
    poisoned = 77
    table = checkpoint.weights["token_embd.weight"].planes[0]
    table[poisoned] = np.nan
    with model_of(plan_model(checkpoint, device="webgpu")) as model:
        runner = model._runner
        assert isinstance(runner, ModelRunner)
        flight = runner.ahead(poisoned, position=0, slot=0, choice=Choice(), steps=3)
        assert flight is not None
        assert next(flight) == -1
        with pytest.raises(RungError, match="not finite"):
            model.generate([poisoned], **GREEDY).complete()


def test_nothing_leaks(gpu: Model) -> None:
    def some(count: int) -> None:
        for number in range(count):
            drawn = {"temperature": 0.9, "top_k": 9} if number % 2 else {"temperature": 0}
            generation = gpu.generate("leak", max_tokens=6, seed=number, ignore_eos=True, **drawn)
            for _ in range(3 + number % 4):
                generation.step()
            generation.close()

    some(8)
    before = object_counts()
    some(50)
    after = object_counts()
    assert {kind: n for kind, n in after.items() if n > before[kind]} == {}


def test_a_lost_gpu_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    require_gpu()
    with model_of(planned("webgpu")) as model:
        device = device_of(model).device
        from wgpu.backends.wgpu_native import ffi, lib

        monkeypatch.setattr(log(), "losses", [])
        words = ffi.new("char[]", b"the driver was reset")
        message = ffi.new("WGPUStringView *")
        message.data, message.length = words, len(words) - 1
        unknown = lib.WGPUDeviceLostReason_Unknown
        device._device_lost_callback(ffi.NULL, unknown, message[0], ffi.NULL, ffi.NULL)
        with pytest.raises(BackendError, match=r"was lost \(the driver was reset\).*--device cpu"):
            model.generate("x", **GREEDY).complete()


def test_work_on_a_gpu_that_is_gone_is_an_error_of_one_line() -> None:
    require_gpu()
    model = model_of(planned("webgpu"))
    generation = model.generate("hello", **GREEDY)
    for _ in range(5):
        generation.step()
    device_of(model).device.destroy()
    for failing in (
        generation.complete,
        model.generate("new", **GREEDY).complete,
        lambda: device_of(model).buffer(64),
        lambda: device_of(model).wait() or device_of(model).flush(),
    ):
        with pytest.raises(BackendError, match=r"was lost \(Parent device is lost\)") as told:
            failing()
        assert "\n" not in str(told.value)
    model.close()


def test_a_gpu_given_back_is_no_loss_and_nothing_is_printed(capfd) -> None:
    require_gpu()
    losses = len(log().losses)
    planned("webgpu").close()
    with model_of(planned("webgpu")) as model:
        model.generate("x", **GREEDY).step()
    assert len(log().losses) == losses
    assert capfd.readouterr().err == ""


def test_too_large_a_buffer_is_a_memory_error(gpu: Model) -> None:
    with pytest.raises(MemoryLimitError, match=r"no room for .* MiB more"):
        device_of(gpu).buffer(1 << 50)


def test_log_keeps_errors_of_calls_and_no_others() -> None:
    found = Log()
    for function, message in (
        ("_logger_callback", "a driver complains"),
        ("log_error", "The WGPU device was lost (Destroyed):\nDevice was destroyed"),
        ("log_error", "a call was wrong\nwith details"),
    ):
        found.emit(_record(function, message))
    assert (found.losses, found.errors) == ([], ["a call was wrong"])


def _record(function: str, message: str):
    return SimpleNamespace(funcName=function, getMessage=lambda: message)
