"""The kernel lab: shapes, targets, checks before times, rows; and ladders with a wrong kernel."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numba.extending import register_jitable

from rung import ops
from rung.backends.cpu.backend import CpuBackend
from rung.bench.kernels.check import Outcome
from rung.bench.kernels.ladders import Settings, bench
from rung.bench.kernels.matrix import check_op
from rung.bench.kernels.prepare import case_cost, prepare, programs, with_parts
from rung.bench.kernels.rows import Row, bound
from rung.bench.kernels.shapes import cases, cut, default_sizes, parse_shape
from rung.bench.kernels.survey import survey
from rung.bench.kernels.targets import Target, find_op, ladder, load_backend, selected, targets
from rung.bench.machine.limits import Limits, Peak
from rung.errors import KernelError, UsageError
from rung.registry import OPS, Cost, Split, TensorSpec
from rung.simd.spans import span
from rung.storage import F32, storage_type

load_backend("cpu")
ON_CPU = [op for op in OPS.values() if any(kernel.backend == "cpu" for kernel in op.kernels)]
LIMITS = {
    threads: Limits(
        threads,
        10.0,
        10.0,
        ((1 << 40, 20.0),),
        {"f32": Peak(50.0, "fma"), "bf16": Peak(100.0, "dot"), "int8": Peak(200.0, "dot")},
    )
    for threads in (1, 2)
}


@pytest.fixture(scope="module")
def backends():
    found = {threads: CpuBackend(threads) for threads in (1, 2)}
    yield found
    for backend in found.values():
        backend.close()


def scale_wrong(part, parts, x_TD, y_TD, factor):
    start, stop = span(part, parts, x_TD.size, 1024)
    x, y = x_TD.reshape(-1), y_TD.reshape(-1)
    for i in range(start, stop):
        y[i] = np.float32(factor) * x[i]
    if part == 0 and stop > 3:
        y[3] += np.float32(0.01)


def scale_missing(part, parts, x_TD, y_TD, factor):
    start, stop = span(part, parts, x_TD.size, 1024)
    x, y = x_TD.reshape(-1), y_TD.reshape(-1)
    for i in range(start + 1, stop):
        y[i] = np.float32(factor) * x[i]


@register_jitable
def _slowly(x):
    total = 0.0
    for i in range(2_000):
        total += math.cos(x + i)
    return total


def scale_slow(part, parts, x_TD, y_TD, factor):
    start, stop = span(part, parts, x_TD.size, 1024)
    x, y = x_TD.reshape(-1), y_TD.reshape(-1)
    for i in range(start, stop):
        y[i] = np.float32(factor) * x[i] if _slowly(x[i]) < 1e9 else np.float32(0)


@pytest.fixture
def add_version(monkeypatch):
    """Adds kernels to `scale` for the length of a test."""
    monkeypatch.setattr(ops.scale, "kernels", list(ops.scale.kernels))

    def add(function, version=7, **options):
        register = ops.scale.kernel("cpu", version, why="t", split=Split("TD", 1024), **options)
        register(function)

    return add


def one_case(op, *, tokens=1, shape=(), **choice):
    [target] = targets(op, "cpu", **choice)
    [case] = cases(target, tokens=[tokens], shapes=list(shape))
    return target, case


# ── shapes ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2048x5632", {"N": 2048, "K": 5632}),
        ("2048×5632", {"N": 2048, "K": 5632}),
        (" 32 x 64 ", {"N": 32, "K": 64}),
        ("T=3,N=7", {"T": 3, "N": 7}),
        ("K=64", {"K": 64}),
    ],
)
def test_shapes_are_read(text, expected):
    assert parse_shape(ops.linear, text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "2048", "1x2x3", "N=0", "N=-1", "N=1,N=2", "Q=1", "N", "N=x", "N=1e3", "N=٣", "ax4"],
)
def test_other_shapes_are_refused(text):
    with pytest.raises(UsageError, match="--shape"):
        parse_shape(ops.linear, text)


def test_a_product_of_two_sizes_is_for_products():
    with pytest.raises(UsageError, match="T=1,D=2048"):
        parse_shape(ops.rms_norm, "64x64")


def test_tokens_are_given_once():
    [target] = targets(ops.linear, "cpu", form="f32")
    with pytest.raises(UsageError, match="--tokens"):
        cases(target, shapes=["T=2"], tokens=[1])
    found = cases(target, shapes=["N=8,K=8", "T=5,N=16"], tokens=[])
    assert [(case["T"], case["N"], case["K"]) for case in found] == [
        (1, 8, 8),
        (128, 8, 8),
        (5, 16, 2048),
    ]


def test_rows_are_whole_blocks():
    [target] = targets(ops.linear, "cpu", form="q4_k")
    with pytest.raises(UsageError, match="multiple of 256"):
        cases(target, shapes=["64x128"])


@pytest.mark.parametrize("op", ON_CPU, ids=lambda op: op.name)
def test_every_ladder_runs_on_the_default_shapes(op):
    for target in targets(op, "cpu"):
        for case in cases(target):
            assert selected(op, "cpu", case) is not None
            cost = case_cost(op, case)
            assert cost.bytes > 0
            assert cost.flops >= 0


@pytest.mark.parametrize("op", ON_CPU, ids=lambda op: op.name)
def test_every_op_is_timed(op, backends):
    """On small shapes: whole blocks of every type, and heads that divide."""
    small = {
        "N": 8,
        "K": 256,
        "D": 256,
        "F": 256,
        "V": 8,
        "E": 16,
        "C": 16,
        "H": 4,
        "G": 2,
        "S": 1,
        "P": 1,
        "L": 64,
        "B": 2,
        "M": 8,
        "R": 3,
        "X": 3,
        "O": 1,
    }
    sizes = ",".join(f"{letter}={small[letter]}" for letter in default_sizes(op))
    for target in targets(op, "cpu")[:1]:
        [case] = cases(target, tokens=[3], shapes=[sizes])
        settings = Settings(threads=(2,), cached=True, repeats=2)
        result = bench(target, case, settings, backends, LIMITS)
        assert not result.left_out
        assert {row.version for row in result.rows} <= {k.version for k in result.kernels}
        assert result.rows


def test_a_case_is_cut_until_it_fits():
    _, case = one_case(ops.linear, tokens=128, form="f32")
    smaller = cut(ops.linear, case, lambda c: c["T"] * c["N"] * c["K"] <= 1 << 27)
    assert (smaller["T"], smaller["N"], smaller["K"]) == (128, 512, 2048)
    smallest = cut(ops.linear, case, lambda c: False)
    assert (smallest["T"], smallest["N"], smallest["K"]) == (8, 8, 8)


# ── targets ──────────────────────────────────────────────────────────────────────────────────────


def test_targets_by_type_form_and_activations():
    assert {t.form for t in targets(ops.linear, "cpu", kind="q8_0")} >= {"q8_0"}
    assert all(t.types["w_NK"].name == "q8_0" for t in targets(ops.linear, "cpu", kind="q8_0"))
    for target in targets(ops.linear, "cpu", activations="int8"):
        assert not target.types["x_TK"].name.startswith("f")
    assert all("x_TK" not in t.types for t in targets(ops.linear, "cpu", activations="float32"))


def test_a_type_without_a_case_of_its_own():
    [target] = targets(ops.linear, "cpu", kind="i8_g96", activations="float32")
    assert target == Target(ops.linear, "cpu", "i8g", {"w_NK": storage_type("i8_g96")})


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"form": "nope"}, "no form 'nope'"),
        ({"kind": "nope"}, "unknown storage type"),
        ({"kind": "i32"}, "no cpu kernel"),
        ({"form": "f32", "activations": "int8"}, "no cpu kernel"),
    ],
)
def test_wishes_that_nothing_fulfils(choice, message):
    with pytest.raises(UsageError, match=message):
        targets(ops.linear, "cpu", **choice)


def test_unknown_ops_and_backends():
    with pytest.raises(UsageError, match="there are: adamw, add, "):
        find_op("nope")
    with pytest.raises(UsageError, match="there are: cpu"):
        load_backend("nope")
    with pytest.raises(UsageError, match="no weights"):
        targets(ops.add, "cpu", kind="q8_0")


def test_the_survey_has_every_kernel_and_what_runs(add_version):
    add_version(scale_wrong, 8, when=lambda x_TD: False)
    add_version(scale_missing, 9, needs=("no-such-feature",))
    standings = {s.kernel.version: s for s in survey(ops.scale, "cpu")}
    assert list(standings) == [1, 8, 9]
    assert standings[1].selected == ("decode", "prompt")
    assert (standings[1].why_not, standings[8].selected) == ("", ())
    assert "none of its op's cases" in standings[8].why_not
    assert "lacks no-such-feature" in standings[9].why_not


# ── the matrix ───────────────────────────────────────────────────────────────────────────────────


def test_the_matrix_finds_wrong_and_missing_values(add_version, backends):
    add_version(scale_wrong, 8)
    add_version(scale_missing, 9)
    verdicts = {v.kernel.version: v for v in check_op(ops.scale, backends[2])}
    assert verdicts[1].ok
    assert verdicts[1].cases == len(ops.scale.cases)
    assert verdicts[1].share <= 1
    # No tokens, nothing wrong.
    assert verdicts[8].failures == verdicts[9].failures == len(ops.scale.cases) - 1
    assert verdicts[8].share > 1
    assert math.isnan(verdicts[9].share)
    assert "T=" in verdicts[9].worst_case


def test_the_share_of_the_allowed_error():
    good, half = np.ones(3), np.array([0, 0.5, 0])
    assert Outcome(good, good, 0.0).share == 0
    assert Outcome(good + half, good, 2.0).share == 0.25
    assert Outcome(good + half, good, np.array([1.0, 0.25, 1.0])).share == 2
    assert math.isnan(Outcome(good * [1, np.nan, 1], good, 1.0).share)
    assert Outcome(np.zeros(0), np.zeros(0), 1.0).share == 0


# ── times ────────────────────────────────────────────────────────────────────────────────────────


def test_rows_have_every_field(backends):
    target, case = one_case(ops.linear, form="q8_0", shape=["64x96"])
    settings = Settings(threads=(1, 2), parts=(1, 3), versions=(1, 2), repeats=2)
    result = bench(target, case, settings, backends, LIMITS)
    assert len(result.rows) == 2 * 2 * 2
    assert {(r.threads, r.parts_per_thread, r.version) for r in result.rows} == {
        (threads, parts, version) for threads in (1, 2) for parts in (1, 3) for version in (1, 2)
    }
    for row in result.rows:
        fields = row.as_dict()
        assert set(fields) == set(Row.__dataclass_fields__)
        assert fields["shape"] == {"T": 1, "K": 96, "N": 64}
        assert (row.op, row.form, row.backend, row.dtype) == ("linear", "q8_0", "cpu", "q8_0")
        assert 0 < row.p20_s <= row.p50_s <= row.p80_s
        assert row.samples == 2
        assert row.fraction_of_limit == pytest.approx(row.limit_s / row.p50_s)
        assert row.gflop_per_s == pytest.approx(2 * 64 * 96 / row.p50_s / 1e9)
        assert row.worst_error_of_allowed <= 1
        assert row.speedup_over_1 is not None
        assert row.machine
    newest = max(kernel.version for kernel in result.kernels)
    assert {row.version for row in result.rows if row.selected} <= {newest}


def test_a_wrong_version_is_not_timed(add_version, backends):
    add_version(scale_wrong)
    target, case = one_case(ops.scale)
    result = bench(target, case, Settings(threads=(2,), repeats=1), backends, LIMITS)
    assert result.failed
    assert [row.version for row in result.rows] == [1]
    assert [entry.kernel.version for entry in result.left_out] == [7]
    assert "does not compute" in result.left_out[0].left_out


def test_a_slow_version_is_left_out_and_said(add_version, backends):
    add_version(scale_slow)
    target, case = one_case(ops.scale, tokens=8)
    settings = Settings(threads=(2,), budget_s=0.05)
    result = bench(target, case, settings, backends, LIMITS)
    assert not result.failed
    assert [row.version for row in result.rows] == [1]
    assert "--budget" in result.left_out[0].left_out


def test_versions_that_cannot_be_timed(add_version, backends):
    add_version(scale_missing, 9, needs=("no-such-feature",))
    target, case = one_case(ops.scale)
    with pytest.raises(UsageError, match="no version 5"):
        bench(target, case, Settings(threads=(1,), versions=(5,)), backends, LIMITS)
    with pytest.raises(UsageError, match="needs no-such-feature"):
        bench(target, case, Settings(threads=(1,), versions=(9,)), backends, LIMITS)


def test_weights_are_copied_and_activations_are_not(backends, monkeypatch):
    monkeypatch.setattr(CpuBackend, "cache_bytes", 4096)
    _, case = one_case(ops.linear, form="f32", shape=["32x64"])
    prepared = prepare(ops.linear, case, backends[2], cached=False)
    assert len(prepared.copies) == 4  # eight times 4 KiB in copies of 8 KiB
    first, *others = (copy["w_NK"].planes[0] for copy in prepared.copies)
    assert all(not np.shares_memory(first, other) for other in others)
    assert all(np.array_equal(first, other) for other in others)
    assert len(prepare(ops.linear, case, backends[2], cached=True).copies) == 1
    [best] = ladder(ops.linear, "cpu", "f32")[-1:]
    built = programs(prepared, best, backends[2], nodes=3)
    assert [len(program.kernels) for program in built] == [3, 3]
    monkeypatch.setattr(CpuBackend, "cache_bytes", 1 << 30)
    assert len(prepare(ops.linear, case, backends[2], cached=False).copies) == 1


def test_what_is_updated_in_place_is_checked_on_a_copy(backends):
    _, case = one_case(ops.cache_write, shape=["C=8,G=1,D=4"])
    prepared = prepare(ops.cache_write, case, backends[2], cached=True)
    _, inputs, _ = prepared.checked
    timed, checked = (group["cache_SGCD"].planes[0] for group in (prepared.inputs, inputs))
    assert not np.shares_memory(timed, checked)


def test_parts_for_each_thread():
    [kernel] = (k for k in ladder(ops.linear, "cpu", "f32") if k.version == 4)
    assert with_parts(kernel, None) is kernel
    assert with_parts(kernel, 5).options["split"].parts({"N": 4000}, threads=2) == 10
    assert kernel.options["split"].parts({"N": 4000}, threads=2) == 4


# ── the limit ────────────────────────────────────────────────────────────────────────────────────


def test_the_roofline():
    limits = LIMITS[1]
    reading = bound(Cost(flops=1e9, bytes=1e9), limits, rate="f32", read_gbs=10.0)
    assert (reading.seconds, reading.by) == (pytest.approx(0.1), "reading")
    multiplying = bound(Cost(flops=1e11, bytes=1e9), limits, rate="f32", read_gbs=10.0)
    assert (multiplying.seconds, multiplying.by) == (pytest.approx(2.0), "f32")
    dots = bound(Cost(flops=1e11, bytes=1e9), limits, rate="int8", read_gbs=10.0)
    assert (dots.seconds, dots.by) == (pytest.approx(0.5), "int8")
    with pytest.raises(KernelError, match="no rate of fp4"):
        bound(Cost(1, 1), limits, rate="fp4", read_gbs=1.0)


def test_only_what_is_touched_counts():
    specs = {
        "ids_T": TensorSpec((2,), ops.embedding.types["ids_T"]),
        "table_VD": TensorSpec((1000, 8), F32),
    }
    shapes = {name: spec.shape for name, spec in specs.items()}
    assert ops.embedding.cost(shapes, specs).bytes == 4 * (2 + 2 * 8 + 2 * 8)
    x = {"x_TK": TensorSpec((2, 64), F32)}
    cost = ops.quantize.cost({"x_TK": (2, 64)}, x, {"group": 32})
    assert cost.bytes == 2 * 64 * 4 + 2 * (64 + 2 * 4)
    _, case = one_case(ops.cache_write, tokens=3)
    values = 3 * case["G"] * case["D"]
    assert case_cost(ops.cache_write, case).bytes == 4 * (values + values + 3 + 3)
