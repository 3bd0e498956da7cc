"""The registry and which version answers."""
