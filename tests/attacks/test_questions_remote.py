"""Hostile questions to a lake with its files in S3 and its catalog in PostgreSQL, as in the containers."""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import psycopg2
import pytest
from psycopg2 import sql
from pydantic import SecretStr

from contracts.errors import LakeError
from deploy.containers.databases import BOUNDS, OWNERS, READERS, SPILLED, let_read, make_roles
from deploy.containers.store import policies
from lake.catalog import writer
from lake.catalog.connection import connect
from lake.publish.audits import record_audit, recorded_audits
from lake.publish.pointer import latest, publish
from lake.read.question import Bounds, _told
from lake.settings import LakeSettings
from sandbox.errors import Died
from sandbox.sandbox import Sandbox
from tests.lake.published import fill_with_numbers
from tests.lake.servers import postgres_binaries, postgres_service
from tests.lake.stores import s3_service
from tests.lake.test_audits import record
from ui.reading import question
from ui.settings import UiSettings

BINARIES = postgres_binaries()
pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # botocore leaves its sockets to the collector
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),
]
SECRET = "kept-to-itself"
PASSWORDS = {role: f"{role}-{SECRET}" for role in (*OWNERS.values(), *READERS)}
OWNER_PASSWORD = f"owner-{SECRET}"
# With the catalog attached once more, by the pages' own account and to write.
THEN = (
    "from p.public.ducklake_metadata",
    "create table p.public.more as select 1",
    "delete from p.public.ducklake_snapshot",
    "call postgres_execute('p', 'create table more (a int)')",
    "call postgres_execute('p', 'create temp table more (a int)')",
    "call postgres_execute('p', 'create role more')",
    "call postgres_execute('p', 'select lo_create(0)')",
    "call postgres_execute('p', 'alter role reader connection limit 500')",
    "call postgres_execute('p', 'truncate ducklake_snapshot')",
    "from postgres_query('p', 'select * from pg_shadow')",
)
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
UI = UiSettings(question_timeout_s=5)
OWN_TIME_MS = "select setting from pg_settings where name = 'statement_timeout'"


@dataclass
class Remote:
    """A published lake in two services, read with the accounts that the pages have.

    Attributes:
        lake: As the pages read it.
        snapshot_id: What is published.
        port: PostgreSQL's.
        url: The store's.
        owner: Who may do everything in it.
        key: The secret of the pages' account of the store.
        other: Listens where nobody has anything to ask.
        folder: Of this machine, with a file of passwords.
    """

    lake: LakeSettings
    snapshot_id: int
    port: int
    url: str
    owner: tuple[str, str]
    key: str
    other: socket.socket
    folder: Path

    def state(self) -> dict[str, str]:
        """Every row of the catalog, its roles, and every object of the store."""
        with closing(_connected(self.port, "lake")) as connection, connection.cursor() as cursor:
            cursor.execute(
                "select schemaname, tablename from pg_tables where schemaname !~ '^(pg_|information_)'"
            )
            found = {".".join(name): _rows(cursor, name) for name in cursor.fetchall()}
            for name in (
                "pg_authid",
                "pg_database",
                "pg_db_role_setting",
                "pg_largeobject_metadata",
                "pg_proc",
            ):
                found[name] = _rows(cursor, ("pg_catalog", name))
        for item in _client("s3", self.url, self.owner).list_objects_v2(Bucket="lake")["Contents"]:
            found[item["Key"]] = item["ETag"]
        return found

    def is_all_quiet(self) -> bool:
        """Whether nobody has come where nobody has anything to ask."""
        self.other.settimeout(0)
        try:
            self.other.accept()[0].close()
        except BlockingIOError:
            return True
        return False

    def is_told(self, said: str) -> bool:
        """Whether a text has something that nobody may be told."""
        return SECRET in said or self.key in said or "root:" in said


def _rows(cursor: Any, name: tuple[str, str]) -> str:
    cursor.execute(sql.SQL("select * from {} as t order by t::text").format(sql.Identifier(*name)))
    return str(cursor.fetchall())


def _connected(port: int, database: str) -> Any:
    return psycopg2.connect(
        host="127.0.0.1", port=port, user="postgres", password=OWNER_PASSWORD, dbname=database
    )


def _as_role(port: int, role: str) -> Any:
    """A connection of a role, which asks for no setting of its own."""
    return psycopg2.connect(host="127.0.0.1", port=port, user=role, password=PASSWORDS[role], dbname="lake")


def _admitted(port: int, role: str, within_s: float = 30) -> Any:
    """A connection of a role: one that a client has closed is counted until its process has ended."""
    ends = time.monotonic() + within_s
    while True:
        try:
            return _as_role(port, role)
        except psycopg2.OperationalError as error:
            if "too many connections for role" not in str(error) or time.monotonic() > ends:
                raise
            time.sleep(0.05)


def _sessions(port: int, role: str) -> int:
    with closing(_connected(port, "lake")) as connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from pg_stat_activity where usename = %s", (role,))
        return int(cursor.fetchone()[0])


def _until_refused(port: int, role: str, opened: ExitStack) -> int:
    """How many connections of a role are opened until one more is refused."""
    for count in range(201):
        try:
            opened.enter_context(closing(_admitted(port, role, within_s=2)))
        except psycopg2.OperationalError as error:
            if f'too many connections for role "{role}"' not in str(error):
                raise
            return count
    pytest.fail(f"{role} has more connections than the server")


def _client(service: str, url: str, account: tuple[str, str] = ("any", "any")) -> Any:
    identity, key = account
    keys = {"aws_access_key_id": identity, "aws_secret_access_key": key}
    return boto3.client(service, endpoint_url=url, region_name="us-east-1", **keys)


def _let_in(url: str, actions: str) -> None:
    """Has the store ask for rights from this many requests on."""
    request = urllib.request.Request(
        f"{url}/moto-api/reset-auth", actions.encode(), {"Content-Type": "text/plain"}, method="POST"
    )
    urllib.request.urlopen(request).close()


def _account(url: str, name: str, policy: dict[str, Any]) -> tuple[str, str]:
    """Makes an account of the store with these rights; its key."""
    accounts = _client("iam", url)
    accounts.create_user(UserName=name)
    accounts.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=json.dumps(policy))
    key = accounts.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    assert BINARIES, "Install it: apt-get install --no-install-recommends postgresql"
    folder = tmp_path_factory.mktemp("home")
    with (
        postgres_service(BINARIES, OWNER_PASSWORD) as port,
        s3_service() as url,
        socket.create_server(("127.0.0.1", 0)) as other,
        pytest.MonkeyPatch.context() as changed,
    ):
        changed.setenv("PGPORT", str(port))
        make_roles("127.0.0.1", OWNER_PASSWORD, PASSWORDS)
        owner = _account(url, "owner", EVERYTHING)
        identity, key = _account(url, "reader", policies("lake", "artefacts")["reader"])
        written = LakeSettings(
            uri="s3://lake",
            catalog=_catalog(port, "transform"),
            s3_endpoint_url=url,
            s3_access_key_id=owner[0],
            s3_secret_access_key=owner[1],
            _env_file=None,
        )
        with connect(written, write=True):
            pass
        let_read("127.0.0.1", OWNER_PASSWORD)
        fill_with_numbers(written)
        _client("s3", url, owner).put_object(Bucket="lake", Key="bronze/raw/response.json", Body=SECRET)
        (folder / "passfile").write_text(f"127.0.0.1:{port}:*:postgres:{OWNER_PASSWORD}\n")
        lake = written.model_copy(
            update={"catalog": _catalog(port, "reader"), "s3_access_key_id": identity}
            | {"s3_secret_access_key": SecretStr(key)}
        )
        published = latest(lake)
        assert published
        _let_in(url, "0")
        try:
            yield Remote(lake, published.snapshot_id, port, url, owner, key, other, folder)
        finally:
            _let_in(url, "inf")
            question._questions(lake).close()


def _catalog(port: int, role: str) -> str:
    return f"postgres:host=127.0.0.1 port={port} dbname=lake user={role} password={PASSWORDS[role]}"


def hostile(remote: Remote) -> list[str]:
    """Ways to the passwords, the server, the store and other ports."""
    hidden, other = "__ducklake_metadata_lake", remote.other.getsockname()[1]
    login, passfile = f"host=127.0.0.1 port={remote.port} dbname=lake user=reader", remote.folder / "passfile"
    (data,) = [name for name in remote.state() if name.endswith(".parquet")][:1]
    return [
        "select path from duckdb_databases()",
        "pragma database_list",
        "from duckdb_secrets()",
        "from duckdb_secrets(redact => false)",
        "set allow_unredacted_secrets = true; from duckdb_secrets(redact => false)",
        "from which_secret('s3://lake/x', 's3')",
        "select getenv('PGPASSWORD'), current_setting('s3_secret_access_key')",
        "from duckdb_settings() where name like '%secret%' or name like '%pg_%'",
        f"from {hidden}.ducklake_snapshot",
        f"from postgres_query('{hidden}', 'select 1')",
        f"from postgres_query('{hidden}', 'select rolname, rolpassword from pg_authid')",
        f"from postgres_query('{hidden}', 'select pg_read_file(''/etc/passwd'')')",
        f"from postgres_query('{hidden}', 'select pg_sleep(40)')",
        f"from postgres_query('{hidden}', 'select lo_from_bytea(0, ''x'')')",
        f"from postgres_query('{hidden}', 'delete from ducklake_snapshot returning *')",
        f"from postgres_query('{hidden}', 'create table more as select 1')",
        f"call postgres_execute('{hidden}', 'delete from ducklake_data_file')",
        f"call postgres_execute('{hidden}', 'drop table ducklake_snapshot')",
        f"explain analyze from postgres_query('{hidden}', 'select 1')",
        f"delete from {hidden}.ducklake_snapshot",
        f"update {hidden}.ducklake_data_file set path = 'x'",
        f"from postgres_scan('{login}', 'public', 'ducklake_metadata')",
        f"from postgres_scan_pushdown('{login}', 'public', 'ducklake_metadata')",
        f"from postgres_scan('host=127.0.0.1 port={other} connect_timeout=2', 'public', 'x')",
        f"from postgres_scan('{login} passfile={passfile} user=postgres', 'public', 'x')",
        f"attach 'host=127.0.0.1 port={other} connect_timeout=2' as p (type postgres)",
        f"attach '{login} user=postgres passfile={passfile}' as p (type postgres)",
        *(f"attach '' as p (type postgres, secret lake_catalog); {then}" for then in THEN),
        "call postgres_attach('host=127.0.0.1')",
        "attach 'ducklake:postgres:' as l (meta_secret 'lake_catalog'); drop schema l.gold cascade",
        f"from read_text('{passfile}')",
        f"from read_csv('{passfile}')",
        "from read_text('/proc/self/environ')",
        "from read_text('/etc/passwd')",
        "from read_text('s3://lake/bronze/raw/response.json')",
        "from read_blob('s3://lake/bronze/raw/response.json')",
        "from glob('s3://lake/**')",
        "copy (select 1 as a) to 's3://lake/ducklake/new.parquet'",
        "explain analyze copy (select 1 as a) to 's3://lake/new.parquet'",
        f"copy (select 1 as a) to 's3://lake/{data}' (overwrite true)",
        "from ducklake_cleanup_old_files('lake', cleanup_all => true)",
        "from ducklake_expire_snapshots('lake', older_than => now())",
        "from ducklake_delete_orphaned_files('lake', cleanup_all => true)",
        "from ducklake_set_option('lake', 'x', 'y')",
        f"from read_csv('http://127.0.0.1:{other}/x')",
        f"create secret s (type s3, endpoint '127.0.0.1:{other}', use_ssl false); from 's3://lake/x.csv'",
        f"set s3_endpoint = '127.0.0.1:{other}'; from 's3://lake/x.csv'",
        f"copy (select 1) to 'http://127.0.0.1:{other}/x'",
    ]


def test_no_hostile_question_of_the_page_is_answered_or_changes_anything(remote: Remote) -> None:
    before = remote.state()
    for query in hostile(remote):
        with pytest.raises(LakeError) as refused:
            question.ask_lake(remote.lake, query, UI)
        said = str(refused.value).replace(query, "")
        assert not remote.is_told(said), query
        assert remote.state() == before, query
    assert remote.is_all_quiet()
    assert list(question.ask_lake(remote.lake, "from gold.numbers order by 1", UI).frame["number"]) == [
        0,
        1,
        2,
        3,
        4,
    ]


@dataclass
class Unruled:
    """The page's process without a rule in words."""

    remote: Remote
    box: Sandbox

    def say(self, *queries: str) -> str:
        """What it says to questions in one process; nothing where they end it."""
        given = {"snapshot_id": self.remote.snapshot_id, "queries": queries, "is_locked": False, "files": []}
        limits = Bounds(seconds=3).limits(self.remote.lake, ())
        try:
            return self.box.call("tests.attacks.unruled:run", _told(self.remote.lake, given), limits).decode()
        except Died:
            return ""


@pytest.fixture(scope="module")
def unruled(remote: Remote) -> Iterator[Unruled]:
    box = Sandbox(["lake.read.confined_remote", "tests.attacks.unruled", "lake", "contracts"])
    yield Unruled(remote, box)
    box.close()


def test_without_any_rule_the_accounts_hold_and_no_other_port_is_reached(
    remote: Remote, unruled: Unruled
) -> None:
    """What the rules in words refuse is tried: the process and the rights of its accounts are left."""
    assert "[(0,), (1,), (2,), (3,), (4,)]" in unruled.say("from gold.numbers order by 1")
    before = remote.state()
    for query in hostile(remote):
        said = unruled.say(*query.split("; "))
        assert not remote.is_told(said), (query, said)
        assert remote.state() == before, query
    assert remote.is_all_quiet()


def test_every_reader_of_the_catalog_has_its_limits_and_the_owners_have_none(remote: Remote) -> None:
    query = (
        "select rolname, rolconnlimit, setconfig from pg_roles left join pg_db_role_setting "
        "on setrole = pg_roles.oid where rolname = any(%s)"
    )
    with closing(_connected(remote.port, "lake")) as connection, connection.cursor() as cursor:
        cursor.execute(query, (list(PASSWORDS),))
        kept = {role: (most, settings) for role, most, settings in cursor.fetchall()}
    bounded = {
        role: (most, [f"statement_timeout={longest}", f"temp_file_limit={SPILLED}"])
        for role, (most, longest) in BOUNDS.items()
    }
    assert bounded.keys() == {*READERS}
    assert kept == bounded | dict.fromkeys(OWNERS.values(), (-1, None))
    assert sum(most for most, _ in BOUNDS.values()) <= 130  # of 200


@pytest.mark.parametrize("role", BOUNDS)
def test_a_role_has_as_many_connections_as_its_limit_says_and_no_more(remote: Remote, role: str) -> None:
    most, _ = BOUNDS[role]
    before = _sessions(remote.port, role)  # such as what the pages' reader keeps open
    with ExitStack() as opened:
        count = _until_refused(remote.port, role, opened)
        assert most - before <= count <= most
        other = next(name for name in BOUNDS if name != role)
        _admitted(remote.port, other).close()


@pytest.mark.parametrize("role", BOUNDS)
def test_a_role_reaches_no_database_but_the_lake(remote: Remote, role: str) -> None:
    """In the server's own it could write to the disk without a bound."""
    for database in ("postgres", "template1", *(name for name in OWNERS if name != "lake")):
        with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
            psycopg2.connect(
                host="127.0.0.1", port=remote.port, user=role, password=PASSWORDS[role], dbname=database
            ).close()


@pytest.mark.parametrize("role", BOUNDS)
def test_a_role_leaves_no_message_in_the_log_of_the_disk(remote: Remote, role: str) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        _asked(remote.port, role, "select pg_logical_emit_message(false, 'x', repeat('x', 100000000))")


@pytest.mark.parametrize("role", BOUNDS)
def test_no_lock_that_a_reader_may_take_stops_an_audit_or_a_publication(
    remote: Remote, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "LOCK_TIMEOUT_S", 10)
    for stronger in ("row exclusive", "share update exclusive", "access exclusive"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            _asked(remote.port, role, f"lock table {writer.PUBLISHING} in {stronger} mode")
    identity, key = remote.owner
    lake = remote.lake.model_copy(
        update={"catalog": _catalog(remote.port, "transform"), "s3_access_key_id": identity}
        | {"s3_secret_access_key": SecretStr(key)}
    )
    with closing(_admitted(remote.port, role)) as holding, holding.cursor() as cursor:
        cursor.execute(f"lock table {writer.PUBLISHING} in access share mode")
        cursor.execute("select pg_advisory_lock(20261127), count(*) from ducklake_data_file")
        before = len(recorded_audits(lake, 99))
        assert record_audit(lake, record(7)) == before + 1
        assert publish(lake, remote.snapshot_id, "held").snapshot_id == remote.snapshot_id


@pytest.mark.parametrize("role", BOUNDS)
def test_what_a_role_sets_for_itself_is_taken_back_at_the_next_start(remote: Remote, role: str) -> None:
    for change in (
        "alter role current_user set statement_timeout = 0",
        "alter role current_user set search_path = 'nowhere'",
        "alter role current_user in database lake set search_path = 'nowhere'",
        "alter role current_user password 'mine'",
    ):
        with closing(_admitted(remote.port, role)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(change)
    make_roles("127.0.0.1", OWNER_PASSWORD, PASSWORDS)
    let_read("127.0.0.1", OWNER_PASSWORD)
    assert _asked(remote.port, role, OWN_TIME_MS) == _milliseconds(role)
    assert _asked(remote.port, role, "show search_path") == '"$user", public'


@pytest.mark.parametrize("role", BOUNDS)
def test_a_statement_that_writes_more_to_the_disk_than_it_may_is_ended(remote: Remote, role: str) -> None:
    sorting = "select max(n) from (select n from generate_series(1, 300000) as t(n) order by n::text) as s"
    assert _asked(remote.port, role, sorting) == "300000"
    smaller = sql.SQL("alter role {} set temp_file_limit = '1MB'").format(sql.Identifier(role))
    with closing(_connected(remote.port, "lake")) as owner, owner, owner.cursor() as cursor:
        cursor.execute(smaller)
    try:
        with pytest.raises(psycopg2.OperationalError, match="temporary file size exceeds"):
            _asked(remote.port, role, sorting)
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            _asked(remote.port, role, "set temp_file_limit = -1")
    finally:
        make_roles("127.0.0.1", OWNER_PASSWORD, PASSWORDS)


@pytest.mark.parametrize("role", BOUNDS)
def test_the_server_ends_a_statement_at_the_roles_own_time_which_each_start_sets_anew(
    remote: Remote, role: str
) -> None:
    shorter = sql.SQL("alter role {} set statement_timeout = '300ms'").format(sql.Identifier(role))
    with closing(_connected(remote.port, "lake")) as owner, owner, owner.cursor() as cursor:
        cursor.execute(shorter)
    try:
        with pytest.raises(psycopg2.errors.QueryCanceled, match="statement timeout"):
            _asked(remote.port, role, "select pg_sleep(20)")
    finally:
        make_roles("127.0.0.1", OWNER_PASSWORD, PASSWORDS)
    assert _asked(remote.port, role, OWN_TIME_MS) == _milliseconds(role)


def _asked(port: int, role: str, query: str) -> str:
    with closing(_admitted(port, role)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return str(cursor.fetchone()[0])


def _milliseconds(role: str) -> str:
    return str(1_000 * int(BOUNDS[role][1].removesuffix("s")))
