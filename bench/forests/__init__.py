"""Who takes part in bench.engines."""
