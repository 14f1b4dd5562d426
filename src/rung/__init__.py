"""Rung: an LLM runtime in Python."""
