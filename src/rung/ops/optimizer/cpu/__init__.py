"""The optimizer on the CPU."""

from rung.ops.optimizer.cpu import plain

__all__ = ["plain"]
