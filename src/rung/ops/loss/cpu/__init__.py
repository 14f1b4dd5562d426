"""The loss on the CPU."""

from rung.ops.loss.cpu import plain

__all__ = ["plain"]
