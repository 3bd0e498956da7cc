"""Objects in a folder and in an S3: one contract for both."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.errors import LandingConflict, ObjectMissing, StoreUnavailable
from lake.catalog.connection import connect
from lake.objects import Objects, open_objects
from lake.settings import LakeSettings
from tests.lake.stores import lake_in_s3, s3_service

# botocore and its event loop leave these to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_service() as url:
        yield url


@pytest.fixture(params=["folder", "s3"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    if request.param == "folder":
        return open_objects(LakeSettings(uri=str(tmp_path)))
    return open_objects(lake_in_s3(request.getfixturevalue("s3"), tmp_path))


def test_an_object_is_read_back_as_it_was_written(objects: Objects) -> None:
    assert objects.put_new("a/b.bin", b"\x00\xff") is True
    assert objects.read("a/b.bin") == b"\x00\xff"
    assert objects.exists("a/b.bin")
    assert objects.keys("a") == ["a/b.bin"]


def test_writing_the_same_again_changes_nothing(objects: Objects) -> None:
    objects.put_new("a", b"one")
    assert objects.put_new("a", b"one") is False


def test_other_bytes_under_a_written_key_are_refused_and_nothing_is_lost(objects: Objects) -> None:
    objects.put_new("a", b"one")
    with pytest.raises(LandingConflict, match="'a'"):
        objects.put_new("a", b"two")
    assert objects.read("a") == b"one"


def test_of_many_who_write_at_once_exactly_one_wins(objects: Objects) -> None:
    outcomes: list[object] = []
    barrier = threading.Barrier(6)

    def write(number: int) -> None:
        barrier.wait()
        try:
            outcomes.append(objects.put_new("race", f"writer {number}".encode()))
        except LandingConflict:
            outcomes.append("conflict")

    writers = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(map(str, outcomes)) == ["True"] + ["conflict"] * 5


def test_a_replaced_object_is_the_new_one(objects: Objects) -> None:
    objects.put("a", b"one")
    objects.put("a", b"two")
    assert objects.read("a") == b"two"


def test_a_missing_object_is_named(objects: Objects) -> None:
    assert objects.keys("nothing") == []
    with pytest.raises(ObjectMissing, match="nothing/here"):
        objects.read("nothing/here")


def test_a_half_written_object_is_never_seen(tmp_path: Path) -> None:
    objects = open_objects(LakeSettings(uri=str(tmp_path)))
    objects.put_new("a/whole", b"whole")
    (tmp_path / "a" / ".left-by-a-crash").write_bytes(b"ha")
    assert objects.keys("a") == ["a/whole"]


def test_a_store_that_does_not_answer_is_named(tmp_path: Path) -> None:
    objects = open_objects(lake_in_s3("http://127.0.0.1:9", tmp_path))
    with pytest.raises(StoreUnavailable, match=r"s3://lake"):
        objects.read("a")


def test_a_lake_in_s3_is_written_and_read_through_duckdb(s3: str, tmp_path: Path) -> None:
    settings = lake_in_s3(s3, tmp_path)
    with connect(settings, write=True) as writer:
        writer.execute("create schema gold")
        writer.execute("create table gold.numbers as select range as n from range(1000)")
    with connect(settings) as reader:
        assert reader.execute("select sum(n) from gold.numbers").fetchone() == (499_500,)
    assert any(key.endswith(".parquet") for key in open_objects(settings).keys("ducklake"))


def test_a_store_that_takes_a_write_is_well_and_nothing_of_the_proof_is_listed(objects: Objects) -> None:
    objects.check()
    assert objects.keys("bronze") == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnavailable, match="LAKE_URI"):
        open_objects(LakeSettings(uri=str(tmp_path / "file" / "lake"))).check()


def test_a_service_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="LAKE_URI"):
        open_objects(lake_in_s3("http://127.0.0.1:9", tmp_path)).check()


def test_a_disk_that_is_full_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lake.objects.LEAST_FREE_BYTES", 2**63)
    with pytest.raises(StoreUnavailable, match="bytes are left"):
        open_objects(LakeSettings(uri=str(tmp_path))).check()
