"""The command `canopy`: its commands and screens."""
