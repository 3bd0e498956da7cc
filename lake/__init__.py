"""Storage and catalog: objects, bronze landings, DuckLake, the published pointer."""
