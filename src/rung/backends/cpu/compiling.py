"""Compiling what is missing, in two processes where there are two cores.

Numba compiles one function at a time in a process. So a second process, this module run as a
program, takes modules from the other end of the list; each is claimed by a file that only one of
them can make. What the helper leaves undone, for whatever reason, is compiled here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rung.backends.base import Compiling
from rung.backends.cpu import machine
from rung.backends.cpu.cache import CachedModule, folder

# Importing the compiler takes a second; fewer modules than this are done sooner without help.
_WORTH_HELP = 4
_POLL_S = 0.05
_LIST = "modules.json"


class Claims:
    """Which modules of one load are taken, as files in a folder of their own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def take(self, name: str) -> bool:
        """Whether a module was free and is now this process's."""
        try:
            os.close(os.open(self.path / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            return False
        return True


def compile_missing(
    modules: Sequence[tuple[str, CachedModule]], on_compile: Compiling | None
) -> None:
    """Compiles modules, given with the names to show. Raises BackendError as CachedModule.load."""

    def tell(name: str) -> None:
        if on_compile is not None:
            done = sum(module.is_compiled for _, module in modules)
            on_compile(min(done, len(modules) - 1), len(modules), name)

    if len(modules) < _WORTH_HELP or len(machine.allowed_cpus()) < 2:
        for name, module in modules:
            tell(name)
            module.load()
    else:
        with _helper([module for _, module in modules]) as (claims, helper):
            for name, module in modules:
                if claims.take(module.name):
                    tell(name)
                    module.load()
            while helper.poll() is None and not all(m.is_compiled for _, m in modules):
                tell(modules[-1][0])
                time.sleep(_POLL_S)
        for name, module in modules:
            if not module.is_compiled:
                tell(name)
                module.load()
    if on_compile is not None:
        on_compile(len(modules), len(modules), "")


@contextmanager
def _helper(modules: Sequence[CachedModule]) -> Iterator[tuple[Claims, subprocess.Popen[bytes]]]:
    """The second process, ended with the block. It ends by itself where this one is killed."""
    import tempfile

    claims = Claims(Path(tempfile.mkdtemp(prefix=".claims-", dir=folder())))
    (claims.path / _LIST).write_text(json.dumps([(m.name, m.recipe) for m in reversed(modules)]))
    command = [sys.executable, "-m", __name__, str(claims.path)]
    # A group of its own, so that Ctrl-C reaches it only through us.
    helper = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,  # nothing is written: it closes with this process
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    try:
        yield claims, helper
    finally:
        helper.kill()
        helper.communicate()
        shutil.rmtree(claims.path, ignore_errors=True)


def main(claims_path: str) -> None:
    """Compiles the listed modules that nobody has claimed.

    Only those whose name comes out the same here: sources may have changed since the other process
    read them, and its names stand for what it read.
    """
    from rung.simd.target import host

    host()
    claims = Claims(Path(claims_path))
    threading.Thread(target=_end_with_parent, args=(claims,), daemon=True).start()
    for name, (label, source, files) in json.loads((claims.path / _LIST).read_text()):
        module = CachedModule(label, source, tuple(files))
        if module.name == name and claims.take(name):
            module.load()


def _end_with_parent(claims: Claims) -> None:
    """Ends this process, and what is left of both, when the other one has gone.

    It reads the descriptor itself: Python aborts at its end while a thread waits in sys.stdin.
    """
    while os.read(0, 1):
        continue
    shutil.rmtree(claims.path, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
