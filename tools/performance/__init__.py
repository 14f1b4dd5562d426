"""The performance page: docs/performance.md and its pictures, from rows of benchmarks."""
