"""Fusion: neighbors in a program's list become one node, where the GPU has a kernel for it.

A start of a kernel that waits for the one before costs a GPU some 2 µs (H200), the time in which
it reads 8 MB of weights. Tensors between the fused nodes are then never written, so nothing else
may read them: neither another node, nor another program, nor whoever runs the graph.

web         who makes and who reads what
group       nodes, and the one that takes their place
patterns    groups that decoders have: norms, products and activations
attention   those that stand before an attention: products, rotations and writes to the cache
places      what memory tensors lie in
fuse        which groups are taken, and where each may run
"""

from __future__ import annotations

from rung.backends.webgpu.fusion.fuse import Job, chosen, fuse
from rung.backends.webgpu.fusion.places import Places

__all__ = ["Job", "Places", "chosen", "fuse"]
