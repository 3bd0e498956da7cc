"""Where the prediction service listens, whom it follows, what it accepts, and whose requests."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServingSettings(BaseSettings):
    """Settings with the prefix `SERVING_`; read once at the edge and passed down.

    Attributes:
        host: Address to listen on.
        port: Port to listen on.
        workers: Processes that answer on the same port.
        mlflow_url: The registry: an MLflow server, or any tracking URI that MLflow accepts.
        model_name: The registered model.
        alias: The alias whose version answers.
        shadow_alias: Alias of a version that is asked too and never answers, such as challenger.
        poll_s: Seconds between two looks at the alias.
        cache: Folder of the models that answered last; serving starts from it while MLflow is away.
        keys: The file of API keys, hashed.
        predict_key_file: A key with the scope predict in plain; made on the first start, or adopted.
        admin_key_file: A key with all scopes in plain; made on the first start, or adopted.
        rate_limit: Requests of one key, such as 1000/second or 600/minute.
        rate_storage: Where they are counted: memory:// for each worker alone, or a redis:// that all share.
        request_timeout_s: Seconds in which the whole body of a request must have come.
        row_limit: Rows that one JSON request may hold.
        body_limit_bytes: Bytes that one JSON request may hold.
        batch_row_limit: Rows that one file may hold.
        batch_body_limit_bytes: Bytes that one file may hold.
        batches_at_once: Files that one worker answers side by side; a further one waits.
        rare_rows: A category that the model has learned from fewer rows than this is flagged as rare.
        spool: Folder in which predictions wait for the lake.
        log_write_s: Seconds after which a reply is on disk; as much is lost if the process is killed.
        log_ship_s: Seconds between two Parquet files for the lake.
    """

    model_config = SettingsConfigDict(env_prefix="SERVING_", env_file=".env", extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = Field(default=1, ge=1)
    mlflow_url: str = "http://127.0.0.1:5000"
    model_name: str = "canopy-covertype"
    alias: str = "champion"
    shadow_alias: str | None = None
    poll_s: float = Field(default=5.0, gt=0)
    cache: Path = Path(".canopy/models")
    keys: Path = Path(".canopy/keys.json")
    predict_key_file: Path = Path(".canopy/predict.key")
    admin_key_file: Path = Path(".canopy/admin.key")
    rate_limit: str = "1000/second"
    rate_storage: str = "memory://"
    request_timeout_s: float = Field(default=30.0, gt=0)
    row_limit: int = Field(default=1000, ge=1)
    body_limit_bytes: int = Field(default=1_048_576, ge=1024)
    batch_row_limit: int = Field(default=2_000_000, ge=1)
    batch_body_limit_bytes: int = Field(default=268_435_456, ge=1024)
    batches_at_once: int = Field(default=1, ge=1)
    rare_rows: int = Field(default=20, ge=0)
    spool: Path = Path(".canopy/spool")
    log_write_s: float = Field(default=0.2, gt=0, le=1)
    log_ship_s: float = Field(default=30.0, gt=0)
