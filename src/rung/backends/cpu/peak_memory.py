"""The most memory this process has held."""

from __future__ import annotations

import sys
from pathlib import Path

if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    class _Counters(ctypes.Structure):
        """PROCESS_MEMORY_COUNTERS of psapi.h."""

        _fields_ = (
            ("cb", wintypes.DWORD),
            ("PageFaultCount", wintypes.DWORD),
            ("PeakWorkingSetSize", ctypes.c_size_t),
            ("WorkingSetSize", ctypes.c_size_t),
            ("QuotaPeakPagedPoolUsage", ctypes.c_size_t),
            ("QuotaPagedPoolUsage", ctypes.c_size_t),
            ("QuotaPeakNonPagedPoolUsage", ctypes.c_size_t),
            ("QuotaNonPagedPoolUsage", ctypes.c_size_t),
            ("PagefileUsage", ctypes.c_size_t),
            ("PeakPagefileUsage", ctypes.c_size_t),
        )

    def peak_memory_bytes() -> int:
        """Bytes of the largest working set so far; 0 where Windows does not say."""
        counters = _Counters(cb=ctypes.sizeof(_Counters))
        process = ctypes.windll.kernel32.GetCurrentProcess
        process.restype = wintypes.HANDLE
        query = ctypes.windll.psapi.GetProcessMemoryInfo
        query.argtypes = (wintypes.HANDLE, ctypes.POINTER(_Counters), wintypes.DWORD)
        query(process(), ctypes.byref(counters), counters.cb)
        return int(counters.PeakWorkingSetSize)

else:
    import resource

    def _high_water_bytes() -> int | None:
        """VmHWM of this process; None where there is no such file."""
        try:
            status = Path("/proc/self/status").read_text()
        except OSError:
            return None
        lines = (line.split() for line in status.splitlines() if line.startswith("VmHWM:"))
        return next((int(words[1]) * 1024 for words in lines), None)

    def peak_memory_bytes() -> int:
        """Bytes of the largest resident set so far, mapped file pages that were read included."""
        # Linux counts in ru_maxrss what the process held that started this one: it is kept when a
        # program takes the place of another.
        if (peak := _high_water_bytes()) is not None:
            return peak
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024  # Linux and BSD count in KiB
