"""Where MLflow is, which model is in it, and who asks: for every part that asks it."""

from __future__ import annotations

from pydantic import Field, SecretStr

from contracts.settings import Address, Settings


class MlflowSettings(Settings):
    """The registry; the settings of each part that asks it have these as well.

    Attributes:
        mlflow_url: The MLflow server that keeps runs and models, and gives out the files of its models.
        model_name: The registered model, which serving follows.
        mlflow_username: Who asks MLflow, where it wants to know.
        mlflow_password: The password of that account.
    """

    mlflow_url: Address = Field(default="http://127.0.0.1:5000", validation_alias="TRAINING_MLFLOW_URL")
    model_name: str = Field(default="canopy-covertype", validation_alias="TRAINING_MODEL_NAME")
    mlflow_username: str | None = Field(default=None, validation_alias="MLFLOW_TRACKING_USERNAME")
    mlflow_password: SecretStr | None = Field(default=None, validation_alias="MLFLOW_TRACKING_PASSWORD")

    @property
    def mlflow_account(self) -> tuple[str, str] | None:
        """Returns name and password, as httpx takes them; None where nobody wants to know."""
        if self.mlflow_username is None or self.mlflow_password is None:
            return None
        return self.mlflow_username, self.mlflow_password.get_secret_value()
