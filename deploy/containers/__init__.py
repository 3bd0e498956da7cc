"""The stack in containers: secrets, the init job, and what each container starts with."""
