"""What is written down of a training: runs, cards, pictures."""
