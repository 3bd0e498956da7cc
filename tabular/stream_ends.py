"""Where an Arrow stream ends: without a mark there, it may have been cut between two pieces."""

from __future__ import annotations

import pyarrow as pa

from tabular.content import LOOKED_AT, Content
from tabular.errors import TableUnreadable
from tabular.formats import ARROW_END, ARROW_SHORT_END


def require_end(content: Content, at: int) -> None:
    """Looks at where a stream was read to. Raises: TableUnreadable if it has no end there, or goes on."""
    if content[max(at - len(ARROW_END), 0) : at] != ARROW_END and not _has_short_end(content, at):
        raise TableUnreadable(
            "it ends before its end mark, as one that was cut", "Copy it anew, or write it anew and close it."
        )
    if content[at : at + LOOKED_AT].strip(b"\x00"):
        raise TableUnreadable("it goes on behind its end mark, as two in one", "Send each by itself.")


def _has_short_end(content: Content, at: int) -> bool:
    """Whether the stream is whole without its last four bytes, which are zeros: older writers end one so."""
    start = at - len(ARROW_SHORT_END)
    if content[start:at] != ARROW_SHORT_END:
        return False
    messages = pa.ipc.MessageReader.open_stream(pa.py_buffer(content).slice(0, start))
    try:
        while True:
            messages.read_next_message()
    except StopIteration:
        return True
    except (pa.ArrowException, OSError):  # the zeros are those of the last piece
        return False
