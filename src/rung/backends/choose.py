"""Which backends run a model, by the names that users give."""

from __future__ import annotations

from dataclasses import dataclass

from rung import env
from rung.backends.base import Backend
from rung.errors import UsageError

DEVICES = ("cpu", "sim")
"""What --device can name."""


@dataclass(frozen=True, kw_only=True)
class Devices:
    """The backends to use beside the CPU. device: one of DEVICES."""

    device: str = "cpu"


def open_backends(devices: Devices, threads: int | None) -> list[Backend]:
    """The backends for a model, greatest priority first, the CPU last.

    Raises UsageError for an unknown name, BackendError where one is not available.
    """
    from rung.backends.cpu.backend import CpuBackend

    if devices.device not in DEVICES:
        raise UsageError(f"device is {devices.device!r}, expected one of {', '.join(DEVICES)}")
    cpu = CpuBackend(threads)
    if devices.device == "sim":
        from rung.backends.sim.backend import SimBackend
        from rung.backends.sim.spec import SimSpec

        return [SimBackend(cpu, SimSpec.parse(env.SIM.get())), cpu]
    return [cpu]
