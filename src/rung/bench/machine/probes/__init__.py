"""Loops that do one thing as fast as the processor can: read, copy, multiply and add."""
