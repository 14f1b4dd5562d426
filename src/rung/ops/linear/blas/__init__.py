"""Linear by a BLAS library's product: a ladder for each pair of input types."""

from rung.ops.linear.blas import blocks, elements, grouped, halves

__all__ = ["blocks", "elements", "grouped", "halves"]
