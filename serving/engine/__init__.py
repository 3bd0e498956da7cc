"""The fast way through a forest."""
