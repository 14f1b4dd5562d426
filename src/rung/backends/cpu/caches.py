"""The size of the processor's last cache, as far as the system tells."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# Where nobody tells: more than most processors have, so that "from memory" is from memory.
ASSUMED_BYTES = 64 << 20
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def last_cache_bytes(folder: Path = _CACHES) -> int:
    """Bytes of the largest cache that a core sees; ASSUMED_BYTES where the system does not tell."""
    if sys.platform == "darwin":
        return _sysctl_bytes() or ASSUMED_BYTES
    sizes = [_read(path) for path in folder.glob("index*/size")]
    return max(sizes, default=0) or ASSUMED_BYTES


def _read(path: Path) -> int:
    try:
        text = path.read_text().strip()
    except OSError:
        return 0
    number = text.rstrip("KMG")
    return int(number) * _UNITS.get(text[-1:], 1) if number.isdecimal() else 0


def _sysctl_bytes() -> int:
    names = ("hw.l3cachesize", "hw.perflevel0.l2cachesize", "hw.l2cachesize")
    sizes = []
    for name in names:
        answer = subprocess.run(
            ["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, check=False
        )
        sizes.append(int(answer.stdout) if answer.stdout.strip().isdecimal() else 0)
    # Apple's system-level cache is not told; it holds several times the second level.
    return 4 * max(sizes)
