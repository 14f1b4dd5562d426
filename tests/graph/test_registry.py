"""Selection: the newest kernel that accepts, and RUNG_PIN."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rung import ops
from rung.errors import KernelError
from rung.graph.ir import T
from rung.registry import OPS, Op, Split, TensorSpec, check_pins, op, select
from rung.storage import F32

SPECS = {"x_TD": TensorSpec((4, 8), F32)}


@pytest.fixture
def doubled() -> Iterator[Op]:
    @op(out="y_TD", cases=[], flops=lambda T, D: T * D)
    def doubled_for_test(x_TD):
        """y = 2x"""
        return 2 * x_TD

    @doubled_for_test.kernel("cpu", 1, why="plain")
    def first(x_TD):
        pass

    @doubled_for_test.kernel("cpu", 2, why="wide", when=lambda x_TD: x_TD.shape[1] % 8 == 0)
    def second(x_TD):
        pass

    @doubled_for_test.kernel("cpu", 3, why="wider", when=lambda x_TD: x_TD.shape[1] % 64 == 0)
    def third(x_TD):
        pass

    yield doubled_for_test
    del OPS["doubled_for_test"]


def test_the_newest_that_accepts_is_taken(doubled: Op) -> None:
    assert select(doubled, "cpu", SPECS, {}, pins="").version == 2
    narrow = {"x_TD": TensorSpec((4, 7), F32)}
    assert select(doubled, "cpu", narrow, {}, pins="").version == 1


def test_a_pin_overrides(doubled: Op) -> None:
    assert select(doubled, "cpu", SPECS, {}, pins="doubled_for_test/cpu=1").version == 1
    assert select(doubled, "cpu", SPECS, {}, pins="linear/cpu=1").version == 2


def test_the_environment_pins(doubled: Op, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNG_PIN", "rms_norm/cpu=1, doubled_for_test/cpu=1")
    assert select(doubled, "cpu", SPECS, {}).version == 1


@pytest.mark.parametrize(
    ("pins", "message"),
    [
        ("doubled_for_test/cpu=9", r"not one of \[1, 2, 3\]"),
        ("doubled_for_test/cpu=3", "does not accept x_TD f32"),
        ("doubled_for_test=1", "not of the form op/backend=version"),
        ("nonsense", "not of the form"),
        ("linear/cpu=1,linear:f32/cpu=2,linear/cpu=3", "linear/cpu is pinned twice, to 1 and to 3"),
    ],
)
def test_wrong_pins_are_errors(doubled: Op, pins: str, message: str) -> None:
    with pytest.raises(KernelError, match=message):
        select(doubled, "cpu", SPECS, {}, pins=pins)


def test_pins_of_unknown_ops_are_errors() -> None:
    ops.load_kernels("cpu")
    check_pins(OPS.values(), pins="linear/cpu=1,linear:f32/cpu=2")
    for pins in ("linaer/cpu=1", "linear/gpu=1", "linear:f33/cpu=1"):
        with pytest.raises(KernelError, match="has no kernels"):
            check_pins(OPS.values(), pins=pins)


def test_a_form_narrows_a_pin() -> None:
    ops.load_kernels("cpu")
    specs = {"x_TK": TensorSpec((1, 8), F32), "w_NK": TensorSpec((4, 8), F32), "b_N": None}
    assert select(ops.linear, "cpu", specs, {}, pins="linear:f32/cpu=1").version == 1
    assert select(ops.linear, "cpu", specs, {}, pins="linear:i8g/cpu=1").version > 1


def test_no_backend_no_kernel(doubled: Op) -> None:
    with pytest.raises(KernelError, match="no webgpu kernel of doubled_for_test accepts"):
        select(doubled, "webgpu", SPECS, {}, pins="")


def test_numbers_are_taken_once(doubled: Op) -> None:
    with pytest.raises(KernelError, match="registered twice"):
        doubled.kernel("cpu", 1, why="again")(lambda x_TD: None)


def test_parts_of_work() -> None:
    assert Split("N", 4).parts({"N": 17}, threads=4) == 5
    assert Split("N", 4).parts({"N": 1700}, threads=4) == 8
    assert Split("TH").parts({"T": 0, "H": 3}, threads=4) == 0
    assert Split("").parts({}, threads=4) == 1


def test_cost_counts_operations_and_bytes() -> None:
    shapes = {"x_TK": (2, 64), "w_NK": (8, 64)}
    specs = {name: TensorSpec(shape, F32) for name, shape in shapes.items()}
    cost = ops.linear.cost(shapes, specs)
    assert cost.flops == 2 * 2 * 64 * 8
    assert cost.bytes == 4 * (2 * 64 + 8 * 64 + 2 * 8)


def test_a_kernel_for_a_known_number_of_tokens_is_not_taken_where_nobody_knows_it() -> None:
    ops.load_kernels("cpu")
    weights = {"w_NK": TensorSpec((64, 32), F32), "b_N": None}
    known = {"x_TK": TensorSpec((256, 32), F32)} | weights
    unknown = {"x_TK": TensorSpec((T, 32), F32)} | weights
    assert select(ops.linear, "cpu", known, {}, pins="").version == 5
    assert select(ops.linear, "cpu", unknown, {}, pins="").version == 4
