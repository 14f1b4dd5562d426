"""Processors that run programs of kernels."""

NAMES = ("cpu", "blas")
"""Every backend that has kernels."""
