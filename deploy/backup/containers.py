"""Backup and restore of the stack in containers: databases, objects and secrets, consistent with each other.

While a backup is made no task runs: the scheduler and the workers are stopped, so what the catalog names is
what the bucket holds. Predictions go on; the pages and the registry too.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from contracts.errors import RestoreRefused
from contracts.stack_settings import StackSettings
from deploy.backup.buckets import ASIDE, KEYS, copy_bucket, fill_bucket, list_bucket
from deploy.backup.files import Backup, seal
from deploy.backup.local import Said, new_backup, opened
from deploy.backup.volumes import clean_archives, load_volumes, save_volumes
from deploy.containers.compose import Compose
from deploy.containers.store import ARTEFACT_BUCKET, LAKE_BUCKET, client_of
from deploy.local.environment import local

logger = logging.getLogger(__name__)

WRITERS = ("airflow-scheduler", "airflow-worker")
STORES = ("postgres", "mysql", "minio")
POSTGRES = ("airflow", "lake", "mlflow_accounts")
BUCKETS = (LAKE_BUCKET, ARTEFACT_BUCKET)
AS_POSTGRES = "export PGPASSWORD=$(cat /run/secrets/postgres_password);"
AS_MYSQL = "export MYSQL_PWD=$(cat /run/secrets/mysql_password);"
DUMP_MYSQL = "mysqldump --host=mysql --user=root --single-transaction --no-tablespaces --databases mlflow"


def back_up(settings: StackSettings, folder: Path, say: Said, recipients: Sequence[Any] = ()) -> Backup:
    """Writes a backup of the running stack into a new folder that only its owner can enter.

    Args:
        recipients: The keys that it is encrypted to; until then what is gathered lies in the home folder.

    Raises: BackupRefused if the folder is there already; BackupIncomplete if a bucket holds other objects
        than were copied; EngineFailed.
    """
    if not recipients:
        with new_backup(folder, 0, ()):
            _gather(settings, folder, say)
            return seal(folder)
    with (
        tempfile.TemporaryDirectory(prefix=".canopy-backup-", dir=settings.folder) as name,
        new_backup(folder, 0, recipients) as writer,
    ):
        _gather(settings, Path(name), say)
        say("encrypting")
        for file in sorted(file for file in Path(name).rglob("*") if file.is_file()):
            writer.add(str(file.relative_to(name)), file)
        return writer.seal()


def _gather(settings: StackSettings, folder: Path, say: Said) -> None:
    compose = Compose(settings)
    with _nothing_written(compose, say):
        say("copying what waits in the volumes")
        save_volumes(compose, folder)
        say("dumping the databases")
        for database in POSTGRES:
            dump = f"{AS_POSTGRES} pg_dump --host=postgres --username=postgres --format=custom {database}"
            compose.save(folder / f"postgres-{database}.dump", "exec", "-T", "postgres", "sh", "-c", dump)
        dump = f"{AS_MYSQL} {DUMP_MYSQL}"
        compose.save(folder / "mysql-mlflow.sql", "exec", "-T", "mysql", "sh", "-c", dump)
        for bucket in BUCKETS:
            say(f"copying the bucket {bucket}")
            if aside := copy_bucket(_store(settings), bucket, folder):
                listed = f"{ASIDE}/{bucket}/{KEYS}"
                logger.warning("objects_set_aside bucket=%s count=%d keys=%s", bucket, aside, listed)
    shutil.copytree(settings.folder / "secrets", folder / "secrets")


def restore(settings: StackSettings, folder: Path, say: Said, identities: Sequence[Any] = ()) -> Backup:
    """Makes a new stack out of a backup and starts it.

    Raises: BackupUnusable if a file is missing or another one, or leads out of a volume; RestoreRefused if
        this stack holds something, or no key fits.
    """
    secrets = settings.folder / "secrets"
    if secrets.exists():
        raise RestoreRefused(f"{secrets} is there: a stack was made here. Set CANOPY_HOME to a new folder.")
    say(f"checking {folder}")
    with opened(folder, settings.folder, identities) as (backup, checked):
        if not (checked / "secrets").is_dir():
            raise RestoreRefused(f"{folder} is no backup of the stack in containers. Leave out --stack.")
        with clean_archives(checked) as volumes:
            _fill(settings, checked, volumes, say)
    return backup


def _fill(settings: StackSettings, folder: Path, volumes: Path, say: Said) -> None:
    secrets, compose = settings.folder / "secrets", Compose(settings)
    shutil.copytree(folder / "secrets", secrets)
    compose.prepare()
    say("starting the stores, and making databases and buckets")
    compose.run("up", "--detach", "--wait", *STORES)
    compose.run("run", "--rm", "-T", "init")
    _refuse_objects(settings)
    say("filling the databases")
    for database in POSTGRES:
        fill = "pg_restore --host=postgres --username=postgres --clean --if-exists --exit-on-error"
        command = ("exec", "-T", "postgres", "sh", "-c", f"{AS_POSTGRES} {fill} --dbname={database}")
        compose.load(folder / f"postgres-{database}.dump", *command)
    fill = f"{AS_MYSQL} mysql --host=mysql --user=root"
    compose.load(folder / "mysql-mlflow.sql", "exec", "-T", "mysql", "sh", "-c", fill)
    for bucket in BUCKETS:
        say(f"filling the bucket {bucket}")
        if refused := fill_bucket(_store(settings), bucket, folder):
            logger.warning("objects_not_put_back bucket=%s keys=%s", bucket, ", ".join(refused))
    load_volumes(compose, volumes)


@contextmanager
def _nothing_written(compose: Compose, say: Said) -> Iterator[None]:
    running = [name for name in WRITERS if name in {service.name for service in compose.services()}]
    say("letting the running tasks end: " + ", ".join(running))
    compose.run("stop", *running, profiles=("*",))
    try:
        yield
    finally:
        compose.run("start", *running, profiles=("*",))


def _store(settings: StackSettings) -> Any:
    return client_of("s3", local(settings.s3_port), (settings.folder / "secrets" / "s3_password").read_text())


def _refuse_objects(settings: StackSettings) -> None:
    for bucket in BUCKETS:
        if found := list(list_bucket(_store(settings), bucket)):
            raise RestoreRefused(
                f"The bucket {bucket} holds {len(found)} objects already, {found[0]} for one."
            )
