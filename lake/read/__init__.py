"""Reading: questions and their results, DuckDB's shell, and the way back from a prediction."""
