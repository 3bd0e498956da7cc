"""`python -m canopy`: the same as the command `canopy`."""

from canopy.cli import main

main()
