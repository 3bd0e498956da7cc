"""Has bytes from outside read by a process that may die of them (`serving/log/untrusted.py`)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from contracts.covertype import Contract
from contracts.errors import FileUnreadable
from sandbox.errors import Died, Failed
from sandbox.limits import Limits
from tabular.calling import DAMAGED, TableCaller
from tabular.codes import BYTES, CodesReader
from tabular.errors import TableUnreadable
from tabular.formats import NAMES

# What reading a file takes beside the file itself, which is mapped: blocks of 4 MB, and pieces of some rows.
MEMORY_BYTES = 640 * 2**20
# Two million rows of CSV take three seconds.
PROCESSOR_S, WITHIN_S = 60, 120.0
TOLD_BYTES = 2**20
SEGMENT_MEMORY_BYTES, SEGMENT_WITHIN_S = 512 * 2**20, 60.0


class Outside:
    """Reads what anybody may have sent. It is one for the whole service, and used by many threads."""

    def __init__(self, contract: Contract, row_limit: int, limit_bytes: int) -> None:
        """Args: the contract, and what a file may hold and weigh."""
        self.codes = CodesReader(contract)
        self._asked = {"rows": row_limit, "bytes": limit_bytes}
        self._limit_bytes = limit_bytes
        self._most_bytes = TOLD_BYTES + row_limit * len(contract.features) * BYTES
        self._caller = TableCaller(["serving.log.untrusted"])

    def start(self) -> None:
        """Imports what is needed, before the first file comes."""
        self._caller.sandbox.start()

    def stop(self) -> None:
        """Ends the process that imported it."""
        self._caller.sandbox.close()

    def check(self, kind: str, body: BinaryIO, out: BinaryIO) -> int:
        """Holds a file of rows against the contract.

        Args:
            kind: One of the content types of `tabular.formats`.
            body: The file.
            out: Gets the rows as codes.

        Returns: How many rows there are.
        Raises: FileUnreadable, also if reading it ends the process; OutsideContract.
        """
        limits = Limits(MEMORY_BYTES + self._limit_bytes, PROCESSOR_S, WITHIN_S, self._most_bytes)
        try:
            rows = self._caller.call("write_codes", self._asked | {"kind": kind}, limits, body, out)
            if not self.codes.is_whole(out, rows):
                raise TableUnreadable(*DAMAGED)
        except TableUnreadable as error:
            raise FileUnreadable(NAMES[kind], error.what, error.remedy) from error
        return rows

    def prove(self, segment: Path) -> None:
        """Reads a segment of the spool once where it may end the process. Raises: SegmentDamaged, OSError."""
        limits = Limits(SEGMENT_MEMORY_BYTES, PROCESSOR_S, SEGMENT_WITHIN_S, TOLD_BYTES)
        file = os.open(segment, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            self._caller.sandbox.call("serving.log.untrusted:prove_segment", b"", limits, (file,))
        except (Died, Failed) as error:
            raise SegmentDamaged(str(error)) from error
        finally:
            os.close(file)


class SegmentDamaged(Exception):
    """Reading a segment ends the process that does it."""
