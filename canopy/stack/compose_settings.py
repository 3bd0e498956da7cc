"""What the stack's init job needs to know."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic_settings import BaseSettings, SettingsConfigDict


class InitSettings(BaseSettings):
    """Settings with the prefix `INIT_`; read once at the edge and passed down.

    Attributes:
        secrets: Folder of the secrets that the job works with.
        s3_endpoint_url: The store.
        s3_accounts: How the store is told of users: `minio` (its own way), `iam` (policies as Amazon's IAM
            takes them, for users that are there) or `none` (somebody else does it).
        s3_root_user: The store's administrator.
        lake_bucket: The bucket of the lake.
        artefact_bucket: The bucket of MLflow's artefacts.
        postgres_host: Where PostgreSQL answers.
        mysql_host: Where MySQL answers.
    """

    model_config = SettingsConfigDict(env_prefix="INIT_", env_file=".env", extra="ignore", frozen=True)

    secrets: Path = Path("/run/secrets")
    s3_endpoint_url: str = "http://minio:9000"
    s3_accounts: Literal["minio", "iam", "none"] = "minio"
    s3_root_user: str = "canopy"
    lake_bucket: str = "lake"
    artefact_bucket: str = "mlflow"
    postgres_host: str = "postgres"
    mysql_host: str = "mysql"
