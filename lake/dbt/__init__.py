"""What dbt needs of the lake: its environment, and two plugins of its DuckDB connection."""
