"""How many objects of each kind wgpu holds, to find what is never given back."""

from __future__ import annotations


def object_counts() -> dict[str, int]:
    """Objects by kind, such as buffers and bind_groups, of all GPUs of this process."""
    from wgpu.backends.wgpu_native._helpers import generate_report

    found: dict[str, int] = {kind: n["kept"] for kind, n in generate_report()["hub"].items()}
    return found
