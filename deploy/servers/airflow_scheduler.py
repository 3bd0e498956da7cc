"""Airflow's scheduler with what its tasks use loaded already: `python -m deploy.servers.airflow_scheduler`.

The local executor forks each task from the scheduler. What is imported here is imported in every task, and
Airflow freezes it, so that the copies share its memory.
"""

from __future__ import annotations

import sys
from importlib import import_module

# dbt, Great Expectations and Cosmos take three to five seconds each; a task would pay them anew every time.
LOADED = (
    "pipeline.refine",
    "cosmos",
    "cosmos.operators.watcher",
    "dbt.cli.main",
    "dbt.adapters.duckdb",
    "expectations.validation",
    "lake.dbt.functions",
    "source.collect",
)


def main() -> None:
    """Loads everything, then is `airflow scheduler` with the same arguments."""
    for name in LOADED:
        import_module(name)
    sys.argv[1:1] = ["scheduler"]
    import_module("airflow.__main__").main()


if __name__ == "__main__":
    main()
