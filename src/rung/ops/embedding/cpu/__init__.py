"""Embedding on the CPU: looking rows up, and adding their gradients to the table's."""

from rung.ops.embedding.cpu import backward, lookup

__all__ = ["backward", "lookup"]
