"""Adapters: the GPUs that WebGPU finds, and which one --device names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from rung import env
from rung.backends.webgpu.log import log
from rung.errors import BackendError, UsageError

_APIS = {"webgpu": "", "vulkan": "Vulkan", "metal": "Metal", "dx12": "D3D12"}
NAMES = tuple(_APIS)
"""What --device can name: any adapter, or one on that interface; :N takes the Nth of these."""

# The best first, all others between them. A "CPU" adapter is a driver that computes on the
# processor, such as lavapipe.
_ORDER = {"DiscreteGPU": 0, "IntegratedGPU": 1, "CPU": 3}


@dataclass(frozen=True, eq=False)
class Adapter:
    """A GPU with a driver: `handle` is wgpu's."""

    handle: Any
    index: int

    @property
    def name(self) -> str:
        """Such as NVIDIA H200."""
        return str(self.handle.info["device"])

    @property
    def api(self) -> str:
        """vulkan, metal or dx12."""
        found = str(self.handle.info["backend_type"])
        return next((name for name, api in _APIS.items() if api == found), found.lower())

    @property
    def kind(self) -> str:
        """Such as discrete gpu, integrated gpu or software."""
        kind = str(self.handle.info["adapter_type"])
        return "software" if kind == "CPU" else re.sub("GPU$", " gpu", kind).lower()

    @property
    def driver(self) -> str:
        """Its version, as it calls itself."""
        return str(self.handle.info["description"])


@cache
def adapters() -> tuple[Adapter, ...]:
    """Every adapter, the best first. Raises BackendError where wgpu is not installed or fails."""
    try:
        import wgpu
        from wgpu.backends.wgpu_native import extras
    except ImportError as error:
        raise BackendError(f"WebGPU needs the package wgpu: pip install wgpu ({error})") from None
    except OSError as error:
        raise BackendError(f"wgpu's library cannot be loaded: {error}") from None
    log()
    try:
        # OpenGL is left out: it lacks what kernels need, and complains where there is no screen.
        extras.set_instance_extras(backends=["Vulkan", "Metal", "DX12"])
        with env.runtime_folder():
            found = wgpu.gpu.enumerate_adapters_sync()
    except Exception as error:
        raise BackendError(f"WebGPU does not start: {_first_line(error)}") from None
    found = [a for a in found if a.info["backend_type"] in _APIS.values()]
    found.sort(key=lambda a: _ORDER.get(a.info["adapter_type"], 2))
    return tuple(Adapter(handle, index) for index, handle in enumerate(found))


def is_name(device: str) -> bool:
    """Whether --device names an adapter of WebGPU."""
    return device.partition(":")[0] in _APIS


def find(device: str) -> Adapter:
    """The adapter that a name means; "webgpu" alone is what RUNG_GPU says, or the best.

    Raises BackendError where there is none, UsageError for a name or number that is none.
    """
    if device == NAMES[0] and (chosen := env.GPU.get()):
        if not is_name(chosen):
            raise UsageError(f"RUNG_GPU is {chosen!r}, expected {', '.join(NAMES)}, or one with :N")
        device = chosen
    name, colon, number = device.partition(":")
    if colon and not number.isdecimal():
        raise UsageError(f"device is {device!r}, expected {name} or {name}:N with a number N")
    wanted = _APIS[name]
    found = [a for a in adapters() if wanted in ("", a.handle.info["backend_type"])]
    if not found:
        api = {"metal": "Metal", "dx12": "DirectX 12"}.get(name, "Vulkan")
        raise BackendError(
            f"no GPU was found through {api}: install the driver of your GPU, with Vulkan on Linux "
            "(for tests without a GPU: mesa-vulkan-drivers), or leave --device out to use the CPU"
        )
    index = int(number or 0)
    if index >= len(found):
        names = ", ".join(f"{name}:{i} is {a.name}" for i, a in enumerate(found))
        raise UsageError(f"there is no {device}; {names}")
    return found[index]


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
