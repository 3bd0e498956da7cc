"""Where the parts of the stack in containers are found, and with which passwords."""

from __future__ import annotations

from rich.table import Table

from contracts.stack_settings import StackSettings
from deploy.local.environment import local
from deploy.secrets import USER


def addresses(settings: StackSettings) -> Table:
    """Returns a table for a person; passwords are named by their file, not shown."""
    secrets = settings.folder / "secrets"
    rows = [
        ("UI", local(settings.ui_port), ""),
        ("Prediction service", local(settings.serving_port), f"key: {secrets}/serving_predict_key"),
        ("Airflow", local(settings.airflow_port), f"user {USER}: {secrets}/airflow_passwords.json"),
        ("MLflow", local(settings.mlflow_port), f"user reader: {secrets}/reader.env"),
        ("Docs", local(settings.docs_port), ""),
        ("Monitor", f"{local(settings.monitor_port)}/alerts", "what is wrong now"),
        ("MinIO", local(settings.s3_console_port), f"user {USER}: {secrets}/s3_password"),
    ]
    table = Table("Part", "Address", "Sign in with")
    for row in rows:
        table.add_row(*row)
    return table
