"""What WGSL kernels are written with: calls, dispatches, source text.

call      a node as a kernel sees it, and what the GPU can do
source    the few lines that are added to a kernel's file: constants, conditions, bindings
"""

from __future__ import annotations

from rung.wgsl.call import Call, Constant, Dispatch, Features, Grid, ceil_div, spread

__all__ = ["Call", "Constant", "Dispatch", "Features", "Grid", "ceil_div", "spread"]
