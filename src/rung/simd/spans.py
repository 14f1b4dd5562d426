"""How a kernel finds its share of the work."""

from __future__ import annotations

from numba.extending import register_jitable


@register_jitable
def span(part, parts, size, grain):
    """Start and stop of part `part` of `parts` of range(size), cut at multiples of `grain`."""
    units = (size + grain - 1) // grain
    start = units * part // parts * grain
    stop = units * (part + 1) // parts * grain
    return start, min(stop, size)
