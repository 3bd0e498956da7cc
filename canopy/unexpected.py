"""What no package has told of: the machine's own refusals in a sentence each, and a place for all others."""

from __future__ import annotations

import errno
import re
import sys
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from clients.proxies import SOCKS, socks_wanted
from contracts.errors import CanopyError, Defect, MachineRefused, ServiceRefused
from contracts.outside import masked_text

FULL = (errno.ENOSPC, errno.EDQUOT)
TOO_MANY = (errno.EMFILE, errno.ENFILE)
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
STATUS = re.compile(r"error code (\d{3})\b")


def sentence_for(error: BaseException, home: Path) -> CanopyError:
    """Returns the error that a person is told of.

    Args:
        error: What ended a command.
        home: The folder in which the whole of it is kept, where nobody expected it.

    Returns: The error itself where a package has raised it; what the machine refused; or the rest's place.
    """
    if isinstance(error, CanopyError):
        return error
    return _refused(error) or _refused_by_mlflow(error) or Defect(error, _kept(error, home))


def _refused(error: BaseException) -> MachineRefused | None:
    """Returns what the disk, the rights, the memory or the network have refused."""
    said = _said_of_file(error) if isinstance(error, OSError) else _said_of_program(error)
    return MachineRefused(said) if said else None


def _refused_by_mlflow(error: BaseException) -> ServiceRefused | None:
    """Returns what MLflow's server has said no to: an account of another home, a store that is gone."""
    if not any(kind.__name__ == "MlflowException" for kind in type(error).__mro__):
        return None
    said = masked_text(str(error))
    status = STATUS.search(said)  # MLflow's client has it in its words alone
    return ServiceRefused("MLflow", int(status[1]) if status else 500, said)


def _said_of_program(error: BaseException) -> str | None:
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryException":  # DuckDB's
        return "There is not enough memory for this. End other programs, or ask for less."
    if isinstance(error, ImportError) and SOCKS.search(str(error)):
        return socks_wanted() or f"{error}."
    if isinstance(error, UnicodeEncodeError):
        return f"This terminal takes {error.encoding} only. Set PYTHONIOENCODING=utf-8."
    return None


def _said_of_file(error: OSError) -> str | None:
    place = str(error.filename2 or error.filename or "a file")
    if error.errno in FULL:
        return f"The disk is full at {place}. Free some of it; what was accepted is kept."
    if error.errno in TOO_MANY:
        return "Too many files are open at once. Raise the limit with `ulimit -n 4096`."
    if error.errno in FORBIDDEN:
        remedy = "Give yourself the right, or work in a folder of your own (CANOPY_HOME)"
        return f"{place} cannot be used: {error.strerror}. {remedy}."
    return f"{place} cannot be used: {error.strerror}. Correct its path." if error.filename else None


def _kept(error: BaseException, home: Path) -> Path | None:
    """Writes the whole of an error, secrets masked, into a file. Returns: it, where that was possible."""
    name = f"canopy-defect-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.txt"
    said = [masked_text(line) for line in traceback.format_exception(error)]
    head = f"{' '.join(map(masked_text, sys.argv))}\nPython {sys.version}\n\n"
    for folder in (home / "logs", Path.cwd()):
        with suppress(OSError):
            file = folder / name
            file.write_text(head + "".join(said), encoding="utf-8", errors="backslashreplace")
            return file
    return None
