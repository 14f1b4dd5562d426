"""Opening a GPU: the features and limits asked for, and what the environment leaves of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rung import env
from rung.backends.webgpu.adapters import Adapter
from rung.errors import BackendError, UsageError
from rung.wgsl import Features

FEATURES = ("f16", "subgroups", "matrices")
"""What RUNG_GPU_FEATURES can switch off."""

_WANTED = {
    "f16": ("shader-f16",),
    "subgroups": ("subgroup", "subgroup-barrier"),
    "matrices": ("cooperative-matrix",),
    "timestamps": ("timestamp-query", "timestamp-query-inside-passes"),
}
_LIMITS = (
    "max-buffer-size",
    "max-storage-buffer-binding-size",
    "max-compute-workgroup-storage-size",
    "max-compute-invocations-per-workgroup",
    "max-compute-workgroup-size-x",
    "max-compute-workgroup-size-y",
    "max-storage-buffers-per-shader-stage",
)
# More than any kernel has, and little enough for every driver.
_MOST_BINDINGS = 24
_ALIGNMENT = 256


@dataclass(frozen=True, eq=False)
class Opened:
    """wgpu's device, and what kernels may use of it; the size of subgroups is not known yet."""

    handle: Any
    features: Features
    has_timestamps: bool


def open_device(adapter: Adapter) -> Opened:
    """The device of an adapter, with all features that it has and the environment leaves.

    Raises BackendError where the driver refuses, UsageError where a variable makes no sense.
    """
    available, chosen = adapter.handle.features, _chosen()
    wanted = {
        name: all(f in available for f in needed) and chosen.get(name, True)
        for name, needed in _WANTED.items()
    }
    limits = {name: adapter.handle.limits[name] for name in _LIMITS}
    storage = "max-storage-buffers-per-shader-stage"
    limits[storage] = min(limits[storage], _MOST_BINDINGS)
    handle, wanted = _request(adapter, wanted, limits)
    largest = min(limits["max-storage-buffer-binding-size"], limits["max-buffer-size"])
    features = Features(
        f16=wanted["f16"],
        subgroups=wanted["subgroups"],
        matrices=wanted["matrices"],
        workgroup_bytes=limits["max-compute-workgroup-storage-size"],
        invocations=limits["max-compute-invocations-per-workgroup"],
        binding_bytes=largest // _ALIGNMENT * _ALIGNMENT,
    )
    return Opened(handle, features, wanted["timestamps"])


def _request(
    adapter: Adapter, wanted: dict[str, bool], limits: dict[str, int]
) -> tuple[Any, dict[str, bool]]:
    """The device, and the features that it has."""
    request: Callable[..., Any] = adapter.handle.request_device_sync
    while True:
        features = [f for name, needed in _WANTED.items() if wanted[name] for f in needed]
        try:
            return request(required_features=features, required_limits=limits), wanted
        except Exception as error:
            # wgpu-native 29 offers cooperative matrices and refuses them as experimental.
            if wanted["matrices"]:
                wanted = wanted | {"matrices": False}
                continue
            text = str(error).strip().partition("\n")[0]
            raise BackendError(f"{adapter.name} cannot be used: {text}") from None


def _chosen() -> dict[str, bool]:
    """What RUNG_GPU_FEATURES leaves: "none", or names with a minus before them."""
    text = env.GPU_FEATURES.get().replace(" ", "")
    if text == "none":
        return dict.fromkeys(FEATURES, False)
    chosen = {}
    for word in filter(None, text.split(",")):
        name = word.removeprefix("-")
        if not word.startswith("-") or name not in FEATURES:
            known = ", ".join(f"-{feature}" for feature in FEATURES)
            raise UsageError(f"RUNG_GPU_FEATURES: {word!r} is not one of {known} or none")
        chosen[name] = False
    return chosen


def memory_limit() -> int:
    """Bytes that RUNG_GPU_MEMORY allows; 0 without a limit."""
    text = env.GPU_MEMORY.get().replace(" ", "")
    try:
        return env.parse_bytes(text) if text else 0
    except ValueError:
        raise UsageError(f"RUNG_GPU_MEMORY is {text!r}, expected a size such as 8G") from None


def trusted_module(device: Any, text: str, name: str) -> Any:
    """A shader module without the counters by which wgpu would end loops that never end.

    Bounds of memory stay checked.
    """
    from wgpu.backends.wgpu_native import _api, ffi, lib

    keep = [ffi.new("char[]", word.encode()) for word in (text, name)]
    source = ffi.new("WGPUShaderSourceWGSL *")
    source.chain.sType = lib.WGPUSType_ShaderSourceWGSL
    source.code.data, source.code.length = keep[0], len(keep[0]) - 1
    descriptor = ffi.new("WGPUShaderModuleDescriptor *")
    descriptor.nextInChain = ffi.cast("WGPUChainedStruct *", source)
    descriptor.label.data, descriptor.label.length = keep[1], len(keep[1]) - 1
    check_bounds = 1
    # Of `libf`, which raises what the compiler says.
    handle = _api.libf.wgpuDeviceCreateShaderModuleTrusted(
        device._internal, descriptor, check_bounds
    )
    return _api.GPUShaderModule(name, handle, device)
