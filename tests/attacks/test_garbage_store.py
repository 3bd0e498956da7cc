"""Garbage of each kind in each place of a lake in S3: it costs itself alone, removable or not.

The collector's account, as which all of it is tried, may delete neither a raw response nor a hold.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import Any

import boto3
import pytest

from contracts.errors import StoreUnavailable
from deploy.containers.store import GRANTS, REMOVE
from lake.bronze.events import Event, newest_event, record
from lake.bronze.held import held, hold
from lake.objects import S3Objects, open_objects
from lake.settings import LakeSettings
from pipeline.sweep import sweep
from source.collect import collect
from source.outcomes import Landed
from tests.attacks.spoiling import KINDS
from tests.attacks.test_garbage import COLLECTOR, STEM
from tests.attacks.test_poison import GROUP, ROWS, landed
from tests.lake.asides import aside
from tests.lake.stores import lake_in_s3, s3_service
from tests.source.conftest import BrokenService, Reply, broken_service, impatient
from tests.source.test_response import body

__all__ = ["broken_service"]

# A bucket has no folders, links, pipes and rights; what it has instead are keys that no file can have.
CONTENTS = ("nothing", "random", "zeros", "cut", "picture", "other JSON", "text", "huge", "foreign", "bomb")
KEYS = {
    "leads out": "../../../escaped",
    "a point": "./x",
    "two slashes": "/x",
    "a slash at its end": "x/",
    "below an object": "below",
    "escape": "\x1b[2Jx",
    "long": "x" * 200,
}
PLACES = {
    name: place
    for name, place in COLLECTOR.items()
    if place.path.startswith("lake/bronze/") or place.path in ("rows", "event")
}
MATRIX = [
    pytest.param(name, kind, id=f"{name}: {kind}")
    for name, place in PLACES.items()
    for kind in (*CONTENTS, *(KEYS if "…" in place.path else ()))
]
DRAWN = random.Random(17).sample(MATRIX, 24)
SAMPLE, LONG_SAMPLE = DRAWN[:6], DRAWN[6:]


@dataclass
class Store:
    """A lake in a bucket, and its source."""

    lake: LakeSettings
    client: Any
    source: BrokenService
    folder: Path
    paths: dict[str, str]

    def key(self, key: str) -> str:
        """A key of the lake as the bucket has it."""
        return f"{self.folder.name}/{key}"

    def census(self) -> Counter[str]:
        """What there is, by its bytes."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket="lake", Prefix=self.key(""))
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        bodies = (self.client.get_object(Bucket="lake", Key=key)["Body"].read() for key in keys)
        return Counter(sha256(content).hexdigest() for content in bodies)


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with s3_service() as url:
        yield url


@pytest.fixture
def store(service: str, tmp_path: Path, broken_service: Callable[..., BrokenService]) -> Store:
    tmp_path = tmp_path / tmp_path.name.replace("_", "-")[-40:]
    tmp_path.mkdir()
    lake = lake_in_s3(service, tmp_path)
    objects = open_objects(lake)
    one = landed(objects)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    event = record(objects, Event("failure", "covertype", 1, at, "http://x", "down"))
    hold(objects, STEM, ["too few rows"])
    client = boto3.client(
        "s3", endpoint_url=service, aws_access_key_id="key", aws_secret_access_key="secret",
        region_name="us-east-1",
    )  # fmt: skip
    paths = {"raw": one.raw_key, "rows": one.key, "event": event}
    return Store(lake, client, broken_service(Reply(body=body(ROWS))), tmp_path, paths)


def as_the_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets nothing be removed but what the account `ingest` may remove."""
    removable = [keys for keys, actions in GRANTS["ingest"].items() if set(REMOVE) & set(actions)]
    remove = S3Objects.remove

    def removed(self: S3Objects, key: str) -> None:
        if not any(fnmatchcase(key, pattern) for pattern in removable):
            raise StoreUnavailable("s3://lake", "Access Denied")
        remove(self, key)

    monkeypatch.setattr(S3Objects, "remove", removed)


def put(store: Store, name: str, kind: str) -> bytes:
    """Puts garbage into the bucket. Returns: its bytes."""
    place = PLACES[name]
    good_key = store.paths.get(place.good or place.path, (place.good or place.path).removeprefix("lake/"))
    try:
        good = store.client.get_object(Bucket="lake", Key=store.key(good_key))["Body"].read()
    except store.client.exceptions.NoSuchKey:
        good = b"what is good here" * 9
    key = store.paths.get(place.path, place.path.removeprefix("lake/"))
    if kind in KEYS:
        folder, _, ending = key.rpartition("/")
        below = f"{store.paths['rows']}/" if kind == "below an object" else f"{folder}/"
        end = "" if kind == "a slash at its end" else ending.removeprefix("…")
        content = f"garbage {name} {kind}".encode()
        store.client.put_object(Bucket="lake", Key=store.key(f"{below}{KEYS[kind]}{end}"), Body=content)
        return content
    file = store.folder / key.replace("…", "found").rpartition("/")[2]
    KINDS[kind].put(file, good)
    content = file.read_bytes()
    file.unlink()
    store.client.put_object(Bucket="lake", Key=store.key(key.replace("…", "found")), Body=content)
    return content


def collecting(store: Store) -> None:
    """The next good batch lands, and what the next build takes in is looked at."""
    source = impatient(store.source.url, incoming=store.folder / "incoming")
    objects = open_objects(store.lake)
    (new,) = [one for one in collect([source], store.lake).outcomes if isinstance(one, Landed)]
    assert objects.read(new.landing.key)
    sweep(store.lake)
    assert STEM in held(objects)
    newest_event(objects, "covertype", 1)
    aside(objects)


def costs_itself_alone(
    store: Store, name: str, kind: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    content = put(store, name, kind)
    as_the_collector(monkeypatch)
    said: list[set[str]] = []
    for _ in range(2):
        caplog.clear()
        collecting(store)
        ours = (one for one in caplog.records if not one.name.startswith("werkzeug"))
        said.append({one.getMessage() for one in ours if one.levelname in ("WARNING", "ERROR")})
    assert not said[0] & said[1], "it is told at each turn"
    assert sha256(content).hexdigest() in store.census(), "it was deleted"


@pytest.mark.parametrize(("name", "kind"), SAMPLE)
def test_garbage_in_a_bucket_costs_itself_alone(
    name: str, kind: str, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    costs_itself_alone(store, name, kind, monkeypatch, caplog)


@pytest.mark.long
@pytest.mark.parametrize(("name", "kind"), LONG_SAMPLE)
def test_more_garbage_in_a_bucket_costs_itself_alone(
    name: str, kind: str, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    costs_itself_alone(store, name, kind, monkeypatch, caplog)


@pytest.mark.longest
@pytest.mark.parametrize(("name", "kind"), [one for one in MATRIX if one not in DRAWN])
def test_garbage_of_each_kind_in_each_place_of_a_bucket_costs_itself_alone(
    name: str, kind: str, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    costs_itself_alone(store, name, kind, monkeypatch, caplog)


@pytest.mark.parametrize(
    "key",
    [f"bronze/raw/{GROUP}/README.txt", f"bronze/held/{STEM}\x1b.json", f"bronze/rows/{GROUP}/README.txt"],
)
def test_what_an_account_may_not_remove_is_told_once(
    key: str, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store.client.put_object(Bucket="lake", Key=store.key(key), Body=b"read me")
    as_the_collector(monkeypatch)
    for _ in range(3):
        collecting(store)
    told = [one.getMessage() for one in caplog.records if "set_aside" in one.getMessage()]
    assert len([one for one in told if one.startswith("set_aside ")]) == 1
    assert len([one for one in told if one.startswith("set_aside_stays ")]) <= 1
