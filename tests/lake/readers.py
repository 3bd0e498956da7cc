"""An analyst who reads in a loop, in a process of its own: `python -m tests.lake.readers sql|file FOLDER`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb

from lake.objects import open_objects
from lake.publish.analysts_file import KEY
from lake.read.query import run_query
from lake.settings import LakeSettings
from tests.lake.landed import lake_in

# The rows, and what another table says of them: both from one state, or the answer equals none.
QUERY = """
select
    count(*)::bigint, sum(number)::bigint, bit_xor(hash(number))::varchar, (from gold.totals)::bigint
from gold.numbers
"""
STOP = "stop"


def ask_the_lake(lake: LakeSettings) -> Iterator[tuple[object, ...]]:
    """What `canopy sql` does."""
    while True:
        yield run_query(QUERY, lake=lake).rows[0]


def ask_the_file(lake: LakeSettings) -> Iterator[tuple[object, ...]]:
    """Opens the file, asks it twice, and opens it anew."""
    while True:
        with duckdb.connect(open_objects(lake).url(KEY), read_only=True) as file:
            for _ in range(2):
                yield file.execute(QUERY).fetchall()[0]


def main(way: str, folder: Path) -> None:
    """Writes each answer as a line, until the folder holds a file named `stop`."""
    ways = {"sql": ask_the_lake, "file": ask_the_file}
    for answer in ways[way](lake_in(folder)):
        sys.stdout.write(json.dumps(answer) + "\n")
        if (folder / STOP).exists():
            break
        time.sleep(0.01)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
