"""A question that somebody else wrote, put to the lake in a process that can only read (`confined.py`)."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts.errors import CanopyError, QueryFailed, QueryTooLarge, QueryTooLong, error_of
from contracts.plain_files import replaced_when_whole
from lake.catalog.copy import copy_to_read, files_of, remove
from lake.read.query_result import Drawing, Format, Sink
from lake.read.reached import looks_names_up, ports, with_addresses
from lake.settings import MEMORY, UNITS, LakeSettings
from sandbox.errors import Died, Failed
from sandbox.limits import Limits
from sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    import pyarrow as pa

FOREVER_S = 7 * 24 * 3600
DRAWN_BYTES = 1 << 29
# DuckDB counts what it holds; a process also has its stacks, its allocator's reserve and the answer itself.
BESIDE_DUCKDB_BYTES = 1 << 30
LATE_S = 2.0  # after DuckDB was told to stop, which a function of one value does not hear


@dataclass(frozen=True)
class Bounds:
    """What one question of a page may take.

    Attributes:
        rows: Rows of the answer at most.
        seconds: How long it may take.
        memory_bytes: What DuckDB may hold.
        answer_bytes: Bytes of the answer at most.
    """

    rows: int = 1_000
    seconds: float = 10.0
    memory_bytes: int = 1_000_000_000
    answer_bytes: int = 16_000_000

    def limits(self, lake: LakeSettings, readable: tuple[Path, ...]) -> Limits:
        """Returns the bounds of the process that answers it."""
        return Limits(
            memory_bytes=self.memory_bytes + BESIDE_DUCKDB_BYTES,
            cpu_s=math.ceil(lake.threads * (self.seconds + LATE_S)),
            wall_s=self.seconds + LATE_S,
            output_bytes=2 * self.answer_bytes + 1_000_000,
            readable=readable,
            ports=ports(lake),
            resolves_names=looks_names_up(lake),
        )


class Questions:
    """Questions to a lake, each in a process of its own; threads may share it."""

    def __init__(self, lake: LakeSettings | None = None) -> None:
        self._lake = lake or LakeSettings()
        is_remote = self._lake.is_s3 or self._lake.catalog_kind == "postgres"
        # Its packages are what a question's process can read of the code: not the folder above them.
        self._box = Sandbox(["lake.read.confined_remote" if is_remote else "lake.read.confined", "contracts"])

    def __enter__(self) -> Questions:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def start(self) -> None:
        """Loads DuckDB ahead of the first question."""
        self._box.start()

    def close(self) -> None:
        """Ends the process that waits for questions."""
        self._box.close()

    def answer(self, snapshot_id: int, query: str, bounds: Bounds) -> pa.Table:
        """Answers a page's question: one that reads one snapshot, and no other file.

        Args:
            snapshot_id: The snapshot that is read.
            query: One DuckDB query over the schemas silver and gold.
            bounds: What it may take.

        Returns: At most `bounds.rows` rows and `bounds.answer_bytes`, looked through; lists, objects and the
            like are text.
        Raises: QueryTooLong; QueryTooLarge; QueryFailed; QueryWrites; QueryRefused; CatalogUnusable.
        """
        lake = self._lake.model_copy(update={"memory_limit": f"{bounds.memory_bytes // 1_000_000}MB"})
        copied, copy = copy_to_read(lake, snapshot_id=snapshot_id)
        try:
            files = _tables(copied, copy, snapshot_id)
            told = _told(
                copied,
                {"snapshot_id": snapshot_id, "query": query, "rows": bounds.rows, "seconds": bounds.seconds}
                | {"bytes": bounds.answer_bytes, "files": [str(file) for file in files if copy]},
            )
            limits = bounds.limits(lake, (*files, *([copy] if copy else [])))
            return _table(query, self._box.call("lake.read.confined:answer", told, limits), bounds)
        except Died as death:
            raise _end(query, death.reason, bounds) from None
        except Failed as failure:
            raise _error(query, failure) from None
        finally:
            remove(copy)

    def draw(self, query: str, width: int | None, *, head: bool = False, at: str | None = None) -> Drawing:
        """Draws a person's answer the way DuckDB does.

        Args:
            query: As for `stream`.
            width: Columns of the terminal (see `lake.read.query_result.Pending.draw`).
            head: Read the newest snapshot instead of the published one.
            at: Read this snapshot, or what was published at this time.

        Raises: as `stream`.
        """
        with self._asked(query, head, at) as (told, limits):
            drawn = json.loads(self._called("lake.read.confined:draw", query, told({"width": width}), limits))
        return Drawing(str(drawn["text"]), bool(drawn["is_cut"]))

    def stream(
        self, query: str, sink: Sink, form: Format, *, head: bool = False, at: str | None = None
    ) -> int:
        """Sends a person's answer while it is computed, which may also read their own files.

        Args:
            query: Any DuckDB query over the schemas silver and gold; of several statements the last answers.
            sink: Where it goes.
            form: In which form.
            head: Read the newest snapshot instead of the published one.
            at: Read this snapshot, or what was published at this time.

        Returns: The number of rows.
        Raises: QueryFailed; QueryWrites; QueryRefused; NothingPublished; SnapshotMissing; CatalogUnusable;
            what the sink raises, such as BrokenPipeError.
        """
        with self._asked(query, head, at) as (told, limits), ThreadPoolExecutor(max_workers=1) as pool:
            reading, writing = os.pipe()
            argument = told({"form": form})

            def send() -> bytes:
                try:
                    return self._called("lake.read.confined:send", query, argument, limits, writing)
                finally:
                    os.close(writing)

            sent = pool.submit(send)
            with os.fdopen(reading, "rb") as source:  # closed early, it ends whoever writes into it
                shutil.copyfileobj(source, sink)
            sink.flush()
            return int(sent.result())

    def write(
        self, query: str, file: Path, form: Format, *, head: bool = False, at: str | None = None
    ) -> int:
        """Writes the same as `stream` into a file, which is replaced when the answer is whole."""
        with replaced_when_whole(file) as sink:
            return self.stream(query, sink, form, head=head, at=at)

    @contextmanager
    def _asked(
        self, query: str, head: bool, at: str | None
    ) -> Iterator[tuple[Callable[[dict[str, Any]], bytes], Limits]]:
        copied, copy = copy_to_read(self._lake)
        limits = Limits(
            memory_bytes=2 * _bytes(self._lake.memory_limit) + BESIDE_DUCKDB_BYTES,
            cpu_s=FOREVER_S,
            wall_s=FOREVER_S,
            output_bytes=DRAWN_BYTES,
            readable=(Path("/"),),
            ports=ports(self._lake),
            resolves_names=looks_names_up(self._lake),
        )
        try:
            asked = {"query": query, "head": head, "at": at, "folder": str(Path.cwd()), "home": _home()}
            yield lambda given: _told(copied, asked | given), limits
        finally:
            remove(copy)

    def _called(self, function: str, query: str, argument: bytes, limits: Limits, *files: int) -> bytes:
        try:
            return self._box.call(function, argument, limits, files)
        except Died as death:
            raise QueryTooLarge(
                query, f"its process ended ({death.reason}); LAKE_MEMORY_LIMIT bounds it"
            ) from None
        except Failed as failure:
            raise _error(query, failure) from None


def _tables(lake: LakeSettings, copy: Path | None, snapshot_id: int) -> tuple[Path, ...]:
    """Returns what a reader of a lake in a folder reads: the snapshot's files, or all where PostgreSQL
    lists them."""
    if lake.is_s3:
        return ()
    return files_of(copy, snapshot_id) if copy else (Path(lake.root, "ducklake"),)


def _told(lake: LakeSettings, given: dict[str, Any]) -> bytes:
    settings = with_addresses(lake).model_dump(mode="json")
    if lake.s3_secret_access_key:
        settings["s3_secret_access_key"] = lake.s3_secret_access_key.get_secret_value()
    return json.dumps({"lake": settings} | given).encode()


def _table(query: str, answer: bytes, bounds: Bounds) -> pa.Table:
    """Returns an answer of a process that may have been taken over by what it read: every length in it is
    checked."""
    import pyarrow as pa

    from sandbox.flat_tables import read_flat

    try:
        return read_flat(answer, bounds.answer_bytes)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise QueryFailed(query, f"its answer cannot be read ({type(error).__name__})") from None


def _end(query: str, reason: str, bounds: Bounds) -> QueryFailed:
    if reason in ("time", "processor time"):
        return QueryTooLong(query, bounds.seconds)
    if reason == "memory":
        return QueryTooLarge(query, "it took more memory than a question may")
    return QueryTooLarge(query, f"its process ended ({reason})")


def _error(query: str, failure: Failed) -> CanopyError:
    """Returns the error that was raised in the process; what it says was written there."""
    return error_of(failure.kind, failure.message) or QueryFailed(query, str(failure))


def _home() -> str | None:
    """Returns what `~` stands for, where anybody knows."""
    try:
        return str(Path.home())
    except RuntimeError:
        return None


def _bytes(text: str) -> int:
    """Returns a size as LAKE_MEMORY_LIMIT has it."""
    found = MEMORY.fullmatch(text)
    return int(float(found["number"]) * UNITS[found["unit"].upper()]) if found else 0
