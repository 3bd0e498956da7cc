"""Models on the local disk: those that answer are kept, whatever their alias, and one more."""

from __future__ import annotations

import os
from pathlib import Path

from serving.model.cache import ModelCache
from serving.model.version import Version


def version(number: int, alias: str) -> Version:
    return Version(name="m", number=str(number), alias=alias, source="s", created_at_ms=1, tags={})


def fetched(cache: ModelCache, one: Version, folder: Path) -> None:
    """A version whose file is no model: it is not looked into here."""

    def download(_: Version, partial: Path) -> Path:
        (partial / "model.onnx").write_bytes(b"a model")
        return partial

    cache.fetch(one, download)
    os.utime(folder / "m" / one.folder_name, (int(one.number), int(one.number)))
    cache.remember(one)


def test_a_challenger_does_not_push_out_the_champion(tmp_path: Path) -> None:
    champion, challenger = (ModelCache(tmp_path, "m", alias) for alias in ("champion", "challenger"))
    fetched(champion, version(1, "champion"), tmp_path)
    for number in (2, 3, 4):
        fetched(challenger, version(number, "challenger"), tmp_path)
    found = champion.last_good()
    assert found is not None
    assert found[0].number == "1"
    kept = {path.name for path in (tmp_path / "m").iterdir() if path.is_dir()}
    assert kept == {"1-1", "4-1", "3-1"}
