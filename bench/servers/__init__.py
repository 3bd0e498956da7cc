"""Who takes part in bench.serving."""
