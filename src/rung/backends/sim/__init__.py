"""A made-up device: host memory that only it may touch, rules of its own, counters."""
