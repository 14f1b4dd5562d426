"""The kernel lab on a GPU: times by its own clock, its limits, workgroup sizes; a wrong kernel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gpu import require_gpu
from rung import ops
from rung.backends.webgpu.backend import WebGpuBackend
from rung.backends.webgpu.speeds import Speeds
from rung.bench.kernels.ladders import Settings, bench
from rung.bench.kernels.matrix import check_op
from rung.bench.kernels.prepare import with_workgroup
from rung.bench.kernels.shapes import cases
from rung.bench.kernels.targets import ladder, opened, selected, targets
from rung.bench.machine import limits as machine
from rung.bench.machine.limits import Limits, Peak
from rung.errors import UsageError
from rung.wgsl import Dispatch

LIMITS = {0: Limits(0, 100.0, 100.0, (), {"f32": Peak(1e3, "fma")})}


@pytest.fixture(scope="module")
def gpu() -> Iterator[WebGpuBackend]:
    require_gpu()
    with opened("webgpu") as backend:
        assert isinstance(backend, WebGpuBackend)
        yield backend


@pytest.fixture
def scale_kernels(monkeypatch):
    """The kernels of `scale`, which a test may add to."""
    monkeypatch.setattr(ops.scale, "kernels", list(ops.scale.kernels))
    return ops.scale


def _case(op, tokens=1, shape="D=64", **choice):
    [target] = targets(op, "webgpu", **choice)
    [case] = cases(target, tokens=[tokens], shapes=[shape])
    return target, case


def test_a_row_of_a_gpu(gpu):
    target, case = _case(ops.linear, shape="96x64", form="q8_0")
    result = bench(target, case, Settings(threads=(0,), repeats=2), {0: gpu}, LIMITS)
    rows = {row.version: row for row in result.rows}
    assert not result.left_out
    row = rows[1]
    assert (row.backend, row.threads, row.parts_per_thread) == ("webgpu", 0, 0)
    assert row.machine == gpu.gpu.adapter.name
    assert gpu.gpu.adapter.api in row.instructions
    assert 0 < row.p20_s <= row.p50_s <= row.p80_s
    assert row.limit_s == pytest.approx((96 * 66 + 64 * 4 + 96 * 4) / 1e11, rel=0.1)
    assert row.limited_by == "reading"


def test_weights_take_turns_in_the_gpus_memory(gpu, monkeypatch):
    from rung.bench.kernels.prepare import prepare

    monkeypatch.setattr(WebGpuBackend, "cache_bytes", 4096)
    _, case = _case(ops.linear, shape="32x64", form="f32")
    prepared = prepare(ops.linear, case, gpu, cached=False)
    assert len({id(copy["w_NK"]) for copy in prepared.copies}) == 4  # eight times 4 KiB
    assert all(copy["w_NK"].size_bytes == 8192 for copy in prepared.copies)


def test_a_wrong_kernel_is_found_and_not_timed(gpu, scale_kernels):
    [right] = ladder(scale_kernels, "webgpu", "")

    def twice(call):
        dispatch = right.function(call)
        constants = {**dispatch.constants, "SCALE": False, "SOFTCAP": True, "cap": 3.0}
        return Dispatch(dispatch.shader, dispatch.grid, constants)

    twice.__module__ = right.function.__module__
    twice.__code__ = twice.__code__.replace(co_filename=right.function.__code__.co_filename)
    scale_kernels.kernel("webgpu", 2, why="is wrong")(twice)
    verdicts = {v.kernel.version: v for v in check_op(scale_kernels, gpu)}
    assert verdicts[1].ok
    assert not verdicts[2].ok
    target, case = _case(scale_kernels)
    result = bench(target, case, Settings(threads=(0,), repeats=1), {0: gpu}, LIMITS)
    assert result.failed
    assert [row.version for row in result.rows] == [1]


def test_kernels_for_a_range_of_tokens(gpu, scale_kernels):
    [first] = ladder(scale_kernels, "webgpu", "")
    scale_kernels.kernel("webgpu", 2, why="for prompts", tokens=(8, 100))(first.function)
    _, one = _case(scale_kernels)
    _, many = _case(scale_kernels, tokens=8)
    assert selected(scale_kernels, "webgpu", one) is first
    assert selected(scale_kernels, "webgpu", many).version == 2
    target, _ = _case(scale_kernels)
    settings = Settings(threads=(0,), versions=(2,), repeats=1)
    with pytest.raises(UsageError, match="it is for T from 8 to 100"):
        bench(target, one, settings, {0: gpu}, LIMITS)
    assert [row.version for row in bench(target, many, settings, {0: gpu}, LIMITS).rows] == [2]


def test_workgroups_are_swept_where_kernels_leave_them_open(gpu, scale_kernels):
    [first] = ladder(scale_kernels, "webgpu", "")
    scale_kernels.kernel("webgpu", 2, why="any workgroup", workgroup=64)(first.function)
    target, case = _case(scale_kernels)
    settings = Settings(threads=(0,), workgroups=(32, 128), repeats=1)
    rows = bench(target, case, settings, {0: gpu}, LIMITS).rows
    assert [(row.version, row.workgroup) for row in rows] == [(1, 0), (2, 32), (2, 128)]
    second = ladder(scale_kernels, "webgpu", "")[1]
    assert with_workgroup(second, 128).options["workgroup"] == 128
    assert with_workgroup(second, None) is second


def test_limits_are_the_gpus_speeds(gpu, monkeypatch):
    from rung.backends.webgpu import speeds

    made_up = Speeds(3900.0, {"f32": 60e3, "int8": 90e3}, 2e-6, 20.0, 10.0, 1e-4)
    monkeypatch.setattr(speeds, "measure", lambda gpu, progress: made_up)
    limits = machine.gpu_limits(gpu)
    assert (limits.threads, limits.copy_gbs, limits.read_gbs_at(1)) == (0, 3900.0, 3900.0)
    assert limits.peaks["int8"] == Peak(90e3, "dot4I8Packed")


def test_speeds_are_numbers_a_gpu_can_have(gpu):
    from rung.backends.webgpu.speeds import measure

    found = measure(gpu.gpu)
    assert set(found.gops) == {"f32", "int8", *["f16"] * gpu.gpu.features.f16}
    assert all(0.01 < rate < 1e7 for rate in found.gops.values())
    assert 0.01 < found.copy_gbs < 1e5
    assert 1e-8 < found.dispatch_s < 1e-2
    assert 0.01 < found.write_gbs < 1e4
    assert 0.01 < found.read_gbs < 1e4
    assert 1e-6 < found.turn_s < 1
