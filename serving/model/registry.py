"""The model registry: which version bears an alias, and its files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts.errors import ServiceUnavailable
from serving.model.version import Version

if TYPE_CHECKING:
    from mlflow import MlflowClient

# MLflow reads these from the environment only. Its own defaults repeat a request for minutes, which
# would hide for as long that the registry is away.
MLFLOW_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
NOT_THERE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


class Registry:
    """MLflow's model registry.

    MLflow is imported on the first call: it takes 3 s and 110 MB, and the service is up before that.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._opened: MlflowClient | None = None

    def version_with(self, name: str, alias: str) -> Version | None:
        """The version of a model that bears an alias, or None where there is none.

        Raises: ServiceUnavailable if MLflow does not answer.
        """
        try:
            found = self._client.get_model_version_by_alias(name, alias)
        except Exception as error:  # MLflow lets errors of its stores and of its HTTP client through
            if getattr(error, "error_code", None) in NOT_THERE:
                return None
            raise self._away(error) from error
        return _version(found, alias)

    def download(self, version: Version, folder: Path) -> Path:
        """Brings the files of a version into a folder, and says where in it they lie.

        Raises: ServiceUnavailable if they cannot be had.
        """
        try:
            # A models:/name/version URI would be looked up in MLflow's process-wide default registry.
            uri = self._client.get_model_version_download_uri(version.name, version.number)
            from mlflow.artifacts import download_artifacts

            return Path(
                download_artifacts(
                    artifact_uri=uri, dst_path=str(folder), tracking_uri=self.url, registry_uri=self.url
                )
            )
        except Exception as error:  # as above
            raise self._away(error) from error

    @property
    def _client(self) -> MlflowClient:
        if self._opened is None:
            for name, value in MLFLOW_ENVIRONMENT.items():
                os.environ.setdefault(name, value)
            from mlflow import MlflowClient

            self._opened = MlflowClient(tracking_uri=self.url, registry_uri=self.url)
        return self._opened

    def _away(self, error: Exception) -> ServiceUnavailable:
        return ServiceUnavailable("MLflow", self.url, _innermost(error))


def _innermost(error: BaseException) -> str:
    """What went wrong first; MLflow and urllib3 wrap a refused connection four times over."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def _version(found: Any, alias: str) -> Version:
    return Version(
        name=found.name,
        number=str(found.version),
        alias=alias,
        source=found.source,
        created_at_ms=found.creation_timestamp,
        tags=dict(found.tags),
    )
