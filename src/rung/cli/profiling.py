"""--profile: a summary on stderr, a trace file, or both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rung.cli.streams import note
from rung.errors import UsageError

if TYPE_CHECKING:
    from rung.engine.model import Model
    from rung.schedule.profile.runs import Profile

_SUMMARY = "summary"


@dataclass(frozen=True, kw_only=True)
class ProfileWish:
    """What --profile asks for: tables, files to write."""

    summary: bool
    traces: tuple[Path, ...]

    @staticmethod
    def parse(values: Sequence[str]) -> ProfileWish:
        """`summary`, and names of files that can be written.

        Raises UsageError for anything else, RungError for a file that cannot: before a model runs.
        """
        from rung.formats.files import check_replacing

        traces = tuple(Path(value).expanduser() for value in values if value != _SUMMARY)
        for path in traces:
            if path.suffix.lower() != ".json":
                raise UsageError(
                    f"--profile is {str(path)!r}, expected summary or a file that ends in .json"
                )
            check_replacing(path)
        return ProfileWish(summary=_SUMMARY in values, traces=traces)

    @contextmanager
    def of(self, model: Model) -> Iterator[Profile | None]:
        """Collects what is asked for while the block runs."""
        if not (self.summary or self.traces):
            yield None
            return
        with model.profile() as profile:
            yield profile

    def deliver(self, profile: Profile | None) -> None:
        """Tables to stderr, and the files."""
        if profile is None:
            return
        for path in self.traces:
            profile.write(path)
        if self.summary:
            note(f"\n{profile.summary()}")
        else:
            for line in profile.gaps:
                note(line)
