"""Energy that the processor's packages have taken, where the system tells: Linux, RAPL counters."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_POWERCAP = Path("/sys/class/powercap")


@dataclass(frozen=True)
class _Counter:
    """One package's counter, which starts again at 0 after `most_uj`."""

    file: Path
    most_uj: int

    def read(self) -> int:
        return int(self.file.read_text())


class EnergyMeter:
    """Joules of all packages since `start`; `available` tells whether this system says them."""

    def __init__(self, root: Path = _POWERCAP) -> None:
        self._counters = [counter for zone in _packages(root) if (counter := _counter(zone))]
        self._before: list[int] = []

    @property
    def available(self) -> bool:
        """Whether there is a counter that this process may read."""
        return bool(self._counters)

    def start(self) -> None:
        """Counts from here."""
        self._before = [counter.read() for counter in self._counters]

    def joules(self) -> float | None:
        """Energy since `start`; None where it is not available."""
        if not self._counters:
            return None
        total = 0
        for counter, before in zip(self._counters, self._before, strict=True):
            used = counter.read() - before
            total += used if used >= 0 else used + counter.most_uj
        return total / 1e6


def _packages(root: Path) -> list[Path]:
    """Folders such as intel-rapl:0, on AMD processors too; what is below them is counted there."""
    return sorted(p for p in root.glob("intel-rapl:*") if p.name.count(":") == 1)


def _counter(zone: Path) -> _Counter | None:
    try:
        # psys is the whole platform, packages included: it would count them twice.
        if not (zone / "name").read_text().startswith("package"):
            return None
        counter = _Counter(zone / "energy_uj", int((zone / "max_energy_range_uj").read_text()))
        counter.read()  # only the administrator may, on many systems
    except (OSError, ValueError):
        return None
    return counter
