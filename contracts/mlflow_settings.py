"""Who asks MLflow, where it wants to know: for every part that asks it."""

from __future__ import annotations

from pydantic import Field, SecretStr

from contracts.settings import Settings


class MlflowSettings(Settings):
    """MLflow's own variables; the settings of a part that asks it have these two as well.

    Attributes:
        mlflow_username: Who asks MLflow, where it wants to know.
        mlflow_password: The password of that account.
    """

    mlflow_username: str | None = Field(default=None, validation_alias="MLFLOW_TRACKING_USERNAME")
    mlflow_password: SecretStr | None = Field(default=None, validation_alias="MLFLOW_TRACKING_PASSWORD")

    @property
    def mlflow_account(self) -> tuple[str, str] | None:
        """Name and password, as httpx takes them; None where nobody wants to know."""
        if self.mlflow_username is None or self.mlflow_password is None:
            return None
        return self.mlflow_username, self.mlflow_password.get_secret_value()
