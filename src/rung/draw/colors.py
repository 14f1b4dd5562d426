"""Colors of drawings, for light and for dark surroundings, by backend and by kind of shape."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shade:
    """What fills a shape and what draws its edge: (light, dark) each."""

    fill: tuple[str, str]
    line: tuple[str, str]


BACKENDS = (
    Shade(("#ddf4ff", "#0c2d4a"), ("#0969da", "#58a6ff")),  # the host comes first
    Shade(("#fff1e5", "#4a2408"), ("#bc4c00", "#f0883e")),
    Shade(("#dafbe1", "#0f3a1d"), ("#1a7f37", "#3fb950")),
    Shade(("#fbefff", "#3c1e5c"), ("#8250df", "#bc8cff")),
    Shade(("#ffeff7", "#4d1433"), ("#bf3989", "#f778ba")),
)
"""By the number of a backend, from the host up; those beyond the last begin again."""

PAPER = {
    "paper": Shade(("#ffffff", "#0d1117"), ("none", "none")),
    "lane": Shade(("#f6f8fa", "#151b23"), ("#d1d9e0", "#3d444d")),
    "end": Shade(("#ffffff", "#0d1117"), ("#818b98", "#9198a1")),
    "side": Shade(("#f6f8fa", "#212830"), ("#c8d1da", "#545d68")),
    "state": Shade(("#fff8c5", "#3b2e07"), ("#d4a72c", "#9e6a03")),
    "flow": Shade(("none", "none"), ("#59636e", "#9198a1")),
    "copy": Shade(("none", "none"), ("#cf222e", "#ff7b72")),
    "words": Shade(("none", "none"), ("#1f2328", "#f0f6fc")),
    "quiet": Shade(("none", "none"), ("#59636e", "#b1bac4")),
}
