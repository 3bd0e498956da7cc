"""Nobody but the owner reads what Canopy writes; of gold one file may be a group's."""

from __future__ import annotations

import grp
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from contracts.errors import SettingsInvalid
from contracts.rights import as_person, keep_private, tighten
from contracts.stack_settings import StackSettings
from deploy.home import is_known, own_home
from deploy.local.environment import stack_environment
from lake.publish.analysts_file import KEY, write_analysts_file
from lake.settings import LakeSettings
from source.simulator.server import serving as simulating
from source.simulator.settings import SimulatorSettings
from source.simulator.synthetic import generate
from tests.lake.landed import lake_in
from tests.lake.published import fill_with_numbers, publish_after

STRANGER = 65534


def open_to_others(folder: Path) -> list[str]:
    """Every file and folder, from this one down, that somebody else has a right to."""
    return [
        f"{path} {stat.filemode(path.lstat().st_mode)}"
        for path in (folder, *sorted(folder.rglob("*")))
        if not path.is_symlink() and path.lstat().st_mode & 0o077
    ]


# Not Python: the one that runs the tests may lie where no stranger gets.
READ = 'while IFS= read -r path; do head -c 1 "$path" >/dev/null 2>&1 && echo "$path"; done; true'


def read_by(paths: list[Path], *, group: int) -> list[Path]:
    """Which files a stranger opens who is in this group; where nobody can be a stranger, what modes say."""
    if os.geteuid():
        return [path for path in paths if _lets_read(path.stat(), group)]
    done = subprocess.run(
        ["/bin/sh", "-c", READ],
        **{"user": STRANGER, "group": group, "extra_groups": []},
        input="".join(f"{path}\n" for path in paths),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return list(map(Path, done.stdout.splitlines()))


def _lets_read(found: os.stat_result, group: int) -> bool:
    return bool(found.st_mode & stat.S_IROTH or (found.st_gid == group and found.st_mode & stat.S_IRGRP))


@pytest.fixture(params=[0o000, 0o022], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that a stranger would get to, were it not for its own rights; pytest's own are nobody's."""
    with tempfile.TemporaryDirectory(prefix="canopy-rights-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


def own_group() -> str:
    """The name of a group that whoever runs the tests is in."""
    return grp.getgrgid(os.getegid()).gr_name


def test_what_a_command_writes_is_its_owners_though_the_umask_lets_all(tmp_path: Path) -> None:
    home = tmp_path / "home"
    simulator = SimulatorSettings(window_s=300, state=tmp_path / "source.json")
    with simulating(simulator, generate(300, seed=1)) as url:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("CANOPY_", "LAKE_"))
        }
        environment = kept | {"CANOPY_HOME": str(home), "SOURCE_URL": url, "SOURCE_REQUESTS_PER_WINDOW": "1"}
        command = [sys.executable, "-m", "canopy", "collect"]
        subprocess.run(command, env=environment, umask=0, check=True, capture_output=True)
    assert len(list((home / "lake" / "bronze").rglob("*.parquet"))) == 1
    assert open_to_others(home) == []


def test_what_a_person_asks_for_has_that_persons_rights(umask: int, tmp_path: Path) -> None:
    keep_private()
    with as_person():
        (tmp_path / "asked").touch()
    (tmp_path / "kept").touch()
    assert stat.S_IMODE((tmp_path / "asked").stat().st_mode) == 0o666 & ~umask
    assert open_to_others(tmp_path / "kept") == []


def test_a_home_that_was_open_is_its_owners_after_the_next_start(umask: int, tmp_path: Path) -> None:
    home, outside = tmp_path / "home", tmp_path / "outside"
    for name in ("lake/bronze/raw/one", "mlflow/mlflow.sqlite", "airflow/logs/run/task.log", "secrets.json"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).touch()
    outside.mkdir()
    (outside / "another's").touch()
    (home / "lake" / "link").symlink_to(outside)
    (home / "models").symlink_to(outside)
    (home / "lake" / "second name").hardlink_to(outside / "another's")
    before = [path.lstat().st_mode for path in (outside, outside / "another's")]
    assert own_home(StackSettings(home=home, _env_file=None)) == 11
    (home / "lake" / "second name").unlink()
    assert open_to_others(home) == []
    assert [path.lstat().st_mode for path in (outside, outside / "another's")] == before
    assert own_home(StackSettings(home=home, _env_file=None)) == 0


def test_a_folder_with_other_things_in_it_keeps_its_rights(tmp_path: Path) -> None:
    for name in ("lake", "public_html"):
        (tmp_path / name).mkdir(mode=0o755)
    tmp_path.chmod(0o755)
    own_home(StackSettings(home=tmp_path, _env_file=None))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path, *tmp_path.iterdir())}
    assert modes == {tmp_path.name: 0o755, "lake": 0o700, "public_html": 0o755}


def test_a_pipe_or_a_socket_in_the_home_stops_no_start(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lake")
    assert tighten(tmp_path) <= 1


def test_a_group_reads_the_analysts_file_and_nothing_else(umask: int, reachable: Path) -> None:
    home = reachable / "home"
    lake = fill_with_numbers(lake_in(home).model_copy(update={"group": own_group()}))
    for name in ("secrets.json", "spool/segment", "airflow/airflow.cfg", "mlflow/mlflow.sqlite"):
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).touch()
    own_home(StackSettings(home=home, group=own_group(), _env_file=None))
    write_analysts_file(lake, 8)
    start(home, lake)
    assert start(home, lake) == "0"
    keep_private()
    newest = publish_after(lake, "insert into gold.numbers values (5)").snapshot_id
    write_analysts_file(lake, newest)  # into the place of another one, as each publication does
    files = [path for path in home.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert read_by(files, group=os.getegid()) == [Path(lake.root) / KEY]
    assert read_by(files, group=STRANGER) == []
    writable = [path for path in (home, *home.rglob("*")) if path.stat().st_mode & 0o022]
    assert writable == []
    with duckdb.connect(str(Path(lake.root) / KEY), read_only=True) as connection:
        assert connection.execute("select count(*) from gold.numbers").fetchone() == (6,)


def start(home: Path, lake: LakeSettings) -> str:
    """What a start does where the lake is the home's. Returns: how much others could have read."""
    environment = {"CANOPY_HOME": str(home), "LAKE_URI": lake.uri, "LAKE_CATALOG": lake.catalog}
    code = "from deploy.home import own_home, StackSettings; print(own_home(StackSettings()))"
    given = os.environ | environment | {"CANOPY_GROUP": own_group()}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=given, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


@pytest.mark.parametrize("group", ["no-such-group", ""])
def test_a_group_that_is_none_is_one_sentence(group: str, tmp_path: Path) -> None:
    settings = StackSettings(home=tmp_path / "home", group=group, _env_file=None)
    if group:
        with pytest.raises(SettingsInvalid, match=r"CANOPY_GROUP='no-such-group'.*groupadd"):
            own_home(settings)
        assert not (tmp_path / "home").exists()
    else:
        assert own_home(settings) == 0


def test_every_place_that_parts_are_told_of_is_known(tmp_path: Path) -> None:
    """Else it is neither made its owner's at a start nor left out where it can be made again."""
    settings = StackSettings(home=tmp_path, _env_file=None)
    told = [value for value in stack_environment(settings).values() if f"{tmp_path}/" in value]
    names = {value.split(f"{tmp_path}/")[1].split("/")[0] for value in told}
    assert len(names) > 8
    assert [name for name in names if not is_known(name)] == []
    assert [entry.name for entry in tmp_path.iterdir() if not is_known(entry.name)] == []


def test_a_persons_own_folders_are_not_taken_for_canopys() -> None:
    names = (
        "lake",
        "catalog.sqlite",
        "catalog.sqlite-wal",
        "catalog.sqlite.lock",
        "predict.key",
        "airflow.sqlite",
    )
    assert all(map(is_known, names))
    assert not any(map(is_known, (".ssh", "public_html", "Documents")))
