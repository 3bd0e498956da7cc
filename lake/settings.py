"""Where the lake keeps its objects and its catalog."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.errors import SettingsInvalid


class LakeSettings(BaseSettings):
    """Settings with the prefix `LAKE_`; read once at the edge and passed down.

    Attributes:
        uri: A folder, or `s3://bucket/prefix` of any S3.
        catalog: `sqlite:PATH` (one writer, embedded) or `postgres:CONNECTION STRING`.
        s3_endpoint_url: The service's address where it is not Amazon's, such as `http://127.0.0.1:9000`.
        s3_access_key_id: Access key, with `s3_secret_access_key`.
        s3_secret_access_key: Secret of the access key.
        s3_region: Region name; S3 look-alikes accept any.
        memory_limit: What one DuckDB connection may use, in DuckDB's spelling.
        threads: Threads of one DuckDB connection.
        keep_snapshots_days: How long every snapshot can be read; published and cited ones longer.
        keep_files_hours: How long a file stays that no snapshot needs; longer than any reader takes.
    """

    model_config = SettingsConfigDict(env_prefix="LAKE_", env_file=".env", extra="ignore", frozen=True)

    uri: str = ".canopy/lake"
    catalog: str = "sqlite:.canopy/catalog.sqlite"
    s3_endpoint_url: str | None = None
    s3_access_key_id: str | None = None
    s3_secret_access_key: SecretStr | None = None
    s3_region: str = "us-east-1"
    memory_limit: str = "4GB"
    threads: int = 2
    keep_snapshots_days: float = Field(default=7.0, ge=0)
    keep_files_hours: float = Field(default=24.0, ge=0)

    @property
    def is_s3(self) -> bool:
        """Whether the objects live in an S3 service."""
        return self.uri.startswith("s3://")

    @property
    def root(self) -> str:
        """The URI without a trailing slash; a folder becomes absolute."""
        return self.uri.rstrip("/") if self.is_s3 else str(Path(self.uri).expanduser().resolve())

    @property
    def catalog_kind(self) -> str:
        """`sqlite` or `postgres`.

        Raises: SettingsInvalid for any other catalog.
        """
        kind = self.catalog.partition(":")[0]
        if kind not in ("sqlite", "postgres"):
            raise SettingsInvalid("LAKE_CATALOG", self.catalog, "It is sqlite:PATH or postgres:dbname=….")
        return kind

    @property
    def catalog_target(self) -> str:
        """What follows the kind: an absolute path, or a connection string."""
        target = self.catalog.partition(":")[2]
        return str(Path(target).expanduser().resolve()) if self.catalog_kind == "sqlite" else target
