"""What dbt's profile reads: the lake's settings as environment variables."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from contracts.plain_files import absolute
from lake.catalog.connection import TABLES
from lake.catalog.extensions import extension_directory
from lake.settings import LakeSettings

PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"
STATE = Path(".canopy/dbt")


def dbt_environment(settings: LakeSettings, state: Path = STATE) -> dict[str, str]:
    """Returns every variable that `dbt_project/profiles.yml` and dbt itself need; all paths are absolute.

    Args:
        settings: Where the lake is.
        state: Where dbt keeps its target and its logs, outside the source tree.
    """
    state = absolute(state)
    return {
        "DBT_PROJECT_DIR": str(PROJECT),
        "DBT_PROFILES_DIR": str(PROJECT),
        "DBT_TARGET_PATH": str(state / "target"),
        "DBT_LOG_PATH": str(state / "logs"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_ENV_SECRET_LAKE_CATALOG": f"{settings.catalog_kind}:{settings.catalog_target}",
        "LAKE_ROOT": settings.root,
        "LAKE_DATA_PATH": f"{settings.root}/{TABLES}/",
        "LAKE_JOURNAL_MODE": "WAL" if settings.catalog_kind == "sqlite" else "None",
        "LAKE_EXTENSION_DIRECTORY": str(extension_directory()),
        "LAKE_THREADS": str(settings.threads),
        "LAKE_MEMORY_LIMIT": settings.memory_limit,
        "LAKE_DBT_TARGET": "s3" if settings.is_s3 else "folder",
    } | (_s3(settings) if settings.is_s3 else {})


def _s3(settings: LakeSettings) -> dict[str, str]:
    secret = settings.s3_secret_access_key
    variables = {
        "DBT_ENV_SECRET_LAKE_S3_KEY_ID": settings.s3_access_key_id or "",
        "DBT_ENV_SECRET_LAKE_S3_SECRET": secret.get_secret_value() if secret else "",
        "LAKE_S3_REGION": settings.s3_region,
    }
    if settings.s3_endpoint_url:
        address = urlsplit(settings.s3_endpoint_url)
        variables |= {
            "LAKE_S3_ENDPOINT": address.netloc,
            "LAKE_S3_URL_STYLE": "path",
            "LAKE_S3_USE_SSL": str(address.scheme == "https").lower(),
        }
    return variables
