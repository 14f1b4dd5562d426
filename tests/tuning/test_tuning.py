"""Rates: predictions between what was measured, files, and what uses them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rung import ops
from rung.backends.choose import Devices
from rung.backends.cpu.backend import CpuBackend
from rung.engine.draft import draft
from rung.errors import BackendError, UsageError
from rung.schedule.costs import MachineCosts, batch_sizes, node_cost, rates_key
from rung.schedule.rates import KernelRates, Point, Rates
from rung.tuning import file
from rung.tuning.kernels import TOKENS, check_types, measure_rates, others, products
from rung.tuning.measure import chain, subject_node
from rung.tuning.probe import machine_costs
from rung.tuning.tune import least_batch, tune
from schedule_graphs import FasterHost
from support import tiny_checkpoint

SECONDS = st.floats(1e-9, 1e-3)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of rates of its own; compiled kernels stay where they are."""
    path = tmp_path / "rates.json"
    monkeypatch.setattr(file, "path", lambda: path)
    return path


@pytest.fixture(scope="module")
def cpu() -> Iterator[CpuBackend]:
    backend = CpuBackend(threads=2)
    yield backend
    backend.close()


@given(st.lists(st.tuples(SECONDS, SECONDS), min_size=1, max_size=5), st.integers(1, 100))
def test_predictions_lie_between_their_neighbors(
    lines: list[tuple[float, float]], tokens: int
) -> None:
    points = tuple(Point(4**i, *line) for i, line in enumerate(lines))
    rates = KernelRates(points, (Point(1, 0.0, 0.1),))
    for point in points:
        assert rates.seconds(point.tokens, 2.0) == pytest.approx(point.seconds(2.0))
    near = [p.seconds(2.0) for p in points if tokens / 4 < p.tokens < tokens * 4]
    predicted = rates.seconds(tokens, 2.0)
    if tokens <= points[-1].tokens:
        assert min(near) * (1 - 1e-9) <= predicted <= max(near) * (1 + 1e-9)
    assert rates.seconds(tokens, 2.0, far=True) == max(predicted, 0.2 * tokens)
    assert Rates.from_json(json.loads(json.dumps(Rates({"k": rates}).to_json()))).kernels == {
        "k": rates
    }


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "[]",
        "{}",
        '{"version": 0, "machines": {}}',
        '{"version": 1, "machines": {"x": {"kernels": {"k": {"points": [], "far": []}}}}}',
        '{"version": 1, "machines": 3}',
        pytest.param("[" * 200_000, id="nested"),
    ],
)
def test_a_damaged_file_counts_as_empty(damage: str, cache: Path, cpu: CpuBackend) -> None:
    cache.write_text(damage)
    assert file.load_rates([cpu]) == Rates()
    file.keep_rates([cpu], Rates(copy_gbs=3.0))
    assert file.load_rates([cpu]).copy_gbs == 3.0


@pytest.mark.parametrize(
    "points", [[[2, 1e-6, 0], [1, 1e-6, 0]], [[1, 0, 0]], [[1, -1, 1]], [[0, 1, 1]], [[1, "x", 1]]]
)
def test_points_that_cannot_be(points: list[list[float]]) -> None:
    values = Rates().to_json() | {"kernels": {"k": {"points": points, "far": []}}}
    with pytest.raises((ValueError, TypeError)):
        Rates.from_json(values)


def test_machines_share_a_file(cpu: CpuBackend) -> None:
    other = CpuBackend(threads=1)
    file.keep_rates([cpu], Rates(threads=2))
    file.keep_rates([other], Rates(threads=1))
    assert [file.load_rates([b]).threads for b in (cpu, other)] == [2, 1]
    other.close()


def test_a_file_in_place_of_the_folder(
    tmp_path: Path, cpu: CpuBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taken").write_text("")
    monkeypatch.setattr(file, "path", lambda: tmp_path / "taken" / "rates.json")
    with pytest.raises(BackendError, match="set RUNG_CACHE"):
        file.keep_rates([cpu], Rates())


def test_everything_a_decoder_runs_is_measured(cpu: CpuBackend) -> None:
    """The keys of rates that would be measured are those that plans of models ask for."""
    pairs = [*others("f32"), *others("q8_0")]
    pairs += [products(kind, rounded=rounded) for kind, rounded in (("f32", 0), ("q8_0", 1))]
    keys = {rates_key(cpu, subject_node(pair.small)) for pair in pairs}
    for matrices, extra in (("f32", {}), ("q8_0", {"dim": 32, "hidden_dim": 64})):
        checkpoint = tiny_checkpoint(matrices=matrices, **extra)
        plan = draft(checkpoint, [1], threads=1).plans[1]
        asked = {rates_key(p.backend, node) for node, p in plan.placed.items()}
        assert asked <= keys


def test_rates_of_a_product_grow_with_work(cpu: CpuBackend) -> None:
    key, rates = measure_rates(
        products("f32", rounded=False), cpu, cache_bytes=1 << 20, tokens=(1, 16)
    )
    assert key.startswith("linear:f32/cpu=")
    assert key.endswith(" f32,f32")
    assert rates.seconds(16, 1e8) > rates.seconds(16, 1e6) > 0
    assert rates.seconds(1, 1e8, far=True) >= rates.seconds(1, 1e8)
    assert [point.tokens for point in rates.far] == [1, 4, 16, 64, 256]


def test_attention_is_measured_over_the_keys_that_there_are(cpu: CpuBackend) -> None:
    pair = next(pair for pair in others() if pair.small.op is ops.attention)
    node = chain(pair.small, cpu, 4, nodes=1).steps[0].node
    few, many = (node_cost(node, batch_sizes(2, depth=depth)) for depth in (7, 127))
    assert many.flops == 16 * few.flops
    beyond = node_cost(node, batch_sizes(2, depth=1 << 20))
    assert beyond.flops == node.cost({"T": 2, "R": 2}).flops


def test_a_probe_decides_between_backends_and_is_kept(cpu: CpuBackend, cache: Path) -> None:
    graph = draft(tiny_checkpoint(), [1], threads=1).plans[1].problem.graph
    alone = machine_costs([cpu], graph)
    assert not alone.rates.kernels
    assert not cache.exists()
    other = FasterHost(cpu, seconds=0.0)
    probed = machine_costs([other, cpu], graph)
    assert len(probed.rates.kernels) == 1  # both have the same kernel here
    before = cache.read_bytes()
    assert machine_costs([other, cpu], graph) == probed
    assert cache.read_bytes() == before


def test_tuning_within_no_time_leaves_everything_but_threads(cpu: CpuBackend) -> None:
    told: list[tuple[int, int, str]] = []
    known = Rates({"kept": KernelRates((Point(1, 0.0, 1.0),))})
    tuned = tune([cpu], known, types=["f32"], budget_s=0, progress=lambda *step: told.append(step))
    assert set(tuned.rates.kernels) == {"kept"}
    assert len(tuned.left_out) == told[-1][1] - 2
    assert [step[0] for step in told] == sorted(step[0] for step in told)
    assert told[-1][0] == told[-1][1]
    assert tuned.rates.threads in (1, 2)
    assert tuned.rates.parts >= 1
    assert tuned.rates.copy_gbs > 0


def test_tuned_threads_are_the_default_but_not_the_users(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("RUNG_THREADS", raising=False)
    backend = CpuBackend(threads=3)
    file.keep_rates([backend], Rates(threads=1, threads_batch=2, parts=4))
    file.apply_rates([backend], Devices(threads=3))
    assert (backend.team.threads, backend.team.batch, backend.team.parts) == (3, 3, 4)
    file.apply_rates([backend], Devices())
    assert (backend.team.threads, backend.team.batch) == (1, 2)
    backend.close()


def test_where_backends_cross() -> None:
    def rates(*seconds: float) -> KernelRates:
        return KernelRates(tuple(Point(t, s, 0.0) for t, s in zip(TOKENS, seconds, strict=False)))

    known = Rates({"ours": rates(1, 2, 4, 8), "theirs": rates(2, 1.9, 5, 7), "never": rates(9, 9)})
    assert least_batch(known, "ours", "theirs", work=1.0) == 8
    assert least_batch(known, "theirs", "theirs", work=1.0) is None


def test_unknown_types() -> None:
    assert check_types(["f32"]) == ["f32"]
    with pytest.raises(UsageError, match="no weights of type 'f33'"):
        check_types(["f33"])


def test_unmeasured_kernels_have_assumed_times(cpu: CpuBackend) -> None:
    node = subject_node(products("f32", rounded=False).large)
    costs = MachineCosts(gflops=1.0, gbs=1e9)
    assert costs.seconds(cpu, node, batch_sizes(1)) == pytest.approx(2 * 1024**2 / 1e9, rel=0.01)
