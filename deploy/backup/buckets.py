"""The objects of a bucket in a backup: copied, compared with the bucket's list, put back."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from contracts.errors import BackupIncomplete, BackupUnusable
from contracts.outside import shown
from deploy.backup.files import misfit

OBJECTS, ASIDE, KEYS = "objects", "objects-aside", "keys.json"
AT_ONCE = 8


@dataclass(frozen=True)
class Listed:
    """What a bucket's list says of an object: it changes with the object."""

    size: int
    etag: str


def copy_bucket(store: Any, bucket: str, folder: Path) -> int:
    """Copies every object that a bucket lists, and proves that it lists them unchanged afterwards.

    A key may be any text. One that no file can have, or that cannot lie beside another one's file, goes below
    `objects-aside` under the digest of its key; `keys.json` there has the keys.

    Returns: How many were set aside.
    Raises: BackupIncomplete, with the first objects that are missing or differ.
    """
    before = list_bucket(store, bucket)
    files = {key: folder / OBJECTS / bucket / key for key in before}
    spelled: dict[str, tuple[str, bool]] = {}
    odd_keys = [key for key in sorted(before) if misfit(key, spelled)]
    odd = {key: folder / ASIDE / bucket / sha256(key.encode()).hexdigest() for key in odd_keys}
    files |= odd
    (folder / OBJECTS / bucket).mkdir(parents=True)

    def fetch(key: str) -> None:
        files[key].parent.mkdir(parents=True, exist_ok=True)
        try:
            with files[key].open("xb") as stream:
                store.download_fileobj(bucket, key, stream)
        except (BotoCoreError, ClientError) as error:
            raise BackupIncomplete(_name(bucket, key), " ".join(str(error).split())) from error

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(fetch, before))
    if odd:
        names = {file.name: key for key, file in odd.items()}
        (folder / ASIDE / bucket / KEYS).write_text(json.dumps(names, indent=1))
    _require_same(bucket, before, list_bucket(store, bucket), files)
    return len(odd)


def fill_bucket(store: Any, bucket: str, folder: Path) -> list[str]:
    """Puts every object of a backup into a bucket.

    Returns: The keys that this store does not take, of those that were set aside.
    Raises: BackupUnusable if what was set aside has no keys.
    """
    objects = folder / OBJECTS / bucket
    files = {str(file.relative_to(objects)): file for file in objects.rglob("*") if file.is_file()}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda key: store.upload_file(str(files[key]), bucket, key), files))
    refused = []
    for key, file in _keys_aside(folder / ASIDE / bucket).items():
        try:  # one by one: a store may hold `a` or `a/b`, and take the first of the two only
            with file.open("rb") as stream:
                store.upload_fileobj(stream, bucket, key)
        except (BotoCoreError, ClientError):
            refused.append(shown(key))
    return refused


def list_bucket(store: Any, bucket: str) -> dict[str, Listed]:
    """Returns what a bucket holds, by its keys."""
    pages = store.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    entries = (entry for page in pages for entry in page.get("Contents", []))
    return {entry["Key"]: Listed(entry["Size"], entry["ETag"]) for entry in entries}


def _require_same(
    bucket: str, before: dict[str, Listed], after: dict[str, Listed], files: dict[str, Path]
) -> None:
    """Checks the copy; what came in meanwhile may be missing, for predictions go on. Raises:
    BackupIncomplete."""
    differing = [
        key
        for key, listed in before.items()
        if after.get(key) != listed or not files[key].is_file() or files[key].stat().st_size != listed.size
    ]
    if differing:
        more = f" and {len(differing) - 5} more" if len(differing) > 5 else ""
        what = ", ".join(_name(bucket, key) for key in differing[:5]) + more
        raise BackupIncomplete(what, "that is not what the bucket holds by now")


def _keys_aside(folder: Path) -> dict[str, Path]:
    """Returns the files that were set aside, by their keys. Raises: BackupUnusable."""
    if not folder.is_dir():
        return {}
    try:
        names = json.loads((folder / KEYS).read_bytes())
        found = {key: folder / sha256(key.encode()).hexdigest() for key in names.values()}
    except (OSError, ValueError, AttributeError) as error:
        raise BackupUnusable(f"{ASIDE}/{folder.name}/{KEYS}", f"{type(error).__name__}: {error}") from error
    if set(found.values()) != {file for file in folder.iterdir() if file.name != KEYS}:
        raise BackupUnusable(f"{ASIDE}/{folder.name}/{KEYS}", "it has other keys than there are files")
    return found


def _name(bucket: str, key: str) -> str:
    return f"{bucket}/{shown(key)}"
