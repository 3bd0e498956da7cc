"""The log of predictions: from memory to the local disk, from there to the lake."""
