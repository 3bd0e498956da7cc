"""Health check of the images: ends well if an address answers 200 and, of Airflow, if a part is well."""

import json
import sys
from urllib.request import urlopen


def main(url: str, component: str | None = None) -> None:
    """Args: url: what is asked; component: a part in Airflow's page of health, such as `scheduler`."""
    with urlopen(url, timeout=4) as answer:  # noqa: S310
        if component and json.load(answer)[component]["status"] != "healthy":
            sys.exit(f"{component} is not healthy")


main(*sys.argv[1:])
