"""The matrix of GPU kernels: every one × every case of its op, with and without features.

A software driver such as Mesa's lavapipe serves as well as a GPU.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gpu import require_gpu
from rung.backends.webgpu.backend import WebGpuBackend
from rung.bench.kernels.matrix import check_op
from rung.bench.kernels.targets import load_backend
from rung.registry import OPS

load_backend("webgpu")
CHOSEN = ("", "-subgroups", "-f16", "none")
"""What RUNG_GPU_FEATURES leaves."""

WITH_KERNELS = sorted(
    name for name, op in OPS.items() if any(k.backend == "webgpu" for k in op.kernels)
)


@pytest.fixture(scope="module", params=CHOSEN, ids=lambda chosen: chosen or "all")
def gpu(request: pytest.FixtureRequest) -> Iterator[WebGpuBackend]:
    """A GPU with some features; one device at a time."""
    require_gpu()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNG_GPU_FEATURES", request.param)
        backend = WebGpuBackend()
        yield backend
        backend.close()


@pytest.mark.parametrize("name", WITH_KERNELS)
def test_kernels_compute_the_reference(name: str, gpu: WebGpuBackend) -> None:
    verdicts = list(check_op(OPS[name], gpu))
    wrong = [f"{v.kernel.name}: {v.share:.3g} of the allowed error, {v.worst_case}"
             for v in verdicts if not v.ok]  # fmt: skip
    assert not wrong, "\n".join(wrong)
    without_case = [v.kernel.name for v in verdicts if not (v.cases or gpu.lacks(v.kernel))]
    assert not without_case


def test_features_are_what_was_chosen(gpu: WebGpuBackend) -> None:
    chosen = gpu.origin.features
    for feature in ("f16", "subgroups"):
        if chosen == "none" or f"-{feature}" in chosen:
            assert not gpu.gpu.features.has(feature)
