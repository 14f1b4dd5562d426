"""The BLAS libraries that Rung knows: how each names its functions and is held to one thread."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# How builds rename their functions: SciPy's wheels put a prefix, some 64-bit builds a suffix.
_NAMINGS = [(prefix, suffix) for prefix in ("", "scipy_") for suffix in ("", "64_", "_64")]

_MKL_SEQUENTIAL = 1
_ACCELERATE_SINGLE_THREADED = 1
_SINGLE, _THREADS, _OPENMP = range(3)  # what openblas_get_parallel answers


@dataclass(frozen=True)
class Symbols:
    """A library's functions under the names that this build gives them."""

    handle: ctypes.CDLL
    prefix: str
    suffix: str

    def function(self, name: str, result: Any = None, *arguments: Any) -> Callable[..., Any] | None:
        """A function with the C types of its result and arguments; None where there is none."""
        function = getattr(self.handle, f"{self.prefix}{name}{self.suffix}", None)
        if function is not None:
            function.restype, function.argtypes = result, list(arguments)
        return function

    def text(self, name: str) -> str:
        """What a function without arguments answers; nothing where there is none."""
        function = self.function(name, ctypes.c_char_p)
        return "" if function is None else (function() or b"").decode("utf-8", "replace").strip()

    def number(self, name: str) -> int | None:
        """The number that a function without arguments answers."""
        function = self.function(name, ctypes.c_int)
        return None if function is None else int(function())

    def set_number(self, name: str, value: int) -> bool:
        """Calls a function with a number, if there is such a function."""
        function = self.function(name, None, ctypes.c_int)
        if function is None:
            return False
        function(value)
        return True


def symbols_of(handle: ctypes.CDLL) -> Symbols | None:
    """The library's symbols by the naming under which it has cblas_sgemm; None where it has not."""
    for prefix, suffix in _NAMINGS:
        found = Symbols(handle, prefix, suffix)
        if found.function("cblas_sgemm") and found.function("cblas_sdot"):
            return found
    return None


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One of the libraries.

    mark: a function that no other has. version, core: what it says of itself. hold: keeps products
    to the thread that asks for them; returns why that cannot be, or nothing. threads: how many it
    would use for a call from this thread, None where it does not tell. bfloat16: its product of
    bfloat16 matrices with sgemm's arguments, if it may have one.
    """

    name: str
    mark: str
    version: Callable[[Symbols], str]
    core: Callable[[Symbols], str]
    hold: Callable[[Symbols], str]
    threads: Callable[[Symbols], int | None]
    bfloat16: str = ""


def _openblas_version(symbols: Symbols) -> str:
    words = symbols.text("openblas_get_config").split()
    return words[1] if len(words) > 1 else "unknown"


def _openblas_hold(symbols: Symbols) -> str:
    # A build without threads has no locks either: Debian's 0.3.21 computed wrong products in two
    # threads at once. With locks it would be safe, but it does not tell whether it has them.
    if symbols.number("openblas_get_parallel") == _SINGLE:
        return "it is a build without threads, which several threads must not call at once"
    # OpenMP keeps a number of threads for each thread that calls, and OpenBLAS follows that.
    if symbols.number("openblas_get_parallel") == _OPENMP:
        return "it is a build for OpenMP, which cannot be held to one thread for every caller"
    if not symbols.set_number("openblas_set_num_threads", 1):
        return "it has no openblas_set_num_threads"
    return ""


def _mkl_hold(symbols: Symbols) -> str:
    layer = symbols.function("MKL_Set_Threading_Layer", ctypes.c_int, ctypes.c_int)
    if layer is not None:
        layer(_MKL_SEQUENTIAL)
    return "" if symbols.set_number("MKL_Set_Num_Threads", 1) else "it has no MKL_Set_Num_Threads"


def _mkl_version(symbols: Symbols) -> str:
    write = symbols.function("MKL_Get_Version_String", None, ctypes.c_char_p, ctypes.c_int)
    if write is None:
        return "unknown"
    text = ctypes.create_string_buffer(256)
    write(text, len(text))
    _, _, rest = text.value.decode("utf-8", "replace").partition("Version ")
    return rest.partition("-Product")[0].partition(" ")[0] or "unknown"


def _blis_hold(symbols: Symbols) -> str:
    held = symbols.set_number("bli_thread_set_num_threads", 1)
    return "" if held else "it has no bli_thread_set_num_threads"


def _accelerate_hold(symbols: Symbols) -> str:
    # Before macOS 15 there is no such function; its products may then use more threads.
    symbols.set_number("BLASSetThreading", _ACCELERATE_SINGLE_THREADED)
    return ""


def _blis_core(symbols: Symbols) -> str:
    number = symbols.number("bli_arch_query_id")
    name = symbols.function("bli_arch_string", ctypes.c_char_p, ctypes.c_int)
    return "" if name is None or number is None else (name(number) or b"").decode()


def _nothing(symbols: Symbols) -> str:
    return ""


def _answer(name: str) -> Callable[[Symbols], int | None]:
    return lambda symbols: symbols.number(name)


ACCELERATE = Kind(
    name="accelerate",
    mark="vDSP_mmul",
    version=lambda symbols: "of the system",
    core=_nothing,
    hold=_accelerate_hold,
    threads=lambda symbols: None,
)
MKL = Kind(
    name="mkl",
    mark="MKL_Get_Version_String",
    version=_mkl_version,
    core=_nothing,
    hold=_mkl_hold,
    threads=_answer("MKL_Get_Max_Threads"),
    bfloat16="cblas_gemm_bf16bf16f32",
)
OPENBLAS = Kind(
    name="openblas",
    mark="openblas_get_config",
    version=_openblas_version,
    core=lambda symbols: symbols.text("openblas_get_corename"),
    hold=_openblas_hold,
    threads=_answer("openblas_get_num_threads"),
    bfloat16="cblas_sbgemm",
)
BLIS = Kind(
    name="blis",
    mark="bli_info_get_version_str",
    version=lambda symbols: symbols.text("bli_info_get_version_str") or "unknown",
    core=_blis_core,
    hold=_blis_hold,
    threads=_answer("bli_thread_get_num_threads"),
)
KINDS = (ACCELERATE, MKL, OPENBLAS, BLIS)
"""In the order in which they are looked for."""
