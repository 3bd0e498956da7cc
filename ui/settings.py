"""Where the UI finds the other parts."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from contracts.mlflow_settings import MlflowSettings
from contracts.settings import Address
from contracts.shared_settings import DriftSettings, HostsSettings, MonitorUrlSettings, ServicesSettings

TIMEOUT_S = 5.0  # one request to another part


class UiSettings(MlflowSettings, DriftSettings, ServicesSettings, HostsSettings, MonitorUrlSettings):
    """Settings with the prefix `UI_`; read once at the edge and passed down.

    Attributes:
        serving_key_file: An API key with the scope predict; the service writes one on its first start.
        mlflow_link: Where a browser finds MLflow, if that is another address.
        airflow_link: Where a browser finds Airflow, if that is another address.
        docs_url: The documentation of the tables, as a link.
        question_timeout_s: How long a query on the lake's page may take, and how long it waits for others.
        question_memory_mb: What DuckDB may hold for one query.
        question_answer_mb: How large the answer of one query may be.
        questions_at_once: How many queries run at a time, whoever asks.
        upload_memory_mb: What may be taken to read one uploaded file.
        upload_timeout_s: How long it may take to read one uploaded file.
    """

    model_config = SettingsConfigDict(env_prefix="UI_")

    serving_key_file: Path = Path(".canopy/predict.key")
    mlflow_link: Address | None = None
    airflow_link: Address | None = None
    docs_url: Address = "http://127.0.0.1:8088"
    question_timeout_s: float = Field(default=10.0, gt=0)
    question_memory_mb: int = Field(default=1_000, ge=100)
    question_answer_mb: int = Field(default=16, ge=1)
    questions_at_once: int = Field(default=2, ge=1, le=256)
    upload_memory_mb: int = Field(default=1_500, ge=500)
    upload_timeout_s: float = Field(default=30.0, gt=0)

    @property
    def mlflow_page(self) -> str:
        """Returns where a browser finds MLflow."""
        return self.mlflow_link or self.mlflow_url

    @property
    def airflow_page(self) -> str:
        """Returns where a browser finds Airflow."""
        return self.airflow_link or self.airflow_url
