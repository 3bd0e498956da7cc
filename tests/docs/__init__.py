"""The documentation holds what it says."""
