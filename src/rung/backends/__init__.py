"""Processors that run programs of kernels."""

NAMES = ("cpu",)
"""Every backend that has kernels."""
