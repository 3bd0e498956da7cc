"""Backup and restore of a home folder and of the stack in containers."""
