"""Where the prediction service listens, whom it follows, what it accepts, and whose requests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from contracts.errors import SettingsInvalid
from contracts.mlflow_settings import MlflowSettings
from contracts.plain_files import absolute
from contracts.settings import Port
from contracts.shared_settings import HostsSettings

if TYPE_CHECKING:
    from limits import RateLimitItem


class ServingSettings(MlflowSettings, HostsSettings):
    """Settings with the prefix `SERVING_`; read once at the edge and passed down.

    Attributes:
        host: Address to listen on.
        port: Port to listen on.
        workers: Processes that answer on the same port.
        alias: The alias whose version answers.
        shadow_alias: Alias of a version that is asked too and never answers, such as challenger.
        gate_key: The public key of the training gate, in base64: versions that it has not signed are refused.
            Without one none is checked; `canopy up` sets it.
        poll_s: Seconds between two checks of the alias.
        cache: Folder of the models that answered last; serving starts from it while MLflow is away.
        keys: The file of API keys, hashed.
        predict_key_file: A key with the scope predict in plain; made on the first start, or adopted.
        admin_key_file: A key with all scopes in plain; made on the first start, or adopted.
        rate_limit: Requests of one key, such as 1000/second or 600/minute.
        rate_storage: Where they are counted: memory:// for each worker alone, or a redis:// that all share.
        request_timeout_s: Seconds in which the whole body of a request must have come.
        head_timeout_s: Seconds in which the head of a request must have come.
        connection_limit: Callers of one worker at once; idle ones make room, and further ones get 503.
        row_limit: Rows that one JSON request may hold.
        body_limit_bytes: Bytes that one JSON request may hold.
        batch_row_limit: Rows that one file may hold.
        batch_body_limit_bytes: Bytes that one file may hold.
        batches_at_once: Files that one worker answers side by side; a further one waits.
        rare_rows: A category that the model has learned from fewer rows than this is flagged as rare.
        spool: Folder in which predictions wait for the lake.
        spool_limit_bytes: Bytes that may lie there; beyond them the newest predictions are not kept.
        log_write_s: Seconds after which a reply is on disk; as much is lost if the process is killed.
        log_ship_s: Seconds between two Parquet files for the lake.
    """

    model_config = SettingsConfigDict(env_prefix="SERVING_")

    host: str = "127.0.0.1"
    port: Port = 8000
    workers: int = Field(default=1, ge=1, le=256)
    alias: str = "champion"
    shadow_alias: str | None = None
    gate_key: str | None = None
    poll_s: float = Field(default=5.0, gt=0)
    cache: Path = Path(".canopy/models")
    keys: Path = Path(".canopy/keys.json")
    predict_key_file: Path = Path(".canopy/predict.key")
    admin_key_file: Path = Path(".canopy/admin.key")
    rate_limit: str = "1000/second"
    rate_storage: str = "memory://"
    request_timeout_s: float = Field(default=30.0, gt=0)
    head_timeout_s: float = Field(default=10.0, gt=0)
    connection_limit: int = Field(default=1000, ge=1)
    row_limit: int = Field(default=1000, ge=1)
    body_limit_bytes: int = Field(default=1_048_576, ge=1024)
    batch_row_limit: int = Field(default=2_000_000, ge=1)
    batch_body_limit_bytes: int = Field(default=268_435_456, ge=1024)
    batches_at_once: int = Field(default=1, ge=1, le=256)
    rare_rows: int = Field(default=20, ge=0)
    spool: Path = Path(".canopy/spool")
    spool_limit_bytes: int = Field(default=2_147_483_648, ge=1_048_576)
    log_write_s: float = Field(default=0.2, gt=0, le=1)
    log_ship_s: float = Field(default=30.0, gt=0)

    @field_validator("rate_limit")
    @classmethod
    def _is_a_rate(cls, rate: str) -> str:
        rate_of(rate)
        return rate

    @property
    def work_folder(self) -> Path:
        """Returns where what is on its way lies, such as a file that is being answered: beside the spool."""
        return absolute(self.spool).with_name("serving-work")


def rate_of(text: str) -> RateLimitItem:
    """Returns how many requests in which time. Raises: SettingsInvalid."""
    from limits import parse  # a command that sets none does without it

    try:
        return parse(text)
    except ValueError:
        raise SettingsInvalid("SERVING_RATE_LIMIT", text, "It is like 1000/second or 600/minute.") from None
