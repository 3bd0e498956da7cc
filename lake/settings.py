"""Where the lake keeps its objects and its catalog."""

from __future__ import annotations

import errno
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from contracts.errors import SettingsInvalid
from contracts.outside import shown
from contracts.plain_files import absolute
from contracts.settings import LONGEST_NAME, LONGEST_PATH, Address, is_possible
from contracts.shared_settings import GroupSettings

PATTERN = re.compile(r"[][*?$\\\x00-\x1f\x7f]")
KINDS = ("sqlite", "postgres")
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/?/")
MEMORY = re.compile(r"(?P<number>\d{1,12}(\.\d+)?) ?(?P<unit>[kmgt]i?b)", re.IGNORECASE)
UNITS = {
    f"{letter}{ending}": base**power
    for power, letter in enumerate("KMGT", 1)
    for ending, base in (("B", 1000), ("IB", 1024))
}
LEAST_MEMORY, MOST_MEMORY = 64 * 1000**2, 1024 * 1000**4


class LakeSettings(GroupSettings):
    """Settings with the prefix `LAKE_`; read once at the edge and passed down.

    Attributes:
        uri: A folder, also as `file:///folder`, or `s3://bucket/prefix` of any S3.
        catalog: `sqlite:PATH` (one writer, embedded) or `postgres:CONNECTION STRING`.
        s3_endpoint_url: The service's address where it is not Amazon's, such as `http://127.0.0.1:9000`.
        s3_access_key_id: Access key, with `s3_secret_access_key`.
        s3_secret_access_key: Secret of the access key.
        s3_region: Region name; S3 look-alikes accept any.
        memory_limit: What one DuckDB connection may use, in DuckDB's spelling.
        threads: Threads of one DuckDB connection.
        keep_snapshots_days: How long every snapshot can be read; published and cited ones longer.
        keep_files_hours: How long a file stays that no snapshot needs; longer than any reader takes.
        keep_catalogs: How many copies of a SQLite catalog are kept beside it, the newest.
    """

    model_config = SettingsConfigDict(env_prefix="LAKE_")

    uri: str = ".canopy/lake"
    catalog: str = "sqlite:.canopy/catalog.sqlite"
    s3_endpoint_url: Address | None = None
    s3_access_key_id: str | None = None
    s3_secret_access_key: SecretStr | None = None
    s3_region: str = "us-east-1"
    memory_limit: str = "4GB"
    threads: int = Field(default=2, ge=1, le=1024)
    keep_snapshots_days: float = Field(default=7.0, ge=0)
    keep_files_hours: float = Field(default=24.0, ge=0)
    keep_catalogs: int = Field(default=3, ge=1)

    @field_validator("uri")
    @classmethod
    def _has_a_scheme_that_is_read(cls, uri: str) -> str:
        scheme, mark, place = uri.partition("://")
        if scheme.lower() in ("file", "s3"):  # in small letters from here on: it is looked at in many places
            uri = f"{scheme.lower()}{mark}{place}"
        if uri.startswith("file://"):
            parts = urlsplit(uri)
            if parts.netloc not in ("", "localhost") or not parts.path.strip("/"):
                raise SettingsInvalid(
                    "LAKE_URI", uri, "A file's address is file:///folder, with three slashes."
                )
            return unquote(uri.partition("//")[2].removeprefix(parts.netloc))  # `#` and `?` are names' signs
        if uri.startswith("s3://"):
            if not uri.removeprefix("s3://").strip("/"):
                raise SettingsInvalid("LAKE_URI", uri, "The bucket's name is missing: s3://bucket/prefix.")
            return uri
        if SCHEME.match(uri):
            remedy = "It is a folder, file:///folder, or s3://bucket/prefix of any S3; nothing else is read."
            raise SettingsInvalid("LAKE_URI", uri, remedy)
        return uri

    @field_validator("s3_endpoint_url")
    @classmethod
    def _is_a_host(cls, url: str | None) -> str | None:
        """Checks for a host and a port; whatever stands behind them would be lost."""
        parts = urlsplit(url or "")
        if parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None:
            remedy = "It ends after host and port, such as http://127.0.0.1:9000; the bucket is in LAKE_URI."
            raise SettingsInvalid("LAKE_S3_ENDPOINT_URL", url, remedy)
        return url

    @field_validator("uri", "catalog")
    @classmethod
    def _is_a_name_that_means_itself(cls, place: str, info: ValidationInfo) -> str:
        """Returns a folder's whole path: `[a]`, `*` and `?` would be other folders too, and other lakes."""
        kind, _, target = place.partition(":")
        if place.startswith("s3://") or kind == "postgres":
            return place
        name = f"LAKE_{str(info.field_name).upper()}"
        try:
            path = str(absolute(Path(target if kind == "sqlite" else place)))
        except RuntimeError as error:  # `~somebody`, whom this machine does not know
            raise SettingsInvalid(name, place, f"{shown(error)}") from None
        if _leads_in_a_circle(path):
            raise SettingsInvalid(name, place, "It is a link that leads to itself.")
        if not is_possible(Path(path)):
            remedy = f"A path has at most {LONGEST_PATH} bytes, {LONGEST_NAME} a name."
            raise SettingsInvalid(name, place, remedy)
        if found := PATTERN.search(path):
            who = "Airflow" if found.group() == "$" else "DuckDB"
            remedy = (
                f"{who} takes {shown(repr(found.group()))} in it for more than a name. Set CANOPY_HOME to a "
                "folder whose path has none of [ ] * ? $ \\ and no line end, or give that one another name."
            )
            raise SettingsInvalid(name, place, remedy)
        return place

    @field_validator("catalog")
    @classmethod
    def _has_a_kind_that_is_read(cls, catalog: str) -> str:
        kind, _, target = catalog.partition(":")
        path = target.strip().lstrip("/")
        if kind == "sqlite" and target.startswith("//") and path and "@" not in path:
            remedy = (
                f"It is sqlite:PATH, with no slashes before the path: sqlite:/{path} from the root on, or "
                f"sqlite:{path} in the working folder."
            )
            raise SettingsInvalid("LAKE_CATALOG", catalog, remedy)
        if kind not in KINDS or not target.strip() or target.startswith("//"):
            remedy = (
                "It is sqlite:PATH, or postgres: and a connection string of libpq, such as "
                "postgres:host=… dbname=… user=…, with the password in a file that PGPASSFILE names."
            )
            raise SettingsInvalid("LAKE_CATALOG", f"{kind}:…", remedy)
        return catalog

    @field_validator("memory_limit")
    @classmethod
    def _is_memory(cls, limit: str) -> str:
        found = MEMORY.fullmatch(limit.strip())
        held = float(found["number"]) * UNITS[found["unit"].upper()] if found else 0
        if not LEAST_MEMORY <= held <= MOST_MEMORY:
            raise SettingsInvalid(
                "LAKE_MEMORY_LIMIT",
                limit,
                "It is a number with its unit, such as 4GB or 512MiB, 64MB at least and 1024TB at most.",
            )
        return limit.strip()

    @property
    def is_s3(self) -> bool:
        """Returns whether the objects live in an S3 service."""
        return self.uri.startswith("s3://")

    @property
    def root(self) -> str:
        """Returns the URI without a trailing slash; a folder becomes absolute."""
        return self.uri.rstrip("/") if self.is_s3 else str(absolute(Path(self.uri)))

    @property
    def catalog_kind(self) -> str:
        """Returns `sqlite` or `postgres`."""
        return self.catalog.partition(":")[0]

    @property
    def catalog_shown(self) -> str:
        """Returns the catalog as it can be shown: where a file is; of PostgreSQL not how one gets in."""
        return (
            f"sqlite:{self.catalog_target}" if self.catalog_kind == "sqlite" else "the catalog in PostgreSQL"
        )

    @property
    def catalog_target(self) -> str:
        """Returns what follows the kind: an absolute path, or a connection string."""
        target = self.catalog.partition(":")[2]
        return str(absolute(Path(target))) if self.catalog_kind == "sqlite" else target


def _leads_in_a_circle(path: str) -> bool:
    try:
        Path(path).stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False
