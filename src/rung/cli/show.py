"""How numbers and facts look on the command line."""

from __future__ import annotations

from collections.abc import Mapping


def size(n_bytes: int) -> str:
    """Bytes in the unit that reads best, as "1.5 MiB"."""
    if n_bytes < 1024:
        return f"{n_bytes} B"
    value = float(n_bytes)
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1024
        if value < 1024:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:.1f} TiB"


def count(n: int) -> str:
    """A count in the unit that reads best, as "15.2 M"."""
    if n < 10_000:
        return f"{n:,}"
    value = float(n)
    for unit in ("k", "M"):
        value /= 1000
        if value < 1000:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} G"


def duration(seconds: float) -> str:
    """A time in the unit that reads best, as "12 ms"."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


def time(seconds: float) -> str:
    """A short time in the unit that reads best, three digits, as "1.23 ms"."""
    for unit, factor in (("ns", 1e9), ("µs", 1e6), ("ms", 1e3)):
        # 999.5 would be shown as 1e+03.
        if seconds * factor < 999.5:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"


def facts(values: Mapping[str, object], indent: str = "") -> str:
    """Names and values in two columns, one fact a line; plain text that grep and awk can read."""
    width = max((len(name) for name in values), default=0)
    return "\n".join(f"{indent}{name:<{width}}  {value}".rstrip() for name, value in values.items())
