"""Archives what of the containers' volumes cannot be made again, and restores it."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import BackupUnusable
from contracts.outside import shown
from deploy.containers.compose import Compose

AS_SHELL = ("run", "--rm", "--no-deps", "-T", "--entrypoint", "sh")


@dataclass(frozen=True)
class Kept:
    """Files of one volume.

    Attributes:
        service: Who has the volume.
        folder: Where it is mounted there.
        names: What of it is kept; what is not there is left out.
    """

    service: str
    folder: str
    names: tuple[str, ...]


VOLUMES = {
    # A response goes from here to the bucket, and so does a segment of predictions.
    "incoming": Kept("airflow-scheduler", "/var/lib/canopy/incoming", (".",)),
    "models": Kept("serving", "/var/lib/canopy/models", ("keys.json", "spool")),
}
# Status 1 is a file that grew meanwhile: predictions go on, and of a cut segment is read what is whole.
SAVE = """
cd {folder} && set --
for name in {names}; do if [ -e "$name" ]; then set -- "$@" "$name"; fi; done
tar --create --file=- --files-from=/dev/null "$@" || [ $? -eq 1 ]
"""
LOAD = "tar --extract --file=- --directory={folder} --no-same-owner"

KINDS = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE)


def save_volumes(compose: Compose, folder: Path) -> None:
    """Writes an archive for each volume. Raises: EngineFailed."""
    for name, kept in VOLUMES.items():
        script = SAVE.format(folder=kept.folder, names=" ".join(kept.names))
        compose.save(archive(folder, name), *AS_SHELL, kept.service, "-c", script)


@contextmanager
def clean_archives(folder: Path) -> Iterator[Path]:
    """Writes a backup's archives anew, and gives the folder of these: older backups have none.

    What is unpacked is what was looked at here: two readers of tar may find two things in the same bytes.

    Raises: BackupUnusable if something in one of them leads out of its volume.
    """
    with tempfile.TemporaryDirectory(prefix="canopy-volumes-") as name:
        for volume in VOLUMES:
            if archive(folder, volume).is_file():
                _write_clean(archive(folder, volume), archive(Path(name), volume))
        yield Path(name)


def load_volumes(compose: Compose, folder: Path) -> None:
    """Puts back the archives that `clean_archives` gives. Raises: EngineFailed."""
    for name, kept in VOLUMES.items():
        if archive(folder, name).is_file():
            script = LOAD.format(folder=kept.folder)
            compose.load(archive(folder, name), *AS_SHELL, kept.service, "-c", script)


def archive(folder: Path, name: str) -> Path:
    """Returns where a backup has a volume."""
    return folder / f"volume-{name}.tar"


def _write_clean(file: Path, clean: Path) -> None:
    try:
        with (
            file.open("rb") as stream,
            tarfile.open(fileobj=stream, mode="r:") as given,
            tarfile.open(clean, "w:", format=tarfile.GNU_FORMAT) as written,
        ):
            for member in given:
                if doubt := _doubt(member):
                    raise BackupUnusable(file.name, f"{shown(member.name)} in it {doubt}")
                member.size = member.size if member.isreg() else 0
                written.addfile(member, given.extractfile(member) if member.isreg() else None)
            stream.seek(given.offset)
            if any(block.strip(b"\0") for block in iter(lambda: stream.read(2**20), b"")):
                raise BackupUnusable(file.name, "there is something behind its end")
    except (tarfile.TarError, OSError, ValueError, OverflowError) as error:
        raise BackupUnusable(file.name, f"it is no whole archive ({shown(error)})") from error


def _doubt(member: tarfile.TarInfo) -> str | None:
    if member.type not in KINDS or member.sparse is not None or member.size < 0:
        return "is no file, folder or link"
    if _leads_out(member.name):
        return "lies outside of its volume"
    if (member.issym() or member.islnk()) and _leads_out(member.linkname):
        return "is a link out of its volume"
    return None


def _leads_out(path: str) -> bool:
    """Returns whether a path goes to the root or up; without that, a link through other links leads
    nowhere else."""
    return path.startswith("/") or ".." in path.split("/")
