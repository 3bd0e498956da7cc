"""The parts of the local stack: what is started, where it listens, how its health is asked for."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

import httpx

from contracts.stack_settings import StackSettings
from deploy.local.environment import local
from deploy.secrets import READER, SERVING, TRAINING, part_secrets
from deploy.sees import SEES

MONITOR = "monitor"


@dataclass(frozen=True)
class Service:
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
        """Returns the part's address, or None where it has none."""
        return local(self.port) if self.port else None


def health_problem(answer: httpx.Response, component: str | None) -> str | None:
    """Returns what is wrong with the answer of a part's page of health; None if nothing is."""
    if not answer.is_success:
        return f"it answers {answer.status_code}"
    if not component:
        return None
    try:
        status = answer.json()[component]["status"]
    except (ValueError, LookupError, TypeError):  # a page that is not all there yet
        return f"its page of health does not tell of {component}"
    return None if status == "healthy" else f"{component} is {status}"


def parts(settings: StackSettings) -> list[Service]:
    """Returns all parts in the order in which they are started."""
    source = _part(settings, "source", "Source (simulator)", "/", "source.simulator")
    return [
        *([source] if settings.is_simulated else []),
        _mlflow(settings),
        *_airflow(settings),
        _part(settings, "serving", "Prediction service", "/live", "serving", secrets=(SERVING,)),
        _part(
            settings, "ui", "UI", "/_stcore/health",
            *("ui", "--server.address", "127.0.0.1", "--server.port", str(settings.ui_port)),
            secrets=(READER,),
        ),
        _part(
            settings, "docs", "Documentation", "/live",
            *("deploy.site.serve", "--port", str(settings.docs_port)),
        ),
        _part(
            settings, MONITOR, "Monitor", "/live",
            *("deploy.monitor", "--port", str(settings.monitor_port)), secrets=(READER,),
        ),
    ]  # fmt: skip


def _mlflow(settings: StackSettings) -> Service:
    home = settings.folder / "mlflow"
    return _part(
        settings, "mlflow", "MLflow", "/health",
        *("deploy.servers.mlflow_server", "--host", "127.0.0.1", "--port", str(settings.mlflow_port)),
        *("--backend-store-uri", f"sqlite:///{home}/mlflow.sqlite"),
        *("--artifacts-destination", str(home / "artifacts"), "--workers", "1"), secrets=("mlflow",),
    )  # fmt: skip


def _airflow(settings: StackSettings) -> list[Service]:
    """Describes its API, and three parts that one page of it tells of."""
    path, own, port = "/api/v2/monitor/health", ("airflow",), str(settings.airflow_port)
    server = ("deploy.servers.airflow_api_server", "--host", "127.0.0.1", "--port", port)
    others = [
        _part(
            settings, "airflow-dag-processor", "Airflow's DAG processor", path,
            *("airflow", "dag-processor"), secrets=own, component="dag_processor",
        ),
        _part(
            settings, "airflow-triggerer", "Airflow's triggerer", path,
            *("airflow", "triggerer", "--skip-serve-logs"), secrets=own, component="triggerer",
        ),
        _part(
            settings, "airflow-scheduler", "Airflow's scheduler", path,
            *("deploy.servers.airflow_scheduler", "--skip-serve-logs"), secrets=(*own, TRAINING),
            component="scheduler", after="airflow-api",  # a task that starts before the API answers fails
        ),
    ]  # fmt: skip
    api = _part(settings, "airflow-api", "Airflow", path, *server, secrets=own)
    return [api, *(replace(part, port=None, setting="") for part in others)]


def _part(
    settings: StackSettings,
    name: str,
    title: str,
    path: str,
    *module: str,
    secrets: tuple[str, ...] = (),
    component: str | None = None,
    after: str | None = None,
) -> Service:
    """Describes a part that is a module of Python's, whose health this path of its port tells."""
    port_name = f"{name.partition('-')[0]}_port"
    port: int = getattr(settings, port_name)
    files = tuple(str(part_secrets(settings.folder, one)) for one in secrets)
    command, health = (sys.executable, "-m", *module), f"{local(port)}{path}"
    setting = f"CANOPY_{port_name.upper()}"
    return Service(name, title, command, health, port, setting, component, after, SEES[name], files)
