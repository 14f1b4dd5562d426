"""Which backends run a model, by the names that users give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from rung import env
from rung.backends.base import Backend
from rung.errors import UsageError

DEVICES = ("cpu", "sim")
"""What --device can name."""


class DeviceOptions(TypedDict, total=False):
    """The fields of Devices, as keyword arguments."""

    device: str
    threads: int | None
    threads_batch: int | None


@dataclass(frozen=True, kw_only=True)
class Devices:
    """The backends to use, and their threads.

    device: one of DEVICES. threads: of the CPU, None for the physical cores this process may use.
    threads_batch: for more than one token at once, None for as many.
    """

    device: str = "cpu"
    threads: int | None = None
    threads_batch: int | None = None


def open_backends(devices: Devices) -> list[Backend]:
    """The backends for a model, greatest priority first, the CPU last.

    Raises UsageError for an unknown name, BackendError where one is not available.
    """
    from rung.backends.cpu.backend import CpuBackend

    if devices.device not in DEVICES:
        raise UsageError(f"device is {devices.device!r}, expected one of {', '.join(DEVICES)}")
    cpu = CpuBackend(devices.threads, devices.threads_batch)
    if devices.device == "sim":
        from rung.backends.sim.backend import SimBackend
        from rung.backends.sim.spec import SimSpec

        return [SimBackend(cpu, SimSpec.parse(env.SIM.get())), cpu]
    return [cpu]
