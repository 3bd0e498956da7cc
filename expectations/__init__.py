"""The gates between the layers, with Great Expectations."""
