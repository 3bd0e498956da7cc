"""Bronze to published gold: look at what came, ask the champion, build with dbt, audit, move the pointer."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from canopy.settings import StackSettings
from contracts.errors import BuildFailed, FolderTaken, LakeBusy
from contracts.plain_files import absolute
from expectations.audit import audit
from expectations.settings import AuditSettings
from lake.catalog import connect, prepare_catalog
from lake.dbt_environment import dbt_environment
from lake.published import Publication, publish
from lake.settings import LakeSettings
from lake.sound import sweep
from lake.writer import one_writer
from training.live import ask_champion

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult

logger = logging.getLogger(__name__)

# Unit tests prove the SQL, not the data: the test suite runs them.
BUILD = ("build", "--exclude-resource-type", "unit_test")
QUIET = ("--log-level", "none", "--log-level-file", "info")
# What dbt's site has in its address while the graph is shown; who comes by a link to a table sees that.
TITLE = "<title>dbt Docs</title>"
OPEN_LINEAGE = "<script>location.hash ||= '#!/overview?g_v=1'</script>"
# SQLite's words, when a database browser takes the catalog in the middle of a build.
LOCKED = "database is locked"
FAILED = ("error", "fail", "runtime error", "partial success")


@dataclass(frozen=True)
class Refined:
    """What one refine did.

    Attributes:
        publication: Where the pointer stands now.
        landings: Responses that were built in.
        landed_rows: Rows in them.
        new_rows: Distinct rows of them that nothing before held.
        quarantined_rows: Rows of them that do not fit the contract.
        warnings: What the audit found and let pass.
        seconds: How long each step took.
    """

    publication: Publication
    landings: int
    landed_rows: int
    new_rows: int
    quarantined_rows: int
    warnings: tuple[str, ...]
    seconds: dict[str, float]


def refine(
    lake: LakeSettings | None = None,
    audit_settings: AuditSettings | None = None,
    *,
    state: Path | None = None,
    is_full_refresh: bool = False,
    is_requarantine: bool = False,
) -> Refined:
    """Builds what has landed, audits it and publishes it; the champion is asked about it before.

    Args:
        lake: Where the lake is; read from the environment if not given.
        audit_settings: The audit's limits; read from the environment if not given.
        state: Where dbt keeps its target and its logs; `.canopy/dbt` if not given.
        is_full_refresh: Whether to build all from bronze anew; it gives the same rows.
        is_requarantine: Whether to judge landings with quarantined rows again, by the contract as it is now.

    Raises: BuildFailed, AuditFailed: what was published stays published; LakeBusy.
    """
    lake = lake or LakeSettings()
    seconds: dict[str, float] = {}
    with one_writer(lake):
        with _timed("look", seconds):
            sweep(lake, everything=is_full_refresh or is_requarantine)
        with _timed("ask", seconds):
            ask_champion(lake=lake)
        with _timed("build", seconds):
            build(lake, state=state, is_full_refresh=is_full_refresh, is_requarantine=is_requarantine)
        with _timed("audit", seconds):
            audited = audit(lake, audit_settings)
        with _timed("publish", seconds):
            publication = publish(lake, audited.snapshot_id, audited.summary, seconds=seconds["build"])
    landings, landed, new, quarantined = _counts(lake, audited.snapshot_id)
    logger.info(
        "refined publication=%d landings=%d landed=%d new=%d quarantined=%d seconds=%.1f",
        *(publication.publication_id, landings, landed, new, quarantined, sum(seconds.values())),
    )
    return Refined(publication, landings, landed, new, quarantined, audited.warnings, seconds)


def build(
    lake: LakeSettings | None = None,
    *,
    state: Path | None = None,
    is_full_refresh: bool = False,
    is_requarantine: bool = False,
) -> float:
    """Builds silver and gold with dbt, in this process.

    Args:
        lake: Where the lake is; read from the environment if not given.
        state: Where dbt keeps its target and its logs.
        is_full_refresh: Whether to build all from bronze anew; it gives the same rows.
        is_requarantine: Whether to judge landings with quarantined rows again, by the contract as it is now.

    Returns: Seconds.
    Raises: BuildFailed, naming the models and tests that failed.
    """
    lake = lake or LakeSettings()
    started = time.monotonic()
    prepare_catalog(lake, write=True)
    arguments = [*BUILD, *(["--full-refresh"] if is_full_refresh else [])]
    if is_requarantine:
        arguments += ["--vars", "{requarantine: true}"]
    run_dbt(arguments, lake, state=state)
    seconds = time.monotonic() - started
    logger.info("built seconds=%.1f", seconds)
    return seconds


def build_docs(
    lake: LakeSettings | None = None, target: Path | None = None, *, state: Path | None = None
) -> Path:
    """Writes the dbt docs site, one self-contained page that opens on the lineage.

    Args:
        lake: Where the lake is; read from the environment if not given.
        target: The folder for the site; `.canopy/site/dbt` if not given.
        state: Where dbt keeps its target and its logs.

    Returns: The page.
    Raises: FolderTaken if the folder has another page of that name; BuildFailed.
    """
    lake, stack = lake or LakeSettings(), StackSettings()
    target, state = absolute(target or stack.dbt_docs_folder), state or stack.folder / "dbt"
    page = target / "index.html"
    if page.exists() and TITLE not in page.read_text(encoding="utf-8", errors="replace"):
        raise FolderTaken(target, "has another index.html")
    prepare_catalog(lake, write=True)
    run_dbt(["docs", "generate", "--static"], lake, state=state)
    target.mkdir(parents=True, exist_ok=True)
    site = (state / "target" / "static_index.html").read_text(encoding="utf-8")
    page.write_text(site.replace("<head>", f"<head>{OPEN_LINEAGE}", 1), encoding="utf-8")
    return page


def write_manifest(target: Path | None = None) -> Path:
    """Parses the dbt project into the manifest that Airflow draws its tasks from; no lake is needed.

    Args:
        target: The folder for it; `.canopy/dbt/target` if not given.

    Raises: BuildFailed if the project cannot be parsed.
    """
    target = absolute(target or StackSettings().folder / "dbt" / "target")
    _invoke(["parse", "--target-path", str(target)], LakeSettings())  # no lake is opened
    return target / "manifest.json"


def load_dbt() -> None:
    """Loads dbt ahead of its first use: it takes three seconds."""
    from dbt.cli.main import dbtRunner

    dbtRunner()


def run_dbt(arguments: list[str], lake: LakeSettings, *, state: Path | None = None) -> None:
    """Runs one dbt command in this process, as the one that writes, and leaves no trace of it in here.

    Raises: BuildFailed, LakeBusy.
    """
    with one_writer(lake):
        _invoke(arguments, lake, state)


def _invoke(arguments: list[str], lake: LakeSettings, state: Path | None = None) -> None:
    with _dbt_environment(dbt_environment(lake, state or StackSettings().folder / "dbt")):
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager
        from dbt.cli.main import dbtRunner  # three seconds, so only when it is needed

        connections: Any = DuckDBConnectionManager
        try:
            result = dbtRunner(callbacks=[_log_node]).invoke([*QUIET, *arguments])
        finally:
            connections.close_all_connections()  # else the catalog stays open
    if not result.success:
        failures = _failures(result)
        if any(LOCKED in failure for failure in failures):
            raise LakeBusy(lake.catalog_target, 0.0)
        raise BuildFailed(failures)


def _failures(result: dbtRunnerResult) -> list[str]:
    if result.exception:
        return [" ".join(str(result.exception).split())]
    nodes: Any = getattr(result.result, "results", [])
    return [
        f"{node.node.resource_type} {node.node.name}: {' '.join((node.message or '').split())}"
        for node in nodes
        if node.status in FAILED
    ]


def _log_node(event: Any) -> None:
    if event.info.name == "NodeFinished":
        node, result = event.data.node_info, event.data.run_result
        logger.info(
            "dbt_node name=%s status=%s seconds=%.1f", node.node_name, node.node_status, result.execution_time
        )


def _counts(lake: LakeSettings, snapshot_id: int) -> tuple[int, int, int, int]:
    with connect(lake, snapshot_id=snapshot_id) as connection:
        row = connection.execute(
            "select count(*), sum(landed_rows)::bigint, sum(new_rows)::bigint, sum(quarantined_rows)::bigint "
            "from silver.landings where landing_id in (select landing_id from silver.pending_landings)"
        ).fetchone()
    landings, landed, new, quarantined = (int(value or 0) for value in row or (0, 0, 0, 0))
    return landings, landed, new, quarantined


@contextmanager
def _dbt_environment(variables: dict[str, str]) -> Iterator[None]:
    """dbt reads its profile from the environment and moves into its project: both are put back.

    Variables of another project that uses dbt are not for this one: `DBT_FULL_REFRESH` would build all anew.
    """
    before, folder = dict(os.environ), Path.cwd()
    for name in [name for name in before if name.startswith("DBT_")]:
        del os.environ[name]
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        os.chdir(folder)


@contextmanager
def _timed(step: str, seconds: dict[str, float]) -> Iterator[None]:
    started = time.monotonic()
    logger.info("step_started step=%s", step)
    yield
    seconds[step] = round(time.monotonic() - started, 2)
