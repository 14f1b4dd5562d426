"""Compiled functions kept on disk: small modules in the cache folder, compiled by Numba once.

Numba's own cache recompiles a function that is built from others by closure, and does not notice a
change in the functions it calls. So each compiled function is a module of its own, whose name holds
a hash of everything that its machine code depends on.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType, ModuleType

from rung import env
from rung.errors import BackendError
from rung.simd.target import host

_PACKAGE = Path(__file__).resolve().parents[2]


@cache
def _fingerprint(*files: str) -> str:
    """A hash of versions, the processor and the sources that machine code depends on."""
    import llvmlite
    import numba
    import numpy

    target = host()
    state = hashlib.sha256()
    for part in (
        *(sys.implementation.cache_tag, numba.__version__, llvmlite.__version__),
        *(numpy.__version__, sys.platform, target.processor, target.cpu, target.llvm_features),
    ):
        state.update(part.encode() + b"\0")
    sources = sorted([*(_PACKAGE / "simd").glob("*.py"), *(Path(name) for name in files)])
    for source in sources:
        state.update(source.read_bytes() + b"\0")
    return state.hexdigest()


@cache
def folder() -> Path:
    """The cache folder, made and tried. Raises BackendError when it cannot be written."""
    path = env.cache_folder() / "kernels"
    try:
        path.mkdir(parents=True, exist_ok=True)
        trial = path / f".trial-{os.getpid()}"
        trial.write_bytes(b"")
        trial.unlink()
    except OSError as error:
        raise BackendError(
            f"cannot keep compiled kernels in {path} ({error.strerror}); "
            "set RUNG_CACHE to a folder that can be written"
        ) from None
    return path


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Holds Ctrl-C and SIGTERM back until the block ends: LLVM's callbacks would lose an exception.

    Only the main thread receives them, so other threads need no care.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[KeyboardInterrupt] = []
    found = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    handlers = {number: handler for number, handler in found.items() if callable(handler)}

    def handle(number: int, frame: FrameType | None) -> None:
        try:
            handlers[signal.Signals(number)](number, frame)
        except KeyboardInterrupt as interrupt:
            held.append(interrupt)

    for number in handlers:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if held:
        raise held[0]


def _unkept(error: OSError) -> BackendError:
    return BackendError(
        f"cannot keep compiled kernels in {folder()} ({error.strerror}); free some space, "
        "or set RUNG_CACHE to another folder"
    )


class CachedModule:
    """Python source whose compiled functions are kept on disk.

    name: readable part of the file name. sources: files whose content the code depends on.
    """

    def __init__(self, name: str, source: str, sources: tuple[str, ...]) -> None:
        self._source = source
        self._label = name
        self._sources = sources
        digest = hashlib.sha256((_fingerprint(*sources) + source).encode()).hexdigest()[:20]
        self.name = f"rung_{name}_{digest}"

    @property
    def recipe(self) -> tuple[str, str, tuple[str, ...]]:
        """The arguments that it was made with, for another process to make it again."""
        return self._label, self._source, self._sources

    @property
    def is_compiled(self) -> bool:
        """Whether this process or an earlier one compiled it."""
        if self.name in sys.modules:
            return True
        return any((folder() / "__pycache__").glob(f"{self.name}.*.nbi"))

    def load(self) -> ModuleType:
        """The module, compiled now if need be.

        Raises BackendError when the cache folder is full or cannot be written.
        """
        if self.name in sys.modules:
            return sys.modules[self.name]
        path = self.write()
        try:
            return self._import(path)
        except OSError as error:
            raise _unkept(error) from None

    def write(self) -> Path:
        """Its file in the cache folder. Raises BackendError when that is full or read-only."""
        path = folder() / f"{self.name}.py"
        try:
            if not path.exists():
                part = path.with_suffix(f".{os.getpid()}.part")
                part.write_text(self._source, encoding="utf-8")
                os.replace(part, path)
        except OSError as error:
            raise _unkept(error) from None
        return path

    def _import(self, path: Path) -> ModuleType:
        spec = importlib.util.spec_from_file_location(self.name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[self.name] = module
        with _uninterrupted():
            try:
                spec.loader.exec_module(module)
            except BaseException:
                del sys.modules[self.name]
                raise
        return module
