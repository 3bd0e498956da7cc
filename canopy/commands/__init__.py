"""The groups of commands below `canopy`."""
