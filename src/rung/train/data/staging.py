"""A folder that appears under its name only when all that belongs in it is written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rung.errors import RungError, UsageError
from rung.train.data.manifest import MANIFEST, read_manifest
from rung.train.data.tokenizer_files import TOKENIZER_FILES


@contextmanager
def staged(folder: Path, *, replace: bool) -> Iterator[Path]:
    """A new folder to write into, which takes the name `folder` once the block has ended well.

    With `replace` it may be one that `rung data` wrote before, with nothing else in it; that one
    stays until the new one is whole. Raises UsageError where `folder` holds anything else,
    RungError where it cannot be written; nothing is changed then.
    """
    folder = folder.resolve()
    check_output(folder, replace=replace)
    stage = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        stage.mkdir()
        yield stage
        _swap(stage, folder)
    except OSError as error:
        reason = error.strerror or str(error)
        raise RungError(f"{folder} cannot be written ({reason}); nothing was changed") from error
    except RungError as error:
        if str(stage) not in str(error) or type(error) is not RungError:
            raise
        raise RungError(str(error).replace(str(stage), str(folder))) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def check_output(folder: Path, *, replace: bool) -> None:
    """Raises UsageError where `folder` must not be written."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageError(f"{folder} is a file; give the name of a folder to write")
    found = {path.name for path in folder.iterdir()}
    if not found:
        return
    if MANIFEST not in found:
        raise UsageError(f"{folder} holds other files; give the name of a new folder")
    if not replace:
        raise UsageError(f"{folder} exists already; --force replaces it")
    ours = {shard.name for shard in read_manifest(folder / MANIFEST).shards}
    others = sorted(found - ours - {MANIFEST, *TOKENIZER_FILES})
    if others:
        raise UsageError(f"{folder} holds {others[0]}, which is not of it; give another folder")


def _swap(stage: Path, folder: Path) -> None:
    """Gives the new folder its name; what had it before is removed last."""
    old = folder.with_name(f"{folder.name}.{os.getpid()}.old")
    had = folder.exists()
    if had:
        folder.rename(old)
    try:
        stage.rename(folder)
    except BaseException:  # Ctrl-C, too
        if had and not folder.exists():
            old.rename(folder)
        raise
    if had:
        shutil.rmtree(old, ignore_errors=True)
