"""The front door: the command `canopy` and the local stack behind `canopy demo`."""
