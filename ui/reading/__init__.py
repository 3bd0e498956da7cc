"""What pages read: the lake at its pointer, and the other parts by their clients."""
