"""Files by path: read, mapped or replaced as a whole; every failure is one clear error."""

from __future__ import annotations

import mmap
import os
import shutil
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from rung.errors import FormatError, RungError, UsageError


@contextmanager
def opened(path: Path, expected: str) -> Iterator[BinaryIO]:
    """The regular file at `path`, open for reading; `expected` says what it should be.

    Raises FormatError where it is missing, empty, not a regular file, or cannot be read.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # asked before opening, for to open a pipe is to wait
            found = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise FormatError(path, "path", found, expected)
        if not status.st_size:
            raise FormatError(path, "file", "empty", expected)
        with path.open("rb") as file:
            yield file
    except FileNotFoundError:
        raise FormatError(path, "file", "missing", expected) from None
    except OSError as error:
        raise FormatError(path, "file", f"unreadable ({error.strerror})", expected) from error


def read_head(path: Path, size_bytes: int, expected: str) -> bytes:
    """The first `size_bytes` of a file, or all of a smaller one. Raises as `opened` does."""
    with opened(path, expected) as file:
        return file.read(size_bytes)


def read_most(file: BinaryIO, most: int) -> bytes:
    """The next bytes of a file, at most `most`.

    `file.read(most)` would allocate that many, however small the file is.
    """
    return file.read(min(most, os.fstat(file.fileno()).st_size))


def mapped(path: Path, expected: str) -> NDArray[np.uint8]:
    """The bytes of a whole file, read-only, mapped rather than copied. Raises as `opened` does."""
    with opened(path, expected) as file:
        size_bytes = os.fstat(file.fileno()).st_size
        try:
            mapping = mmap.mmap(file.fileno(), size_bytes, access=mmap.ACCESS_READ)
        except ValueError:  # the file shrank since its size was asked
            raise FormatError(path, "file", "changing while it is read", expected) from None
    return np.frombuffer(mapping, np.uint8)


def check_size(path: Path, *, found: int, expected: int, header: str) -> None:
    """Raises FormatError unless a file has as many bytes as its header (in words) needs."""
    if found != expected:
        difference = f"{abs(expected - found):,} {'missing' if found < expected else 'too many'}"
        raise FormatError(
            path,
            "size",
            f"{found:,} bytes ({difference})",
            f"{expected:,} bytes, for its header says {header}",
        )


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which takes the name `path` once the block has ended well.

    It is written beside `path` under a temporary name, so that a failure leaves what was there
    before, and a model may be rewritten under its own name while it is mapped. Raises RungError
    where the file cannot be written, such as on a full disk.
    """
    path, temporary = _places(path)
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise RungError(f"{path} cannot be written ({reason}); nothing was changed") from error
    finally:
        with suppress(OSError):  # gone already where all went well
            temporary.unlink()


@contextmanager
def replacing_folder(path: Path, *, replaced: Collection[str] = ()) -> Iterator[Path]:
    """A new folder to write files into, which takes the name `path` once the block has ended well.

    As with `replacing`, all of it reaches the disk before it has its name, and a failure leaves
    what was there before. replaced: names of files that go where a folder is there already. Raises
    UsageError where it holds anything else, or `path` is a file; RungError where the folder cannot
    be written.
    """
    path = path.resolve()
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file; give the name of a folder to write")
    others = sorted({file.name for file in path.iterdir()} - {*replaced}) if path.exists() else []
    if others:
        raise UsageError(f"{path} holds {others[0]}, which would be lost; give another folder")
    stage, old = (path.with_name(f"{path.name}.{os.getpid()}.{end}") for end in ("part", "old"))
    try:
        stage.mkdir(parents=True)
        yield stage
        for file in stage.iterdir():
            _flush(file)
        _flush(stage)
        if path.exists():
            path.rename(old)
        try:
            stage.rename(path)
        except BaseException:  # Ctrl-C, too: what was there must not go with `old`
            if old.exists() and not path.exists():
                old.rename(path)
            raise
        _flush(path.parent)
    except OSError as error:
        reason = error.strerror or str(error)
        raise RungError(f"{path} cannot be written ({reason}); nothing was changed") from error
    finally:
        for left in (stage, old):
            shutil.rmtree(left, ignore_errors=True)


def _flush(path: Path) -> None:
    """Waits until a file, or what a folder lists, is on the disk; Windows flushes no folders."""
    if os.name == "nt" and path.is_dir():
        return
    number = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def check_replacing(path: Path) -> None:
    """Raises what `replacing` would raise for a file that cannot be written; leaves all as it is.

    For what takes long to compute: a mistake in the name is told before.
    """
    path, temporary = _places(path)
    try:
        temporary.open("wb").close()
        temporary.unlink()
    except OSError as error:
        reason = error.strerror or str(error)
        raise RungError(f"{path} cannot be written ({reason})") from error


def _places(path: Path) -> tuple[Path, Path]:
    """The file that is meant, and the temporary one beside it."""
    path = path.resolve()  # a link stays a link, to the new file
    if path.is_dir():
        raise UsageError(f"{path} is a folder; give the name of a file to write")
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is a device or a pipe; give the name of a file to write")
    return path, path.with_name(f"{path.name}.{os.getpid()}.part")
