"""What docs/webgpu-backend.md shows works: its kernel compiles, its options and features exist."""

from __future__ import annotations

import re
from pathlib import Path

from gpu import require_gpu
from rung.backends.webgpu.adapters import find
from rung.backends.webgpu.gpu import Gpu
from rung.backends.webgpu.opening import FEATURES
from rung.wgsl.source import expand

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "webgpu-backend.md").read_text("utf-8")


def test_the_kernel_on_the_page_compiles(tmp_path: Path) -> None:
    require_gpu()
    [text] = re.findall(r"```wgsl\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / "scale.wgsl"
    file.write_text(text, encoding="utf-8")
    source = expand(file, {"THREADS": 64, "D": 8, "factor": 0.5}, {}, "sizes.T")
    assert [name for name, _ in source.variables] == ["sizes", "x_TD", "y_TD"]
    gpu = Gpu(find("webgpu"))
    gpu.pipeline(source, "scale")
    gpu.close()


def test_every_feature_is_on_the_page() -> None:
    assert [name for name in FEATURES if f"| `{name}`" not in PAGE] == []
