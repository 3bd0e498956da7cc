"""`python -m canopy` is the command `canopy`."""

from canopy.entry import main

if __name__ == "__main__":
    main()
