"""Sizes and times in few letters."""

from __future__ import annotations


def size_text(size_bytes: float) -> str:
    """A size as 12, 12K, 1.2M or 1.2G."""
    for unit in ("", "K", "M"):
        if size_bytes < 1024:
            return f"{size_bytes:.0f}" if not unit else f"{size_bytes:.3g}{unit}"
        size_bytes /= 1024
    return f"{size_bytes:.3g}G"


def time_text(seconds: float) -> str:
    """Three digits and a unit."""
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"
