"""Finding a BLAS library: names, paths, builds that are refused, and what each has to show."""

from __future__ import annotations

import _ctypes
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from rung.backends.blas import library, places
from rung.backends.blas.checks import fault, integer_bits, multiplies_bfloat16
from rung.backends.blas.kinds import ACCELERATE, BLIS, KINDS, MKL, OPENBLAS, Symbols
from rung.backends.blas.library import Library, Missing, find_library
from rung.errors import BackendError, UsageError


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    library._find.cache_clear()
    yield
    library._find.cache_clear()


def _found() -> Library:
    found = find_library("auto")
    if isinstance(found, Missing):
        pytest.skip(found.reason)
    return found


def test_none_switches_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNG_BLAS", "none")
    assert find_library() == Missing("switched off (--blas none or RUNG_BLAS=none)")


def test_the_same_library_by_its_kind_and_by_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    found = _found()
    assert str(find_library(found.kind)) == str(found)
    if found.kind != "accelerate":
        monkeypatch.setenv("RUNG_BLAS", found.path)
        assert find_library().describe() == found.describe()


@pytest.mark.parametrize("name", ["cublas", "open blas", "1"])
def test_a_word_that_is_no_library(name: str) -> None:
    expected = f"no BLAS library '{name}': expected auto, none, .* or a path; found here: "
    with pytest.raises(UsageError, match=expected):
        find_library(name)


@pytest.mark.parametrize("name", ["/no/such/libopenblas.so", "libno-such-blas.so.0"])
def test_a_file_that_is_not_there(name: str) -> None:
    with pytest.raises(BackendError, match=r"is not there; found here: "):
        find_library(name)


def test_files_that_are_no_blas(tmp_path: Path) -> None:
    text = tmp_path / "libopenblas.so"
    text.write_text("not a library")
    with pytest.raises(BackendError, match=r"cannot be used: it cannot be loaded .*; found here: "):
        find_library(str(text))
    with pytest.raises(BackendError, match=r"cannot be loaded"):
        find_library(str(tmp_path) + "/")
    with pytest.raises(BackendError, match="cannot be used: it has no cblas_sgemm; found here"):
        find_library(_ctypes.__file__)


def test_nothing_found_is_a_reason_not_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "libopenblas.so"
    broken.write_text("not a library")
    monkeypatch.setattr(library, "places", lambda kind: [str(broken)] if kind == "openblas" else [])
    found = find_library("auto")
    assert isinstance(found, Missing)
    assert found.reason.startswith(f"no BLAS library was found ({broken}: it cannot be loaded")
    with pytest.raises(BackendError, match=r"no mkl library was found; found here: none"):
        find_library("mkl")


def test_a_broken_one_does_not_hide_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = _found()
    library._find.cache_clear()
    broken = tmp_path / "libmkl_rt.so"
    broken.write_text("not a library")
    there = {"mkl": [str(broken)], good.kind: [good.path]}
    monkeypatch.setattr(library, "places", lambda kind: there.get(kind, []))
    assert find_library("auto").describe() == good.describe()


@pytest.mark.parametrize("kind", ["mkl", "openblas", "blis"])
def test_places_begin_with_files_that_are_there(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    system = sys.platform if sys.platform in ("darwin", "win32") else "linux"
    folder = tmp_path / ("Library/bin" if system == "win32" else "lib")
    folder.mkdir(parents=True)
    names = places._NAMES[kind][system]
    file = folder / names[-1]
    file.touch()
    listed = list(places.places(kind))
    assert listed[0] == str(file)
    assert tuple(listed[-len(names) :]) == names


def test_the_wheel_is_found_without_importing_it() -> None:
    if places.find_spec("scipy_openblas32") is None:
        pytest.skip("the wheel scipy-openblas32 is not installed")
    assert "scipy_openblas32" in next(places.places("openblas"))


class FakeSymbols:
    """A library made of Python functions."""

    def __init__(self, **functions: Callable[..., Any]) -> None:
        self.functions = functions
        self.numbers: dict[str, int] = {}

    def function(self, name: str, *types: Any) -> Callable[..., Any] | None:
        return self.functions.get(name)

    def number(self, name: str) -> int | None:
        return self.functions[name]() if name in self.functions else None

    def set_number(self, name: str, value: int) -> bool:
        self.numbers[name] = value
        return name in self.functions


def _symbols(**functions: Callable[..., Any]) -> Symbols:
    return cast(Symbols, FakeSymbols(**functions))


@pytest.mark.parametrize(
    ("parallel", "reason"),
    [(0, "a build without threads"), (1, ""), (2, "a build for OpenMP")],
)
def test_builds_of_openblas(parallel: int, reason: str) -> None:
    symbols = _symbols(openblas_get_parallel=lambda: parallel, openblas_set_num_threads=print)
    held = OPENBLAS.hold(symbols)
    assert reason in held
    assert bool(reason) == bool(held)


@pytest.mark.parametrize("kind", [OPENBLAS, MKL, BLIS])
def test_a_library_whose_threads_cannot_be_set(kind: Any) -> None:
    assert kind.hold(_symbols()).startswith("it has no ")


def test_accelerate_may_lack_it() -> None:
    assert ACCELERATE.hold(_symbols()) == ""


def test_kinds_are_told_apart_by_their_marks() -> None:
    assert len({kind.mark for kind in KINDS}) == len({kind.name for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize("bits", [32, 64])
def test_the_width_of_integers(bits: int) -> None:
    def dot(n: int, *_: Any) -> float:
        n %= 1 << bits
        return float(max(0, n if n < 1 << (bits - 1) else n - (1 << bits)))

    assert integer_bits(_symbols(cblas_sdot=dot)) == bits


def _real_gemm() -> Callable[..., Any]:
    import ctypes

    found = _found()
    symbols = library.symbols_of(found.handle)
    assert symbols is not None
    whole = ctypes.c_int32 if found.integer_bits == 32 else ctypes.c_int64
    function = symbols.function("cblas_sgemm")
    assert function is not None
    function.argtypes = [
        *(ctypes.c_int, ctypes.c_int, ctypes.c_int, whole, whole, whole, ctypes.c_float),
        *(ctypes.c_void_p, whole, ctypes.c_void_p, whole, ctypes.c_float, ctypes.c_void_p, whole),
    ]
    return function


def test_what_is_wrong_with_a_library() -> None:
    gemm = _real_gemm()
    main = threading.main_thread()

    def elsewhere(*arguments: Any) -> None:
        if threading.current_thread() is main:
            gemm(*arguments)

    told = replace(OPENBLAS, threads=lambda symbols: 1)
    more = replace(OPENBLAS, threads=lambda symbols: 4)
    assert fault(_symbols(cblas_sgemm=gemm), told, 32) == ""
    assert fault(_symbols(cblas_sgemm=gemm), ACCELERATE, 32) == ""
    assert "takes 4 threads" in fault(_symbols(cblas_sgemm=gemm), more, 32)
    assert "something else than" in fault(_symbols(cblas_sgemm=lambda *_: None), told, 32)
    assert "in another thread" in fault(_symbols(cblas_sgemm=elsewhere), told, 32)


def test_a_product_of_bfloat16_has_to_compute_it() -> None:
    gemm = _real_gemm()

    def widened(*arguments: Any) -> None:
        *order, x, x_row, w, w_row, beta, y, y_row = arguments
        T, N = order[3], order[4]
        wide = [
            (_at(address, rows * row).astype(np.uint32) << 16).view(np.float32)
            for address, rows, row in ((x, T, x_row), (w, N, w_row))
        ]
        gemm(*order, wide[0].ctypes.data, x_row, wide[1].ctypes.data, w_row, beta, y, y_row)

    assert multiplies_bfloat16(_symbols(cblas_sbgemm=widened), OPENBLAS, 32)
    assert not multiplies_bfloat16(_symbols(cblas_sbgemm=lambda *_: None), OPENBLAS, 32)
    assert not multiplies_bfloat16(_symbols(), OPENBLAS, 32)
    assert not multiplies_bfloat16(_symbols(), BLIS, 32)


def _at(address: int, count: int) -> np.ndarray:
    import ctypes

    return np.ctypeslib.as_array((ctypes.c_uint16 * count).from_address(address))
