"""Measurements that docs/benchmarks.md reports, each a module that prints its table."""
