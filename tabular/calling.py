"""Has tables read by a process that may die of them (`tabular/confined.py`)."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, Literal

import msgspec

from contracts.errors import OutsideContract
from sandbox.errors import Died, Failed
from sandbox.limits import Limits
from sandbox.sandbox import Sandbox
from tabular.errors import TableUnreadable

LOG = logging.getLogger(__name__)
MODULE = "tabular.confined"
# How the readers' process may have ended, in words.
ENDS = {
    "memory": ("to read it takes more memory than a file may", "Take fewer rows."),
    "time": ("to read it takes longer than a file may", "Take fewer rows."),
}
DAMAGED = ("it is damaged, so that reading it fails", "Write it anew.")


class _Fault(msgspec.Struct, forbid_unknown_fields=True):
    """One value outside the contract, as the other process tells it."""

    row: int | None
    field: str | None
    value: int | float | str | bool | None
    allowed: str
    reason: Literal["missing", "unknown", "type", "bounds", "choice", "count"]


class _Told(msgspec.Struct, forbid_unknown_fields=True):
    """What the other process may say: rows, a reason, or faults."""

    rows: int | None = None
    what: str | None = None
    remedy: str = ""
    violations: list[_Fault] = []
    total: int = 0
    note: str = ""


class TableCaller:
    """Reads what anybody may have written. One may be used by many threads.

    Attributes:
        sandbox: The warm process behind it.
    """

    def __init__(self, modules: Sequence[str] = ()) -> None:
        """Names what else is called in the same process."""
        self.sandbox = Sandbox([MODULE, *modules])
        self._told = msgspec.json.Decoder(_Told)

    def close(self) -> None:
        """Ends the warm process."""
        self.sandbox.close()

    def call(
        self, function: str, asked: Mapping[str, Any], limits: Limits, body: BinaryIO, out: BinaryIO
    ) -> int:
        """Has a table read.

        Args:
            function: A name of `tabular.confined`.
            asked: Its settings.
            limits: What it may use.
            body: The table.
            out: Gets what is made of it.

        Returns: How many rows there are, as the other process says.
        Raises: TableUnreadable, also if reading it ends the process; OutsideContract.
        """
        files, argument = (body.fileno(), out.fileno()), json.dumps(asked).encode()
        try:
            answer = self.sandbox.call(f"{MODULE}:{function}", argument, limits, files)
            told = self._told.decode(answer)
        except Died as error:
            LOG.warning("table_not_read function=%s reason=%s", function, error.reason)
            raise TableUnreadable(*ENDS.get(error.reason, DAMAGED)) from error
        except (Failed, msgspec.DecodeError) as error:
            LOG.warning("table_not_read function=%s reason=%r", function, str(error)[:300])
            raise TableUnreadable(*DAMAGED) from error
        if told.violations:
            faults: list[dict[str, Any]] = [msgspec.structs.asdict(fault) for fault in told.violations]
            raise OutsideContract(faults, told.total, told.note)
        if told.rows is None:
            raise TableUnreadable(*((told.what, told.remedy) if told.what else DAMAGED))
        return told.rows
