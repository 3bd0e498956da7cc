"""What the local stack needs to know: folders, ports, pace."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT = Path(__file__).resolve().parent.parent


class StackSettings(BaseSettings):
    """Settings with the prefix `CANOPY_`; read once at the edge and passed down.

    Attributes:
        home: Everything that the local stack writes lies below this folder.
        source_url: A real source; unset, the simulator is started (`SOURCE_URL`).
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
        s3_port: Port of the stack's object store (`canopy up --stack`).
        s3_console_port: Port of that store's own pages.
        start_timeout_s: How long all parts together may take to become healthy, in seconds.
    """

    model_config = SettingsConfigDict(
        env_prefix="CANOPY_", env_file=".env", extra="ignore", frozen=True, populate_by_name=True
    )

    home: Path = Path(".canopy")
    source_url: str | None = Field(default=None, validation_alias="SOURCE_URL")
    rows: Path | None = None
    window_s: float = 300.0
    collect_every_s: float = 300.0
    source_port: int = 8010
    airflow_port: int = 8080
    mlflow_port: int = 5000
    serving_port: int = 8000
    serving_key_file: Path | None = None
    ui_port: int = 8501
    docs_port: int = 8088
    s3_port: int = 9000
    s3_console_port: int = 9001
    start_timeout_s: float = 180.0

    @property
    def is_simulated(self) -> bool:
        """Whether the source is this stack's own simulator."""
        return self.source_url in (None, f"http://127.0.0.1:{self.source_port}")

    @property
    def key_file(self) -> Path:
        """Where the commands find their API key."""
        return self.serving_key_file or self.folder / "predict.key"

    @property
    def folder(self) -> Path:
        """The home folder as an absolute path."""
        return self.home.expanduser().resolve()

    @property
    def pages_folder(self) -> Path:
        """Where the documentation's pages are built."""
        return self.folder / "site" / "pages"

    @property
    def dbt_docs_folder(self) -> Path:
        """Where dbt's description of the tables is written."""
        return self.folder / "site" / "dbt"
