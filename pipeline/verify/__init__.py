"""Proof that each layer holds what the one before it does, and that readers see it."""
