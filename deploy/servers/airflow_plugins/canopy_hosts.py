"""Puts the rule of who may ask in front of Airflow's API server and pages."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from contracts.hosts import HostGuard, allowed_hosts
from contracts.stack_settings import StackSettings
from deploy.access.tries import TryLimit


class CanopyHosts(AirflowPlugin):
    """Airflow loads it from the folder of plugins."""

    name = "canopy_hosts"
    fastapi_root_middlewares = [  # noqa: RUF012
        {
            "name": "Who may ask",
            "middleware": HostGuard,
            "args": [],
            "kwargs": {"allowed": allowed_hosts(StackSettings().allowed_hosts)},
        },
        {"name": "Limits of tries", "middleware": TryLimit, "args": [], "kwargs": {}},
    ]
