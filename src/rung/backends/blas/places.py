"""Where BLAS libraries are: wheels of this Python, folders of installers, the system's own."""

from __future__ import annotations

import ctypes
import site
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

_ACCELERATE = "/System/Library/Frameworks/Accelerate.framework/Accelerate"
_WHEELS = ("scipy_openblas32", "scipy_openblas64")

# File names by system; a name without a folder is looked up as the system looks up libraries.
_NAMES = {
    "mkl": {
        "linux": ("libmkl_rt.so.3", "libmkl_rt.so.2", "libmkl_rt.so"),
        "darwin": ("libmkl_rt.2.dylib", "libmkl_rt.dylib"),
        "win32": ("mkl_rt.3.dll", "mkl_rt.2.dll"),
    },
    "openblas": {
        "linux": ("libopenblas.so.0", "libopenblas.so", "libopenblas64.so.0"),
        "darwin": ("libopenblas.dylib",),
        "win32": ("libopenblas.dll", "openblas.dll"),
    },
    "blis": {
        "linux": ("libblis.so.4", "libblis.so", "libblis64.so.4"),
        "darwin": ("libblis.dylib",),
        "win32": ("AOCL-LibBlis-Win-dll.dll", "libblis.dll"),
    },
}
# Where Homebrew, MacPorts and Intel's installer put them.
_FOLDERS = {
    "linux": ("/opt/intel/oneapi/mkl/latest/lib",),
    "darwin": (
        *("/opt/homebrew/opt/openblas/lib", "/usr/local/opt/openblas/lib", "/opt/local/lib"),
        *("/opt/homebrew/opt/blis/lib", "/usr/local/opt/blis/lib"),
    ),
    "win32": (),
}


def places(kind: str) -> Iterator[str]:
    """Files and names under which a library of a kind may be, most wanted first."""
    system = sys.platform if sys.platform in ("darwin", "win32") else "linux"
    if kind == "accelerate":
        if system == "darwin":
            yield _ACCELERATE  # not a file since macOS 11, but it loads
        return
    names = _NAMES[kind][system]
    if kind == "openblas":
        yield from _wheels(system)
    folders = [*_environment_folders(system), *map(Path, _FOLDERS[system])]
    for folder in folders:
        yield from (str(folder / name) for name in names if (folder / name).is_file())
    yield from names


def _environment_folders(system: str) -> Iterator[Path]:
    """Where wheels and conda packages that are no Python modules put libraries."""
    inside = Path("Library", "bin") if system == "win32" else Path("lib")
    bases = [sys.prefix, sys.base_prefix]
    if site.ENABLE_USER_SITE:
        bases.append(site.getuserbase())
    for base in dict.fromkeys(bases):
        yield Path(base) / inside


def _wheels(system: str) -> Iterator[str]:
    """The libraries of SciPy's OpenBLAS wheels, found without importing them."""
    suffix = {"darwin": ".dylib", "win32": ".dll"}.get(system, ".so")
    for name in _WHEELS:
        spec = find_spec(name)
        for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
            files = sorted(Path(folder, "lib").glob(f"*openblas*{suffix}"))
            yield from map(str, files)


class _Origin(ctypes.Structure):
    """What dladdr tells of an address; only the file matters here."""

    _fields_ = (
        ("file", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    )


def file_of(address: int, name: str) -> str:
    """The file from which the function at an address was loaded; `name` where nobody tells."""
    if sys.platform == "win32":
        return name
    lookup = getattr(ctypes.CDLL(None), "dladdr", None)
    origin = _Origin()
    if lookup is None:
        return name
    lookup.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Origin)]
    if not lookup(address, ctypes.byref(origin)) or not origin.file:
        return name
    return str(origin.file.decode(sys.getfilesystemencoding(), "replace"))
