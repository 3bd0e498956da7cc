"""Bronze: what the source said, what was answered, and what happened beside; each written once."""
