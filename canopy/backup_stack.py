"""Backup and restore of the stack in containers: databases, objects and secrets, consistent with each other.

While a backup is made no task runs: the scheduler and the workers are stopped, so what the catalog names is
what the bucket holds. Predictions go on; the pages and the registry too.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from canopy.backup import Backup, Said, checked, make_folder, seal
from canopy.settings import StackSettings
from canopy.stack.compose import Compose
from canopy.stack.environment import local
from contracts.errors import RestoreRefused

WRITERS = ("airflow-scheduler", "airflow-worker")
STORES = ("postgres", "mysql", "minio")
POSTGRES = ("airflow", "lake", "mlflow_accounts")
BUCKETS = ("lake", "mlflow")
AS_POSTGRES = "export PGPASSWORD=$(cat /run/secrets/postgres_password);"
AS_MYSQL = "export MYSQL_PWD=$(cat /run/secrets/mysql_password);"
DUMP_MYSQL = "mysqldump --host=mysql --user=root --single-transaction --no-tablespaces --databases mlflow"


def back_up(settings: StackSettings, folder: Path, say: Said) -> Backup:
    """Writes a backup of the running stack into a new folder that only its owner can enter.

    Raises: RestoreRefused if the folder is there already; EngineFailed.
    """
    compose = Compose(settings)
    make_folder(folder)
    with _nothing_written(compose, say):
        say("dumping the databases")
        for database in POSTGRES:
            dump = f"{AS_POSTGRES} pg_dump --host=postgres --username=postgres --format=custom {database}"
            compose.save(folder / f"postgres-{database}.dump", "exec", "-T", "postgres", "sh", "-c", dump)
        dump = f"{AS_MYSQL} {DUMP_MYSQL}"
        compose.save(folder / "mysql-mlflow.sql", "exec", "-T", "mysql", "sh", "-c", dump)
        for bucket in BUCKETS:
            say(f"copying the bucket {bucket}")
            _download(_store(settings), bucket, folder / "objects" / bucket)
    shutil.copytree(settings.folder / "secrets", folder / "secrets")
    return seal(folder)


def restore(settings: StackSettings, folder: Path, say: Said) -> Backup:
    """Makes a new stack out of a backup and starts it.

    Raises: BackupUnusable if a file is missing or another one; RestoreRefused if this stack holds something.
    """
    backup = checked(folder)
    secrets, compose = settings.folder / "secrets", Compose(settings)
    if secrets.exists():
        raise RestoreRefused(f"{secrets} is there: a stack was made here. Set CANOPY_HOME to a new folder.")
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
        _upload(_store(settings), bucket, folder / "objects" / bucket)
    return backup


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
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=local(settings.s3_port),
        aws_access_key_id="canopy",
        aws_secret_access_key=(settings.folder / "secrets" / "s3_password").read_text(),
        region_name="us-east-1",
    )


def _keys(store: Any, bucket: str) -> list[str]:
    pages = store.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


def _download(store: Any, bucket: str, folder: Path) -> None:
    def fetch(key: str) -> None:
        target = folder / key
        target.parent.mkdir(parents=True, exist_ok=True)
        store.download_file(bucket, key, str(target))

    folder.mkdir(parents=True)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(fetch, _keys(store, bucket)))


def _upload(store: Any, bucket: str, folder: Path) -> None:
    files = [file for file in folder.rglob("*") if file.is_file()]
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(lambda file: store.upload_file(str(file), bucket, str(file.relative_to(folder))), files)
        )


def _refuse_objects(settings: StackSettings) -> None:
    for bucket in BUCKETS:
        if found := _keys(_store(settings), bucket):
            raise RestoreRefused(
                f"The bucket {bucket} holds {len(found)} objects already, {found[0]} for one."
            )
