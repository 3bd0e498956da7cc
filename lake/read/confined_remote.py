"""As `lake.read.confined`, for a lake in a store or with its catalog in PostgreSQL: two more extensions."""

from __future__ import annotations

from lake.read.confined import CONNECTION

for extension in ("httpfs", "postgres_scanner"):
    CONNECTION.execute(f"load {extension}")
