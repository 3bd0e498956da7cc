"""What Airflow writes down of its runs, kept for a while: rows of its database and the logs of its tasks."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from contracts.errors import StackError
from contracts.stack_settings import StackSettings
from lake.settings import LakeSettings
from pipeline.role import SECRETS, secrets_of_part

logger = logging.getLogger(__name__)

CONNECTION, LOGS = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__LOGGING__BASE_LOG_FOLDER"
# What Airflow puts into the environment of a task, to keep it from the database.
OF_A_TASK = ("AIRFLOW__CORE__SQL_ALCHEMY_CONN", "_AIRFLOW_PROCESS_CONTEXT")
# What grows with each run. DAGs and their versions do not, and the scheduler looks for them.
TABLES = (
    *("asset_event", "callback_request", "dag_run", "import_error", "job", "log"),
    *("task_instance", "task_instance_history", "task_reschedule", "trigger", "xcom"),
)
LOG_FOLDERS = ("dag_id=*", "dag_processor")
FOUND = re.compile(r"Found (\d+) rows meeting deletion criteria")


@dataclass(frozen=True)
class Cleaned:
    """What is gone, or would be.

    Attributes:
        rows: Rows of Airflow's database, before those that go with them.
        logs: Files of logs.
        log_bytes: What they took.
        is_dry: Whether nothing was changed.
    """

    rows: int
    logs: int
    log_bytes: int
    is_dry: bool


def clean_airflow(settings: StackSettings, *, is_dry: bool = False, now: datetime | None = None) -> Cleaned:
    """Has Airflow's own command remove what is older than the settings say; removes logs too.

    The last scheduled run of each DAG stays, so that its schedule goes on from there. Airflow may run.

    Raises: StackError with what the command said; ClockDoubted, by what the lake knows of the time.
    """
    environment = airflow_database(settings)
    if environment is None:
        return Cleaned(0, 0, 0, is_dry)
    from lake.catalog.settled import settled_now  # with DuckDB, which `canopy keys` does without

    before = (now or settled_now(LakeSettings())) - timedelta(days=settings.keep_runs_days)
    rows = _clean_rows(environment, before, is_dry=is_dry)
    old = list(_old_logs(Path(environment[LOGS]), before))
    size = sum(file.lstat().st_size for file in old)
    if not is_dry:
        _remove(old, Path(environment[LOGS]))
    logger.info("airflow_cleaned rows=%d logs=%d bytes=%d dry=%s", rows, len(old), size, is_dry)
    return Cleaned(rows, len(old), size, is_dry)


def airflow_database(settings: StackSettings) -> dict[str, str] | None:
    """Returns the environment of a command of Airflow's own; None where there is no database of it yet.

    A task does not see the database, so what it is under is asked for where the parts themselves ask.
    """
    given = secrets_of_part(SECRETS)
    if CONNECTION in given:
        environment = dict(os.environ) | given
    elif (settings.folder / "airflow" / "airflow.sqlite").exists():
        environment = dict(os.environ) | local_airflow(settings.folder)
    else:
        return None
    return {name: value for name, value in environment.items() if name not in OF_A_TASK}


def local_airflow(home: Path) -> dict[str, str]:
    """Returns where the local stack's Airflow keeps its database and its logs, as variables of its
    environment."""
    folder = home / "airflow"
    return {
        "AIRFLOW_HOME": str(folder),
        CONNECTION: f"sqlite:///{folder}/airflow.sqlite",
        LOGS: str(folder / "logs"),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }


def _clean_rows(environment: Mapping[str, str], before: datetime, *, is_dry: bool) -> int:
    how = ["--dry-run"] if is_dry else ["--yes", "--skip-archive", "--error-on-cleanup-failure"]
    when = ["--clean-before-timestamp", before.isoformat(timespec="seconds")]
    batches = ["--batch-size", "1000", "--tables", ",".join(TABLES)]
    command = [sys.executable, "-m", "airflow", "db", "clean", *when, *batches, *how]
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-5:]
        raise StackError("Airflow could not clean its database. It said: " + " ".join(said))
    return sum(map(int, FOUND.findall(done.stdout)))


def _old_logs(folder: Path, before: datetime) -> Iterator[Path]:
    for pattern in LOG_FOLDERS:
        for place in sorted(folder.glob(pattern)):
            for name, _, files in os.walk(place):
                for file in (Path(name, entry) for entry in files):
                    if not file.is_symlink() and file.stat().st_mtime < before.timestamp():
                        yield file


def _remove(files: list[Path], folder: Path) -> None:
    """Removes files, and the folders that are empty by it."""
    for file in files:
        file.unlink(missing_ok=True)
        for above in file.parents:
            if above == folder or any(above.iterdir()):
                break
            above.rmdir()
