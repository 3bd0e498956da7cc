"""What comes from outside is read in a process that may die, and that can do nothing else."""
