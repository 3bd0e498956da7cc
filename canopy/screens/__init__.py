"""What a command shows while it works: the demo, the state of the stack, what keeps it from running."""
