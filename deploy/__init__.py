"""Starting and keeping the parts: on this machine, in containers, and in backups."""
