"""The parts of the local stack: what is started, where it listens, how its health is asked for."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from contracts.stack_settings import PROJECT, StackSettings
from deploy.local.environment import local
from deploy.secrets import READER, SERVING, TRAINING, part_secrets
from deploy.sees import SEES

MONITOR = "monitor"


@dataclass(frozen=True)
class Part:
    """One process of the stack.

    Attributes:
        name: As in `canopy status` and in the log's file name.
        title: What a person calls it.
        command: Program and arguments.
        port: Where it listens on 127.0.0.1, or None.
        setting: The setting that moves the port.
        health: Address that answers 200 when the part is well.
        component: Where one page tells of several parts: which of them this is.
        after: The part that must be well before this one is started, or None.
        sees: The settings that it may see, beside what any program needs of this machine.
        secrets: The files of secrets that it needs.
    """

    name: str
    title: str
    command: tuple[str, ...]
    health: str
    port: int | None = None
    setting: str = ""
    component: str | None = None
    after: str | None = None
    sees: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()

    @property
    def url(self) -> str | None:
        """The part's address, or None where it has none."""
        return local(self.port) if self.port else None


def parts(settings: StackSettings) -> list[Part]:
    """All parts in the order in which they are started."""
    source = [_source(settings)] if settings.is_simulated else []
    return [
        *source,
        _mlflow(settings),
        *_airflow(settings),
        _serving(settings),
        _ui(settings),
        _docs(settings),
        _monitor(settings),
    ]


def _source(settings: StackSettings) -> Part:
    return Part(
        name="source",
        title="Source (simulator)",
        command=(sys.executable, "-m", "source.simulator"),
        port=settings.source_port,
        setting="CANOPY_SOURCE_PORT",
        health=f"{local(settings.source_port)}/",
        sees=SEES["source"],
    )


def _mlflow(settings: StackSettings) -> Part:
    home, port = settings.folder / "mlflow", settings.mlflow_port
    server = (
        sys.executable,
        "-m",
        "deploy.servers.mlflow_server",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    )
    stores = (
        *("--backend-store-uri", f"sqlite:///{home}/mlflow.sqlite"),
        *("--artifacts-destination", str(home / "artifacts")),
        *("--workers", "1"),
    )
    return Part(
        name="mlflow",
        title="MLflow",
        command=(*server, *stores),
        port=port,
        setting="CANOPY_MLFLOW_PORT",
        health=f"{local(port)}/health",
        sees=SEES["mlflow"],
        secrets=(str(part_secrets(settings.folder, "mlflow")),),
    )


def _airflow(settings: StackSettings) -> list[Part]:
    port = settings.airflow_port
    health = f"{local(port)}/api/v2/monitor/health"
    airflow = (sys.executable, "-m", "airflow")
    api_server = (sys.executable, "-m", "deploy.servers.airflow_api_server")
    return [
        Part(
            name="airflow-api",
            title="Airflow",
            command=(*api_server, "--host", "127.0.0.1", "--port", str(port)),
            port=port,
            setting="CANOPY_AIRFLOW_PORT",
            health=health,
            sees=SEES["airflow-api"],
            secrets=(str(part_secrets(settings.folder, "airflow")),),
        ),
        Part(
            name="airflow-dag-processor",
            title="Airflow's DAG processor",
            command=(*airflow, "dag-processor"),
            health=health,
            component="dag_processor",
            sees=SEES["airflow-dag-processor"],
            secrets=(str(part_secrets(settings.folder, "airflow")),),
        ),
        Part(
            name="airflow-triggerer",
            title="Airflow's triggerer",
            command=(*airflow, "triggerer", "--skip-serve-logs"),
            health=health,
            component="triggerer",
            sees=SEES["airflow-triggerer"],
            secrets=(str(part_secrets(settings.folder, "airflow")),),
        ),
        Part(
            name="airflow-scheduler",
            title="Airflow's scheduler",
            command=(sys.executable, "-m", "deploy.servers.airflow_scheduler", "--skip-serve-logs"),
            health=health,
            component="scheduler",
            after="airflow-api",  # a task that starts before the API answers fails
            sees=SEES["airflow-scheduler"],
            secrets=(
                str(part_secrets(settings.folder, "airflow")),
                str(part_secrets(settings.folder, TRAINING)),
            ),
        ),
    ]


def _serving(settings: StackSettings) -> Part:
    return Part(
        name="serving",
        title="Prediction service",
        command=(sys.executable, "-m", "serving"),
        port=settings.serving_port,
        setting="CANOPY_SERVING_PORT",
        health=f"{local(settings.serving_port)}/live",
        sees=SEES["serving"],
        secrets=(str(part_secrets(settings.folder, SERVING)),),
    )


def _ui(settings: StackSettings) -> Part:
    streamlit = (sys.executable, "-m", "streamlit", "run", str(PROJECT / "ui" / "server.py"))
    return Part(
        name="ui",
        title="UI",
        command=(*streamlit, "--server.address", "127.0.0.1", "--server.port", str(settings.ui_port)),
        port=settings.ui_port,
        setting="CANOPY_UI_PORT",
        health=f"{local(settings.ui_port)}/_stcore/health",
        sees=SEES["ui"],
        secrets=(str(part_secrets(settings.folder, READER)),),
    )


def _docs(settings: StackSettings) -> Part:
    port = settings.docs_port
    return Part(
        name="docs",
        title="Documentation",
        command=(sys.executable, "-m", "deploy.site.serve", "--port", str(port)),
        port=port,
        setting="CANOPY_DOCS_PORT",
        health=f"{local(port)}/live",
        sees=SEES["docs"],
    )


def _monitor(settings: StackSettings) -> Part:
    port = settings.monitor_port
    return Part(
        name=MONITOR,
        title="Monitor",
        command=(sys.executable, "-m", "deploy.monitor", "--port", str(port)),
        port=port,
        setting="CANOPY_MONITOR_PORT",
        health=f"{local(port)}/live",
        sees=SEES[MONITOR],
        secrets=(str(part_secrets(settings.folder, READER)),),
    )
