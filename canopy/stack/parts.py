"""The parts of the local stack: what is started, where it listens, how its health is asked for."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from canopy.settings import PROJECT, StackSettings
from canopy.stack.environment import local


@dataclass(frozen=True)
class Part:
    """One process of the stack.

    Attributes:
        name: As in `canopy status` and in the log's file name.
        title: What a person calls it.
        command: Program and arguments.
        port: Where it listens on 127.0.0.1, or None.
        setting: The setting that moves the port.
        health: Path that answers 200 when the part is well, or None.
    """

    name: str
    title: str
    command: tuple[str, ...]
    port: int | None = None
    setting: str = ""
    health: str | None = None

    @property
    def url(self) -> str | None:
        """The part's address, or None where it has none."""
        return local(self.port) if self.port else None


def parts(settings: StackSettings) -> list[Part]:
    """All parts in the order in which they are started."""
    python = sys.executable
    started = [
        _mlflow(settings),
        *_airflow(settings),
        Part(
            "serving",
            "Prediction service",
            (python, "-m", "serving"),
            settings.serving_port,
            "CANOPY_SERVING_PORT",
            "/live",
        ),
        _ui(settings),
        Part(
            "docs",
            "dbt docs",
            (
                python,
                "-m",
                "http.server",
                "--bind",
                "127.0.0.1",
                "--directory",
                str(settings.folder / "site"),
                str(settings.docs_port),
            ),
            settings.docs_port,
            "CANOPY_DOCS_PORT",
            "/",
        ),
    ]
    if settings.is_simulated:
        simulator = (python, "-m", "source.simulator")
        started.insert(
            0,
            Part("source", "Source (simulator)", simulator, settings.source_port, "CANOPY_SOURCE_PORT", "/"),
        )
    return started


def _mlflow(settings: StackSettings) -> Part:
    home = settings.folder / "mlflow"
    command = (
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--host",
        "127.0.0.1",
        "--port",
        str(settings.mlflow_port),
        "--backend-store-uri",
        f"sqlite:///{home}/mlflow.sqlite",
        "--artifacts-destination",
        str(home / "artifacts"),
        "--workers",
        "1",
    )
    return Part("mlflow", "MLflow", command, settings.mlflow_port, "CANOPY_MLFLOW_PORT", "/health")


def _airflow(settings: StackSettings) -> list[Part]:
    airflow = (sys.executable, "-m", "airflow")
    api = (*airflow, "api-server", "--host", "127.0.0.1", "--port", str(settings.airflow_port))
    return [
        Part(
            "airflow-api",
            "Airflow",
            api,
            settings.airflow_port,
            "CANOPY_AIRFLOW_PORT",
            "/api/v2/monitor/health",
        ),
        Part("airflow-scheduler", "Airflow scheduler", (*airflow, "scheduler", "--skip-serve-logs")),
        Part("airflow-dag-processor", "Airflow DAG processor", (*airflow, "dag-processor")),
        Part("airflow-triggerer", "Airflow triggerer", (*airflow, "triggerer", "--skip-serve-logs")),
    ]


def _ui(settings: StackSettings) -> Part:
    command = (
        sys.executable,
        "-m",
        "streamlit",
        "run",
        str(PROJECT / "ui" / "app.py"),
        "--server.address",
        "127.0.0.1",
        "--server.port",
        str(settings.ui_port),
        "--server.headless",
        "true",
        "--browser.gatherUsageStats",
        "false",
        "--server.fileWatcherType",
        "none",
    )
    return Part("ui", "UI", command, settings.ui_port, "CANOPY_UI_PORT", "/_stcore/health")
