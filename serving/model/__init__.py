"""The model that answers: which version, its files, its checks."""
