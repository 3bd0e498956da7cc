"""The archives of volumes in a backup: what leads out of a volume is refused before anything is unpacked."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import BackupUnusable
from deploy.backup.volumes import VOLUMES, archive, clean_archives, load_volumes
from tests.attacks.state import fingerprint

Packed = Callable[[tarfile.TarFile], None]


class Here:
    """Compose's command that fills a volume, run on this machine."""

    def __init__(self, volumes: Path) -> None:
        self._volumes = volumes

    def load(self, file: Path, *arguments: str) -> None:
        """Runs a command on a file."""
        script = arguments[-1].replace("/var/lib/canopy", str(self._volumes))
        with file.open("rb") as stream:
            subprocess.run(["sh", "-c", script], check=True, stdin=stream)


def put(
    name: str, kind: bytes = tarfile.REGTYPE, link: str = "", content: bytes = b"", **more: Any
) -> Packed:
    """Returns what puts a member into an archive."""

    def into(tar: tarfile.TarFile) -> None:
        member = tarfile.TarInfo(name)
        member.type, member.linkname, member.size = kind, link, len(content)
        for attribute, value in more.items():
            setattr(member, attribute, value)
        tar.addfile(member, io.BytesIO(content))

    return into


def packed(file: Path, *members: Packed) -> None:
    with tarfile.open(file, "w:", format=tarfile.GNU_FORMAT) as tar:
        for into in members:
            into(tar)


def negative(tar: tarfile.TarFile) -> None:
    """Puts a member with a length that leads back to it into an archive."""
    member = tarfile.TarInfo("back")
    member.size = -512
    assert tar.fileobj
    tar.fileobj.write(member.tobuf(tarfile.GNU_FORMAT))


def load(volumes: Path, backup: Path) -> None:
    """Puts back what a backup has of the volumes."""
    with clean_archives(backup) as archives:
        load_volumes(Here(volumes), archives)  # type: ignore[arg-type]


WHOLE = put("./one.response", content=b"what the source said")
HOSTILE: dict[str, tuple[Packed, ...]] = {
    "a name from the root": (put("/tmp/escaped"),),
    "a name that goes up": (put("../escaped"),),
    "a name that goes up from within": (put("spool/../../escaped"),),
    "a long name that goes up": (put("a" * 200 + "/../../escaped"),),
    "a link to the root": (put("spool/out", tarfile.SYMTYPE, "/etc"),),
    "a link that goes up": (put("spool/out", tarfile.SYMTYPE, "../../escaped"),),
    "a link through a link": (
        put("in", tarfile.SYMTYPE, "."),
        put("out", tarfile.SYMTYPE, "in/in/.."),
        put("out/escaped"),
    ),
    "a hard link to the root": (put("passwd", tarfile.LNKTYPE, "/etc/passwd"),),
    "a hard link that goes up": (put("keys.json", tarfile.LNKTYPE, "../escaped"),),
    "a device of characters": (put("null", tarfile.CHRTYPE, devmajor=1, devminor=3),),
    "a device of blocks": (put("disk", tarfile.BLKTYPE, devmajor=8),),
    "a pipe": (put("pipe", tarfile.FIFOTYPE),),
    "a kind that nobody knows": (put("odd", b"Z"),),
    "a length below nothing": (negative,),
}


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    for name in VOLUMES:
        (tmp_path / "volumes" / name).mkdir(parents=True)
    return tmp_path / "volumes"


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    folder = tmp_path / "backup"
    folder.mkdir()
    packed(archive(folder, "incoming"), WHOLE)
    return folder


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.parametrize("volume", VOLUMES)
def test_what_leads_out_of_a_volume_is_refused_before_anything_is_unpacked(
    volumes: Path, backup: Path, tmp_path: Path, volume: str, what: str
) -> None:
    packed(archive(backup, volume), WHOLE, *HOSTILE[what])
    before = fingerprint(tmp_path)
    with pytest.raises(BackupUnusable) as refused:
        load(volumes, backup)
    said = str(refused.value)
    assert said.startswith(f"The backup's volume-{volume}.tar cannot be used: ")
    assert said.endswith(". Restore another backup.")
    assert "\n" not in said
    assert fingerprint(tmp_path) == before
    assert list(volumes.glob("*/*")) == []


def test_what_is_hidden_behind_a_damaged_head_is_refused_as_well(
    volumes: Path, backup: Path, tmp_path: Path
) -> None:
    """GNU tar skips what is no head and goes on; Python's reader ends there."""
    file, hidden = archive(backup, "incoming"), tmp_path / "hidden.tar"
    packed(hidden, put("spool/out", tarfile.SYMTYPE, "/etc"))
    for between in (b"x" * 512, b"\0" * 512, b"\0" * 1024):
        packed(file, WHOLE)
        file.write_bytes(file.read_bytes()[:1024] + between + hidden.read_bytes())
        before = fingerprint(tmp_path)
        with pytest.raises(BackupUnusable, match=r"volume-incoming\.tar cannot be used: "):
            load(volumes, backup)
        assert fingerprint(tmp_path) == before


def test_two_names_of_one_member_are_not_told_apart_by_the_reader(
    volumes: Path, backup: Path, tmp_path: Path
) -> None:
    """GNU tar takes the link of a record with a blank before it, which Python's reader does not see."""
    record = b" 22 linkpath=/etc/ssl\n"
    packed(
        archive(backup, "incoming"),
        put("head", tarfile.XHDTYPE, content=record),
        put("spool", tarfile.SYMTYPE, "within"),
    )
    load(volumes, backup)
    assert fingerprint(volumes)["incoming/spool"] == "link to within"


@pytest.mark.parametrize("content", [b"", b"x" * 5_000, b"\0" * 100])
def test_a_file_that_is_no_archive_is_refused(volumes: Path, backup: Path, content: bytes) -> None:
    archive(backup, "models").write_bytes(content)
    with pytest.raises(BackupUnusable, match=r"volume-models\.tar cannot be used: "):
        load(volumes, backup)
    assert list(volumes.glob("*/*")) == []


def test_an_archive_that_is_cut_is_refused(volumes: Path, backup: Path) -> None:
    file = archive(backup, "incoming")
    packed(file, put("./two.response", content=b"x" * 20_000), WHOLE)
    file.write_bytes(file.read_bytes()[:10_000])
    with pytest.raises(BackupUnusable):
        load(volumes, backup)
    assert list(volumes.glob("*/*")) == []


def test_what_gnu_tar_packs_is_put_back_with_long_names_and_links_within(
    volumes: Path, backup: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "packed"
    (folder / "quarantine" / ("b" * 120)).mkdir(parents=True)
    for name in ("one", "two\nlines", "a..b", f"quarantine/{'b' * 120}/{'a' * 150}"):
        (folder / name).write_text(name)
    (folder / "again").hardlink_to(folder / "one")
    (folder / "there").symlink_to("quarantine")
    command = ["tar", "--create", f"--file={archive(backup, 'incoming')}", f"--directory={folder}", "."]
    subprocess.run(command, check=True)
    subprocess.run(["tar", "--create", f"--file={archive(backup, 'models')}", "-T", "/dev/null"], check=True)
    load(volumes, backup)
    assert fingerprint(volumes / "incoming") == fingerprint(folder)
