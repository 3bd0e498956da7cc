"""What the local stack needs to know: folders, ports, pace."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from contracts.errors import SettingsInvalid
from contracts.plain_files import absolute
from contracts.settings import Port
from contracts.shared_settings import GroupSettings, HostsSettings, MonitorUrlSettings

PROJECT = Path(__file__).resolve().parent.parent


class StackSettings(HostsSettings, GroupSettings, MonitorUrlSettings):
    """Settings with the prefix `CANOPY_`; read once at the edge and passed down.

    Attributes:
        home: Everything that the local stack writes lies below this folder.
        rows: A file of rows for the simulator; unset, rows are generated.
        window_s: How long the simulator serves one batch, in seconds.
        collect_every_s: How often Airflow polls the source, in seconds.
        source_port: Port of the simulator; every part listens on 127.0.0.1 only.
        airflow_port: Port of Airflow's API server and UI.
        mlflow_port: Port of the MLflow server.
        serving_port: Port of the prediction service.
        serving_key_file: An API key for the commands; the prediction service writes one on its first start.
        ui_port: Port of the Streamlit UI.
        docs_port: Port of the documentation, with dbt's and the audits' pages.
        monitor_port: Port of the monitor: alerts and metrics.
        s3_port: Port of the stack's object store (`canopy up --stack`).
        s3_console_port: Port of that store's own pages.
        keep_runs_days: How long Airflow keeps what it has written down of its runs, and their logs.
        start_timeout_s: How long all parts together may take to become healthy, in seconds.
    """

    model_config = SettingsConfigDict(env_prefix="CANOPY_")

    home: Path = Path(".canopy")
    source_url: str | None = Field(default=None, validation_alias="SOURCE_URL")  # unset: the simulator
    rows: Path | None = None
    window_s: float = Field(default=300.0, gt=0)
    collect_every_s: float = Field(default=300.0, gt=0)
    source_port: Port = 8010
    airflow_port: Port = 8080
    mlflow_port: Port = 5000
    serving_port: Port = 8000
    serving_key_file: Path | None = None
    ui_port: Port = 8501
    docs_port: Port = 8088
    monitor_port: Port = 9108
    s3_port: Port = 9000
    s3_console_port: Port = 9001
    keep_runs_days: float = Field(default=30.0, ge=1)
    start_timeout_s: float = Field(default=180.0, ge=0)

    @field_validator("home")
    @classmethod
    def _is_a_folder_of_its_own(cls, home: Path) -> Path:
        if absolute(home) == Path("/"):
            remedy = "It is to be a folder of its own, not all of the machine, such as ~/canopy."
            raise SettingsInvalid("CANOPY_HOME", str(home), remedy)
        return home

    @model_validator(mode="after")
    def _check_ports_differ(self) -> Self:
        """Checks that ports differ: the second part to start would only say so after minutes."""
        held: dict[int, str] = {}
        for name in type(self).model_fields:
            if name.endswith("_port"):
                port = getattr(self, name)
                if port in held:
                    other = f"CANOPY_{held[port].upper()}"
                    raise SettingsInvalid(
                        f"CANOPY_{name.upper()}",
                        port,
                        f"{other} is the same. Set one of them to another port.",
                    )
                held[port] = name
        return self

    @property
    def is_simulated(self) -> bool:
        """Returns whether the source is this stack's own simulator."""
        return self.source_url in (None, f"http://127.0.0.1:{self.source_port}")

    @property
    def key_file(self) -> Path:
        """Returns where the commands find their API key."""
        return self.serving_key_file or self.folder / "predict.key"

    @property
    def folder(self) -> Path:
        """Returns the home folder as an absolute path."""
        return absolute(self.home)

    @property
    def pages_folder(self) -> Path:
        """Returns where the documentation's pages are built."""
        return self.folder / "site" / "pages"

    @property
    def dbt_docs_folder(self) -> Path:
        """Returns where dbt's description of the tables is written."""
        return self.folder / "site" / "dbt"
