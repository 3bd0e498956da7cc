"""Documentation is built when a page of it is asked for; what is odd in a folder is not there."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from contracts.errors import PagesBroken
from deploy.access.server import bounded_server
from deploy.site import serve
from deploy.site.serve import create_app
from tests.attacks.hosts import HEADERS, running


def test_one_build_answers_all_who_wait_and_nothing_else_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builds, may_end = [0], threading.Event()

    def build(folder: Path) -> None:
        if folder.exists():
            return
        builds[0] += 1
        assert may_end.wait(20)
        folder.mkdir()
        (folder / "index.html").write_text("built")

    monkeypatch.setattr(serve, "build_unless_current", build)
    app = create_app(tmp_path / "pages", tmp_path / "dbt", tmp_path / "audits")
    with running(bounded_server(app, "127.0.0.1", 0)) as port, ThreadPoolExecutor(60) as pool:
        url = f"http://127.0.0.1:{port}"
        waiting = [pool.submit(httpx.get, url, timeout=30) for _ in range(60)]
        while not builds[0]:
            time.sleep(0.01)
        for path, status in (("/live", 200), ("/dbt/", 404), ("/assets/site.css", 404)):
            assert httpx.get(f"{url}{path}", timeout=5).status_code == status
        may_end.set()
        assert {one.result().text for one in waiting} == {"built"}
    assert builds == [1]


def test_pages_that_cannot_be_built_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(_folder: Path) -> None:
        raise PagesBroken("start.md links to <nowhere>")

    monkeypatch.setattr(serve, "build_unless_current", build)
    with running(bounded_server(create_app(tmp_path, tmp_path, tmp_path), "127.0.0.1", 0)) as port:
        answer = httpx.get(f"http://127.0.0.1:{port}/start/")
    assert answer.status_code == 500
    assert "start.md links to &lt;nowhere&gt;" in answer.text


def test_what_is_no_file_of_the_folder_is_not_there(tmp_path: Path) -> None:
    folder = tmp_path / "dbt"
    (folder / "empty").mkdir(parents=True)
    (folder / "index.html").write_text("tables")
    (tmp_path / "outside").write_text("precious")
    (folder / "link").symlink_to(tmp_path / "outside")
    (folder / "device").symlink_to("/dev/zero")
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")
    with running(bounded_server(create_app(tmp_path, folder, tmp_path), "127.0.0.1", 0)) as port:
        url = f"http://127.0.0.1:{port}/dbt"
        for name in ("empty", "empty/", "link", "device", "loop", "pipe", "%00", "a" * 300, "%2e%2e/outside"):
            answer = httpx.get(f"{url}/{name}", timeout=5)
            assert answer.status_code == 404, name
            assert set(HEADERS) <= set(answer.headers), name
        assert httpx.get(f"{url}/").text == "tables"
        assert httpx.head(f"{url}/").status_code == 200
        for method in ("POST", "PUT", "DELETE"):
            assert httpx.request(method, f"{url}/").status_code == 405
