"""Limits which settings each service sees, on both stacks, to those that it reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

MARK, NAME = "CANOPY_STACK", "SUPERVISOR_PROCESS_NAME"
# What any program may need of the machine it runs on. Nothing of Canopy's, nothing of another project's.
MACHINE = (
    *("HOME", "LANG", "LANGUAGE", "LC_*", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER"),
    *("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    *("all_proxy", "http_proxy", "https_proxy", "no_proxy"),
    *("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE", "XDG_*"),
    *("MALLOC_*", "OMP_NUM_THREADS", "OPENBLAS_*", "PYTHONDONTWRITEBYTECODE", "PYTHONWARNINGS"),
    *("DO_NOT_TRACK", "ORT_DISABLE_TELEMETRY", MARK, NAME),
)
# What sets up the programs underneath: they are told by Canopy, and never by another project's variables.
UNDERNEATH = (
    *("AIRFLOW_*", "_AIRFLOW_*", "DBT_*", "GUNICORN_*", "GX_*", "MLFLOW_*", "STREAMLIT_*", "UVICORN_*"),
    "WEB_CONCURRENCY",
)
# What decides which code a program runs: a shell's own matter, and never that of a line in a folder's file.
CODE = ("BASH_ENV", "DOCKER_CONFIG", "ENV", "GCONV_PATH", "GIT_*", "LD_*", "OPENSSL_*", "PYTHON*")
HOSTS = "CANOPY_ALLOWED_HOSTS"
LAKE = "LAKE_*"
REGISTRY = ("TRAINING_MLFLOW_URL", "TRAINING_MODEL_NAME")
AIRFLOW = ("AIRFLOW_*", "CANOPY_*")
ASKS_MLFLOW = ("MLFLOW_DISABLE_TELEMETRY", "MLFLOW_HTTP_*", "GIT_PYTHON_REFRESH")
# Whoever parses the DAGs also calls back when a run of one has failed.
DAGS = (*AIRFLOW, LAKE, "ALERT_*", "DBT_*", "TRAINING_APPROVAL")
TASKS = (*DAGS, *ASKS_MLFLOW, "AUDIT_*", "GX_*", "SOURCE_*", "TRAINING_*")
# Where a source is and what it is told in confidence is nothing to who only looks at what lands.
LANDS = tuple(f"SOURCE_*{name}" for name in ("NAME", "NAMES", "GROUPS", "WINDOW_S", "RECHECK_S", "INCOMING"))

# By part; a name with a `*` in it stands for all that match.
SEES: dict[str, tuple[str, ...]] = {
    "source": ("SIMULATOR_*", HOSTS),
    "mlflow": ("MLFLOW_AUTH_CONFIG_PATH", "MLFLOW_S3_*", "MLFLOW_SERVER_*", *ASKS_MLFLOW, HOSTS),
    "airflow-api": AIRFLOW,
    "airflow-dag-processor": DAGS,
    "airflow-triggerer": AIRFLOW,
    "airflow-scheduler": TASKS,
    "serving": ("SERVING_*", *REGISTRY, LAKE, HOSTS),
    "ui": ("UI_*", "CANOPY_MONITOR_URL", *REGISTRY, "STREAMLIT_*", "AUDIT_DRIFT_PSI_WARNING", LAKE, HOSTS),
    "docs": ("CANOPY_*", "AUDIT_FOLDER"),
    "monitor": (
        *("MONITOR_*", "ALERT_*", "CANOPY_*", LAKE, *LANDS),
        *("SERVING_CACHE", "SERVING_SPOOL", "UI_SERVING_URL", "UI_AIRFLOW_*", *REGISTRY),
        # Where things are put away.
        *("AUDIT_FOLDER", "TRAINING_CACHE", "SERVING_KEYS", "SERVING_*_KEY_FILE"),
    ),
}
# Only the stack in containers has these.
CONTAINERS = SEES | {
    "airflow-worker": TASKS,
    "analyst": (LAKE,),
    "door": ("CANOPY_*",),
    "init": (*AIRFLOW, *ASKS_MLFLOW, LAKE, "INIT_*", "TRAINING_MODEL_NAME"),
}
# What is said of this machine is nothing to a container.
PLACES = ("CANOPY_HOME", "CANOPY_GROUP", "HOME", "PATH", "SHELL", "TMPDIR", "XDG_*")


def chosen(given: Mapping[str, str]) -> dict[str, str]:
    """Returns what of a person's environment is handed on: nothing that sets up the programs underneath."""
    return {name: value for name, value in given.items() if not _is_among(name, UNDERNEATH)}


def chosen_of_file(given: Mapping[str, str]) -> dict[str, str]:
    """Returns what of `.env` is taken: it may be another project's."""
    return {name: value for name, value in chosen(given).items() if not _is_among(name, CODE)}


def seen(environment: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Returns what of an environment a part may see: what is named, and what any program needs."""
    allowed = (*MACHINE, *names)
    return {name: value for name, value in environment.items() if _is_among(name, allowed)}


def seen_in_container(given: Mapping[str, str], service: str) -> dict[str, str]:
    """Returns what of a person's settings a service of compose.yaml may see."""
    found = seen(chosen(given), CONTAINERS[service])
    return {name: value for name, value in found.items() if not _is_among(name, PLACES)}


def _is_among(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
