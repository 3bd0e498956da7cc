"""The local stack: every part as a process on this machine."""
