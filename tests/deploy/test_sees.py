"""What of a person's environment reaches the parts: nothing that sets up the programs underneath."""

from __future__ import annotations

import pytest

from deploy.sees import CONTAINERS, SEES, chosen, seen, seen_in_container

OF_OTHERS = (
    *("WEB_CONCURRENCY", "UVICORN_PORT", "GUNICORN_CMD_ARGS", "FORWARDED_ALLOW_IPS"),
    *(
        "MLFLOW_DEFAULT_ARTIFACT_ROOT",
        "MLFLOW_TRACKING_TOKEN",
        "MLFLOW_S3_ENDPOINT_URL",
        "MLFLOW_HTTP_REQUEST_TIMEOUT",
    ),
    *("STREAMLIT_SERVER_BASE_URL_PATH", "STREAMLIT_SERVER_PORT"),
    *(
        "AIRFLOW__CORE__EXECUTOR",
        "AIRFLOW_HOME",
        "_AIRFLOW_WWW_USER_PASSWORD",
        "_PIP_ADDITIONAL_REQUIREMENTS",
    ),
    *("DBT_FULL_REFRESH", "DBT_PROFILES_DIR", "GX_CLOUD_ACCESS_TOKEN"),
    *(
        "PYTHONPATH",
        "PYTHONHOME",
        "PYTHONSTARTUP",
        "LD_PRELOAD",
        "VIRTUAL_ENV",
        "AWS_PROFILE",
        "DATABASE_URL",
    ),
)


@pytest.mark.parametrize("part", CONTAINERS)
def test_no_part_is_told_anything_by_another_project(part: str) -> None:
    given = dict.fromkeys(OF_OTHERS, "theirs") | {"CANOPY_GROUP": "ours", "LAKE_URI": "ours"}
    assert "theirs" not in seen_in_container(given, part).values()
    if part in SEES:
        assert "theirs" not in seen(chosen(given), SEES[part]).values()
