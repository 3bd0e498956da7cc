"""The DuckLake catalog: connections, copies for readers, one writer at a time, upkeep."""
