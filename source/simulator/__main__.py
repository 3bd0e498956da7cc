"""The simulator as a program: `python -m source.simulator`."""

from __future__ import annotations

import logging
import sys

from contracts.errors import CanopyError
from contracts.outside import log_to_stderr
from contracts.rights import keep_private
from source.simulator.server import run
from source.simulator.settings import SimulatorSettings


def main() -> None:
    """Serves until it is told to end; a setting that cannot work ends it with one sentence."""
    keep_private()
    log_to_stderr(logging.INFO, "%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        run(SimulatorSettings())
    except CanopyError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
