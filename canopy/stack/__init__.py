"""The local stack: every part of Canopy as a process on this machine."""
