"""Processors that run programs of kernels."""

NAMES = ("cpu", "blas", "webgpu")
"""Every backend that has kernels."""
