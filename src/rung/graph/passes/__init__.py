"""Passes: each takes a graph and returns a better one that means the same, verified.

rounding   inputs of products with weights of few bits become int8
tiles      inputs of products are packed in bfloat16 as well, for many tokens
fusion     an op and the rounding of its output become one
dead       nodes that nothing reads go
"""

from __future__ import annotations

from rung.graph.passes.dead import drop_dead_nodes
from rung.graph.passes.fusion import fuse_rounding
from rung.graph.passes.rounding import quantize_activations
from rung.graph.passes.tiles import pack_activations

__all__ = ["drop_dead_nodes", "fuse_rounding", "pack_activations", "quantize_activations"]
