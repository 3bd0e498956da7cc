"""What DAGs and commands call: refine, replay, verify."""
