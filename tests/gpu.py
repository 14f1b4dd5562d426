"""A GPU for tests, real or in software; without one they are skipped."""

from __future__ import annotations

import pytest

from rung.backends.webgpu import adapters
from rung.errors import BackendError


def require_gpu() -> None:
    """Skips the test where WebGPU finds no GPU, and says why."""
    try:
        adapters.find("webgpu")
    except BackendError as error:
        pytest.skip(str(error))
