"""What a run tells of itself as it goes: metrics.jsonl, a row for each step, and TensorBoard."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rung.errors import RungError, UsageError
from rung.formats.files import replacing

Row = dict[str, Any]
_SCALARS = ("loss", "norm", "lr", "tok_s", "val_loss")


class Metrics:
    """Rows of JSON, on disk as soon as they are written; `step` is in each.

    A run that goes on from `step` first drops the rows after it, of steps that are made again.
    """

    def __init__(self, path: Path, *, step: int, tensorboard: Path | None = None) -> None:
        self._path = path
        self._board = None if tensorboard is None else _board(tensorboard, step)
        rows = [row for row in read_rows(path) if row["step"] <= step] if step else []
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
        with replacing(path) as file:
            file.write(text.encode())
        self._file = path.open("a", encoding="utf-8", newline="\n")

    def add(self, row: Row) -> None:
        """Writes a row. Raises RungError where that is impossible."""
        try:
            self._file.write(json.dumps(row) + "\n")
            self._file.flush()
        except OSError as error:
            raise RungError(f"{self._path} cannot be written ({error.strerror})") from error
        if self._board is not None:
            for name in _SCALARS:
                if row.get(name) is not None:
                    self._board.add_scalar(name, row[name], row["step"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        except OSError:  # a full disk: `add` has told it
            if kind is None:
                raise
        if self._board is not None:
            self._board.close()


def read_rows(path: Path) -> list[Row]:
    """The rows of a metrics file; lines that were cut off are left out."""
    if not path.is_file():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and isinstance(row.get("step"), int):
            rows.append(row)
    return rows


def check_tensorboard() -> None:
    """Raises UsageError where TensorBoard's files cannot be written."""
    try:
        import tensorboardX  # noqa: F401
    except ImportError:
        raise UsageError(
            '--tensorboard needs tensorboardX: pip install "rung[tensorboard]"'
        ) from None


def _board(folder: Path, step: int) -> Any:
    from tensorboardX import SummaryWriter

    return SummaryWriter(str(folder), purge_step=step + 1 if step else None)
