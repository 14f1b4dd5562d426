"""The BLAS library that is used: chosen by RUNG_BLAS, or the first that is found and trusted."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rung import env
from rung.backends.blas.checks import fault, integer_bits, multiplies_bfloat16
from rung.backends.blas.kinds import KINDS, MKL, Kind, Symbols, symbols_of
from rung.backends.blas.places import file_of, places
from rung.errors import BackendError, UsageError

SGEMM, SBGEMM = "sgemm", "sbgemm"
"""Products of float32, and of bfloat16 into float32."""

AUTO, NONE = "auto", "none"
_NAMED = tuple(kind.name for kind in KINDS)


@dataclass(frozen=True, eq=False)
class Library:
    """A library that was loaded, checked, and held to one thread for each caller.

    integer_bits: of the sizes in its calls. functions: addresses of its products by name.
    """

    kind: str
    version: str
    core: str
    path: str
    integer_bits: int
    functions: Mapping[str, int]
    handle: ctypes.CDLL  # keeps it loaded

    def describe(self) -> dict[str, Any]:
        """Its facts by name, for people."""
        types = {SGEMM: "f32", SBGEMM: "bf16"}
        return {
            "library": f"{self.kind} {self.version}",
            "path": self.path,
            "integers": f"{self.integer_bits} bits",
            "products of": [types[name] for name in self.functions],
        } | ({"compiled for": self.core} if self.core else {})

    def __str__(self) -> str:
        return f"{self.kind} {self.version} ({self.path})"


@dataclass(frozen=True)
class Missing:
    """No library, and why."""

    reason: str


class _RefusedError(Exception):
    """Why a file is not used; the message goes on after its name."""


def find_library(chosen: str | None = None) -> Library | Missing:
    """The library that `chosen` names: a kind, a path, "auto" or "none"; by default RUNG_BLAS.

    Raises UsageError for a word that is no kind and no path, BackendError where what was asked for
    by name is not there or cannot be used. "auto" never fails: it tells what was tried.
    """
    return _find((env.BLAS.get() if chosen is None else chosen).strip() or AUTO)


@cache
def _find(asked: str) -> Library | Missing:
    word = asked.lower()
    if word == NONE:
        return Missing("switched off (--blas none or RUNG_BLAS=none)")
    if word == AUTO:
        library, tried = _first(_NAMED)
        return library or Missing(f"no BLAS library was found{_because(tried)}")
    if word in _NAMED:
        library, tried = _first((word,))
        if library is None:
            raise BackendError(f"no {word} library was found{_because(tried)}; {_others()}")
        return library
    if not _is_file_name(asked):
        known = ", ".join((AUTO, NONE, *_NAMED))
        raise UsageError(f"no BLAS library {asked!r}: expected {known} or a path; {_others()}")
    path = Path(asked).expanduser()
    try:
        return _open(str(path.absolute()) if path.exists() else asked)
    except _RefusedError as refusal:
        raise BackendError(f"{asked} cannot be used: {refusal}; {_others()}") from None
    except OSError:
        raise BackendError(f"the BLAS library {asked} is not there; {_others()}") from None


def _is_file_name(text: str) -> bool:
    """Whether it names a file or, like libblas.so.3, a library that the system may know."""
    marks = (os.sep, os.altsep or os.sep, ".so", ".dylib", ".dll")
    return any(mark in text.lower() for mark in marks)


def _first(kinds: tuple[str, ...]) -> tuple[Library | None, list[str]]:
    """The first library of these kinds that can be used, and why those before it cannot."""
    tried: list[str] = []
    for kind in kinds:
        for place in places(kind):
            try:
                return _open(place), tried
            except _RefusedError as refusal:
                if os.path.isabs(place):
                    tried.append(f"{place}: {refusal}")
            except OSError:
                continue  # the system knows no library of this name
    return None, tried


def _because(tried: list[str]) -> str:
    return f" ({'; '.join(tried)})" if tried else ""


def _others() -> str:
    found = [library for name in _NAMED if (library := _first((name,))[0]) is not None]
    return f"found here: {', '.join(map(str, found)) or 'none'}"


@cache
def _open(place: str) -> Library:
    """Loads, checks and describes a library.

    Raises _RefusedError for a file that cannot be used, OSError for a name that is not known.
    """
    try:
        handle = ctypes.CDLL(place)
    except OSError as error:
        if not os.path.exists(place):
            raise
        raise _RefusedError(f"it cannot be loaded ({error})") from None
    symbols = symbols_of(handle)
    if symbols is None:
        raise _RefusedError("it has no cblas_sgemm")
    kind = next((k for k in KINDS if symbols.function(k.mark) is not None), None)
    if kind is None:
        raise _RefusedError(f"it is none of {', '.join(_NAMED)}: nobody knows about its threads")
    path = file_of(_address(symbols, "cblas_sgemm"), place)
    if kind is MKL and not any(Path(path).resolve().parent.glob("*mkl_core*")):
        # It would end this process at its first call.
        raise _RefusedError("its mkl_core is not beside it")
    if reason := kind.hold(symbols):
        raise _RefusedError(reason)
    bits = integer_bits(symbols)
    if reason := fault(symbols, kind, bits):
        raise _RefusedError(reason)
    functions = {SGEMM: _address(symbols, "cblas_sgemm")}
    if multiplies_bfloat16(symbols, kind, bits):
        functions[SBGEMM] = _address(symbols, kind.bfloat16)
    return Library(
        kind.name, kind.version(symbols), kind.core(symbols), path, bits, functions, handle
    )


def _address(symbols: Symbols, name: str) -> int:
    function: Any = symbols.function(name)
    return ctypes.cast(function, ctypes.c_void_p).value or 0


__all__ = ["AUTO", "NONE", "SBGEMM", "SGEMM", "Kind", "Library", "Missing", "find_library"]
