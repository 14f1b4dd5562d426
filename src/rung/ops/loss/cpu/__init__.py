"""The loss on the CPU."""

from rung.ops.loss.cpu import lanes, plain

__all__ = ["lanes", "plain"]
