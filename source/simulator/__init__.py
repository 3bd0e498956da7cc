"""The stand-in for the source API: it plays each version, form and fault of the service."""
