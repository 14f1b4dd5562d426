"""The GPU that tests run on: any adapter, such as Mesa's lavapipe, which computes on the CPU."""

from __future__ import annotations

import pytest

from rung.backends.webgpu.adapters import adapters
from rung.errors import BackendError


def need_gpu() -> None:
    """Skips the test, with the reason, where WebGPU finds no adapter."""
    try:
        found = adapters()
    except BackendError as error:
        pytest.skip(str(error))
    if not found:
        pytest.skip("WebGPU finds no adapter; without a GPU, install mesa-vulkan-drivers")
