"""What was put aside is told once, with its reason, however many there are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.monitor.asides import AsidesCheck
from lake.objects import FolderObjects
from tests.deploy.monitor.looking import trips

KEY = "bronze/rows/survey/group=01/x.parquet"


@pytest.fixture
def objects(tmp_path: Path) -> FolderObjects:
    return FolderObjects(tmp_path / "lake")


def put_aside(objects: FolderObjects, reason: bytes, name: str = KEY) -> None:
    objects.put(f"quarantine/{name}~0123456789ab", b"no Parquet")
    objects.put(f"quarantine/{name}~0123456789ab.reason.json", reason)


def test_what_was_put_aside_is_told_with_its_reason_until_it_is_taken_out(
    objects: FolderObjects, tmp_path: Path
) -> None:
    look = AsidesCheck(objects)
    assert trips(look, "ThingQuarantined") == []
    put_aside(objects, json.dumps({"key": KEY, "kept": "", "reason": "it is \x1b[2J no Parquet"}).encode())
    (found,) = trips(look, "ThingQuarantined")
    assert found.text.startswith(f"{KEY} was put aside: it is \\x1b[2J no Parquet")
    (tmp_path / "lake" / f"quarantine/{KEY}~0123456789ab.reason.json").unlink()
    assert trips(look, "ThingQuarantined") == []


@pytest.mark.parametrize("reason", [b"", b"\0" * 9, b"[]", b"{}", b"null", b"[" * 100_000, b"\xff\xfe"])
def test_a_reason_that_cannot_be_read_is_told_as_well(objects: FolderObjects, reason: bytes) -> None:
    put_aside(objects, reason)
    (found,) = trips(AsidesCheck(objects), "ThingQuarantined")
    assert "cannot be read either" in found.text


def test_of_thousands_only_some_are_opened(objects: FolderObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(200):
        put_aside(objects, b"{}", name=f"{number:03}")
    read: list[str] = []
    monkeypatch.setattr(FolderObjects, "read", lambda _self, key: read.append(key) or b"{}")
    look = AsidesCheck(objects)
    for _ in range(3):
        assert len(trips(look, "ThingQuarantined")) == 200
    assert len(read) == 50
