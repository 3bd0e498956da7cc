"""Files that are sent to the UI past its page: what it keeps of them is bounded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from starlette.exceptions import HTTPException
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.uploaded_file_manager import UploadedFileRec
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from tests.ui.parts import streamlit
from ui import uploads
from ui.reading.cell_file import MEGABYTES
from ui.uploads import KEPT, BoundedUploads

MEGABYTE = 2**20


@contextmanager
def visitor(url: str) -> Iterator[tuple[httpx.Client, str]]:
    """Somebody with a page open, who sends what the page would not."""
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        client.get("/_stcore/health")
        client.headers["X-Xsrftoken"] = client.cookies["_streamlit_xsrf"]
        address = f"{url.replace('http', 'ws', 1)}/_stcore/stream"
        with connect(address, origin=Origin(url), subprotocols=[Subprotocol("streamlit")]) as websocket:
            asked, told = BackMsg(), ForwardMsg()
            asked.rerun_script.query_string = ""
            websocket.send(asked.SerializeToString())
            while told.WhichOneof("type") != "new_session":
                told.ParseFromString(websocket.recv(60, decode=False))
            yield client, f"/_stcore/upload_file/{told.new_session.initialize.session_id}"


def kept_bytes(client: httpx.Client) -> int:
    found = re.search(r'cache_type="UploadedFileManager".* (\d+)', client.get("/_stcore/metrics").text)
    return int(found[1]) if found else 0


def test_a_visitor_does_not_fill_the_memory_with_files(tmp_path: Path) -> None:
    with streamlit({"CANOPY_HOME": str(tmp_path)}, tmp_path) as url, visitor(url) as (client, place):
        for number in range(6):
            sent = client.put(f"{place}/{number}", files={"file": ("a.csv", b"a" * MEGABYTE)})
            assert sent.status_code == 204
        assert kept_bytes(client) == KEPT * MEGABYTE
        large = b"a" * (MEGABYTES + 2) * MEGABYTE
        assert client.put(f"{place}/large", files={"file": ("a.csv", large)}).status_code == 413
        assert kept_bytes(client) == KEPT * MEGABYTE


def test_all_visitors_have_a_bound_and_who_has_gone_takes_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    here = {"one", "two"}
    monkeypatch.setattr(uploads, "MOST_BYTES", 10)
    monkeypatch.setattr(uploads, "get_instance", lambda: SimpleNamespace(is_active_session=here.__contains__))
    kept = BoundedUploads("/upload")
    for session_id, file_id in (("one", "a"), ("one", "b"), ("one", "c"), ("one", "c")):
        kept.add_file(session_id, _file(file_id))
    assert [one.file_id for one in kept.get_files("one", ["a", "b", "c"])] == ["b", "c"]
    with pytest.raises(HTTPException):
        kept.add_file("two", _file("d"))
    here.remove("one")
    kept.add_file("two", _file("d"))
    assert kept.get_files("one", ["b", "c"]) == []
    assert len(kept.get_files("two", ["d"])) == 1


def _file(file_id: str) -> UploadedFileRec:
    return UploadedFileRec(file_id=file_id, name="a.csv", type="text/csv", data=b"12345")
