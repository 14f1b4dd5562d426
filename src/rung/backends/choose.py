"""Which backends run a model, by the names that users give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from rung import env
from rung.backends.base import Backend
from rung.backends.webgpu import adapters
from rung.errors import UsageError

if TYPE_CHECKING:
    from rung.backends.cpu.backend import TeamBackend

DEVICES = ("cpu", "webgpu", "vulkan", "metal", "dx12", "sim")
"""What --device can name; those of GPUs also with :N, the Nth of them."""


class DeviceOptions(TypedDict, total=False):
    """The fields of Devices, as keyword arguments."""

    device: str
    blas: str | None
    threads: int | None
    threads_batch: int | None


@dataclass(frozen=True, kw_only=True)
class Devices:
    """The backends to use, and their threads.

    device: one of DEVICES. blas: the library for products, as RUNG_BLAS, whose value None takes.
    threads: of the CPU, None for the physical cores this process may use. threads_batch: for more
    than one token at once, None for as many.
    """

    device: str = "cpu"
    blas: str | None = None
    threads: int | None = None
    threads_batch: int | None = None

    @property
    def has_gpu(self) -> bool:
        """Whether the device is a GPU."""
        return adapters.is_name(self.device)


def open_backends(devices: Devices, *, with_blas: bool = True) -> list[Backend]:
    """The backends for a model, greatest priority first, the CPU last.

    with_blas: whether a library would be of use, if nobody asked for one by name. Raises UsageError
    for an unknown name, BackendError where one is not available.
    """
    from rung.backends.cpu.backend import CpuBackend

    check_device(devices.device)
    cpu = CpuBackend(devices.threads, devices.threads_batch)
    try:
        return [*_device(devices.device, cpu), *_blas(devices.blas, cpu, with_blas), cpu]
    except BaseException:
        cpu.close()
        raise


def check_device(name: str) -> None:
    """Raises UsageError for a name of no device, BackendError for a GPU that is not there."""
    if name.partition(":")[0] not in DEVICES:
        raise UsageError(f"device is {name!r}, expected one of {', '.join(DEVICES)}")
    if adapters.is_name(name):
        adapters.find(name)


def _device(name: str, cpu: TeamBackend) -> list[Backend]:
    if name == "cpu":
        return []
    if adapters.is_name(name):
        from rung.backends.webgpu.backend import WebGpuBackend

        return [WebGpuBackend(name)]
    if name != "sim":
        raise UsageError(f"device is {name!r}: only GPUs are numbered")
    from rung.backends.sim.backend import SimBackend
    from rung.backends.sim.spec import SimSpec

    return [SimBackend(cpu, SimSpec.parse(env.SIM.get()))]


def _blas(name: str | None, cpu: TeamBackend, with_blas: bool) -> list[Backend]:
    """The BLAS backend, if its library is there; looking for it takes some 50 ms."""
    from rung.backends.blas.library import AUTO, Missing, find_library

    asked = env.BLAS.get() if name is None else name
    if asked.strip().lower() in ("", AUTO) and not with_blas:
        return []
    found = find_library(asked)
    if isinstance(found, Missing):
        return []
    from rung.backends.blas.backend import BlasBackend

    return [BlasBackend(cpu, found)]
