"""The optimizer on the CPU."""

from rung.ops.optimizer.cpu import lanes, plain

__all__ = ["lanes", "plain"]
