"""Where the UI finds the other parts."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class UiSettings(BaseSettings):
    """Settings with the prefix `UI_`; read once at the edge and passed down.

    Attributes:
        serving_url: The prediction service.
        serving_key_file: An API key with the scope predict; the service writes one on its first start.
        mlflow_url: The MLflow server, for its REST API and as a link.
        mlflow_link: Where a browser finds MLflow, if that is another address.
        mlflow_username: Who asks MLflow, where it wants to know; MLflow's own variable.
        mlflow_password: The password of that account; MLflow's own variable.
        airflow_url: Airflow's API server, for its REST API and as a link.
        airflow_link: Where a browser finds Airflow, if that is another address.
        airflow_username: Who asks Airflow for the last runs.
        airflow_password_file: JSON object of user to password, as SimpleAuthManager writes it; without
            it the pages link to Airflow and show no runs.
        docs_url: The documentation of the tables, as a link.
        model_name: The registered model.
        port: Where `canopy` has Streamlit listen.
        timeout_s: How long one request to another part may take.
        refresh_s: How often an open pipeline page looks again.
    """

    model_config = SettingsConfigDict(
        env_prefix="UI_", env_file=".env", extra="ignore", frozen=True, protected_namespaces=()
    )

    serving_url: str = "http://127.0.0.1:8000"
    serving_key_file: Path = Path(".canopy/predict.key")
    mlflow_url: str = "http://127.0.0.1:5000"
    mlflow_link: str | None = None
    mlflow_username: str | None = Field(default=None, validation_alias="MLFLOW_TRACKING_USERNAME")
    mlflow_password: SecretStr | None = Field(default=None, validation_alias="MLFLOW_TRACKING_PASSWORD")
    airflow_url: str = "http://127.0.0.1:8080"
    airflow_link: str | None = None
    airflow_username: str = "admin"
    airflow_password_file: Path | None = None
    docs_url: str = "http://127.0.0.1:8088"
    model_name: str = "canopy-covertype"
    port: int = 8501
    timeout_s: float = 5.0
    refresh_s: float = 5.0

    @property
    def mlflow_page(self) -> str:
        """Where a browser finds MLflow."""
        return self.mlflow_link or self.mlflow_url

    @property
    def airflow_page(self) -> str:
        """Where a browser finds Airflow."""
        return self.airflow_link or self.airflow_url

    @property
    def mlflow_auth(self) -> tuple[str, str] | None:
        """Who asks MLflow, as httpx takes it; None where nobody wants to know."""
        if self.mlflow_username is None or self.mlflow_password is None:
            return None
        return self.mlflow_username, self.mlflow_password.get_secret_value()
