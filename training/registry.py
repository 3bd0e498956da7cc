"""The registry of models: MLflow, as far as training needs it."""

from __future__ import annotations

import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts.errors import ModelMissing, ServiceUnavailable
from training.artefact import Artefact
from training.settings import TrainingSettings

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION = "champion"
CHALLENGER = "challenger"
PREVIOUS = "previous"
HEALTH_TIMEOUT_S = 10

# Nothing is sent to anybody, and what is printed stays the caller's.
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


@dataclass(frozen=True)
class Version:
    """One registered version of the model.

    Attributes:
        number: Counts from 1.
        run_id: The run that made it.
        tags: Where it comes from, how it scored, what was decided about it.
    """

    number: int
    run_id: str
    tags: Mapping[str, str]


class Registry:
    """One registered model on one MLflow server."""

    def __init__(self, settings: TrainingSettings) -> None:
        """Connects.

        Raises: ServiceUnavailable if the server does not answer.
        """
        _require_health(settings.mlflow_url)
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        import mlflow

        mlflow.set_tracking_uri(settings.mlflow_url)
        mlflow.set_registry_uri(settings.mlflow_url)
        self.model_name = settings.model_name
        self.client: MlflowClient = mlflow.MlflowClient(settings.mlflow_url, settings.mlflow_url)

    def with_alias(self, alias: str) -> Version | None:
        """The version that bears this alias."""
        from mlflow.exceptions import MlflowException

        try:
            return _version(self.client.get_model_version_by_alias(self.model_name, alias))
        except MlflowException as error:
            _require_absent(error)
            return None

    def version(self, number: int) -> Version:
        """The version with this number.

        Raises: ModelMissing.
        """
        from mlflow.exceptions import MlflowException

        try:
            return _version(self.client.get_model_version(self.model_name, str(number)))
        except MlflowException as error:
            _require_absent(error)
            raise ModelMissing(self.model_name, f"the registry has no version {number}") from error

    def newest(self) -> Version | None:
        """The version that was registered last."""
        found = self.client.search_model_versions(
            f"name = '{self.model_name}'", max_results=1, order_by=["version_number DESC"]
        )
        return _version(found[0]) if found else None

    def of_snapshot(self, snapshot_id: int) -> Version | None:
        """The newest version that learned from this snapshot."""
        wanted = f"name = '{self.model_name}' and tags.snapshot_id = '{snapshot_id}'"
        found = [_version(item) for item in self.client.search_model_versions(wanted)]
        return max(found, key=lambda version: version.number, default=None)

    def all_versions(self) -> list[tuple[Version, tuple[str, ...]]]:
        """Every version with its aliases, newest first."""
        from mlflow.exceptions import MlflowException

        try:
            aliases = self.client.get_registered_model(self.model_name).aliases
        except MlflowException as error:
            _require_absent(error)
            return []
        found = [_version(item) for item in self._pages()]
        return [
            (
                version,
                tuple(sorted(name for name, number in aliases.items() if int(number) == version.number)),
            )
            for version in sorted(found, key=lambda version: -version.number)
        ]

    def cited_snapshots(self) -> set[int]:
        """Every snapshot that a version says it has learned from."""
        return {int(item.tags["snapshot_id"]) for item in self._pages() if "snapshot_id" in item.tags}

    def fetch(self, version: Version) -> Artefact:
        """Downloads and loads a version's ONNX model.

        Raises: ModelMissing if its file is gone or cannot be loaded.
        """
        from mlflow.artifacts import download_artifacts

        uri = f"models:/{self.model_name}/{version.number}/model.onnx"
        with tempfile.TemporaryDirectory() as folder:
            try:
                return Artefact(Path(download_artifacts(artifact_uri=uri, dst_path=folder)).read_bytes())
            except Exception as error:  # MLflow, the network and ONNX Runtime each have their own
                reason = f"version {version.number} cannot be loaded ({error})"
                raise ModelMissing(self.model_name, reason) from error

    def register(self, model_uri: str, tags: Mapping[str, str]) -> Version:
        """Makes a logged model the newest version; its tags are there from the first moment."""
        import mlflow

        return _version(mlflow.register_model(model_uri, self.model_name, tags=dict(tags)))

    def tag(self, version: Version, tags: Mapping[str, str]) -> None:
        """Adds tags to a version."""
        for name, value in tags.items():
            self.client.set_model_version_tag(self.model_name, str(version.number), name, value)

    def point(self, alias: str, number: int) -> None:
        """Moves an alias to a version."""
        self.client.set_registered_model_alias(self.model_name, alias, str(number))

    def keep(self, version: Version, name: str, document: Mapping[str, Any]) -> None:
        """Keeps a JSON document beside a version's run."""
        self.client.log_dict(version.run_id, dict(document), name)

    def model_tags(self) -> dict[str, str]:
        """Tags of the registered model itself; none while there is none."""
        from mlflow.exceptions import MlflowException

        try:
            return dict(self.client.get_registered_model(self.model_name).tags)
        except MlflowException as error:
            _require_absent(error)
            return {}

    def tag_model(self, tags: Mapping[str, str]) -> None:
        """Adds tags to the registered model."""
        for name, value in tags.items():
            self.client.set_registered_model_tag(self.model_name, name, value)

    def untag_model(self, name: str) -> None:
        """Takes a tag away from the registered model."""
        self.client.delete_registered_model_tag(self.model_name, name)

    def _pages(self) -> Iterator[ModelVersion]:
        token = None
        while True:
            page = self.client.search_model_versions(f"name = '{self.model_name}'", page_token=token)
            yield from page
            if not (token := page.token):
                return

    def unpoint(self, alias: str) -> None:
        """Takes an alias away from whichever version bears it."""
        self.client.delete_registered_model_alias(self.model_name, alias)


def _version(item: ModelVersion) -> Version:
    return Version(int(item.version), item.run_id or "", dict(item.tags))


def _require_absent(error: Exception) -> None:
    # The server answers INVALID_PARAMETER_VALUE for an alias that the model does not have.
    code = getattr(error, "error_code", "")
    if code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
        raise error


def _require_health(url: str) -> None:
    # MLflow's own client would try for minutes before it says that nobody is there.
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=HEALTH_TIMEOUT_S):  # noqa: S310
            return
    except (OSError, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise ServiceUnavailable("MLflow", url, str(reason)) from error
