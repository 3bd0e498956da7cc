"""Where the prediction service listens, whom it follows, and what it accepts."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServingSettings(BaseSettings):
    """Settings with the prefix `SERVING_`; read once at the edge and passed down.

    Attributes:
        host: Address to listen on.
        port: Port to listen on.
        mlflow_url: The registry: an MLflow server, or any tracking URI that MLflow accepts.
        model_name: The registered model.
        alias: The alias whose version answers.
        poll_s: Seconds between two looks at the alias.
        cache: Folder of the models that answered last; serving starts from it while MLflow is away.
        row_limit: Rows that one request may hold.
        body_limit_bytes: Bytes that one request may hold.
    """

    model_config = SettingsConfigDict(env_prefix="SERVING_", env_file=".env", extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    port: int = 8000
    mlflow_url: str = "http://127.0.0.1:5000"
    model_name: str = "canopy-covertype"
    alias: str = "champion"
    poll_s: float = Field(default=5.0, gt=0)
    cache: Path = Path(".canopy/models")
    row_limit: int = Field(default=1000, ge=1)
    body_limit_bytes: int = Field(default=1_048_576, ge=1024)
