"""dbt in this process: building silver and gold, its docs site, and the manifest that Airflow draws from."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts.errors import BuildFailed, FolderTaken, LakeBusy
from contracts.plain_files import absolute
from contracts.stack_settings import StackSettings
from lake.catalog.connection import prepare_catalog
from lake.catalog.writer import one_writer
from lake.dbt.environment import dbt_environment
from lake.settings import LakeSettings

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


@contextmanager
def _dbt_environment(variables: dict[str, str]) -> Iterator[None]:
    """Has dbt read its profile and move into its project: environment and folder are put back.

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
