"""The registry of models: MLflow, as far as training needs it."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from clients.mlflow import MlflowApi, Version
from contracts.errors import ModelMissing, VersionMissing
from contracts.model_artefact import MODEL_FILE, Tag
from contracts.outside import shown
from contracts.version_signature import DIGEST_TAG, MAY_TAG, SIGNATURE_TAG, May, sign, statement
from training.fit.artefact import Artefact
from training.promote.signature import require_registered, require_signed
from training.settings import TrainingSettings

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

logger = logging.getLogger(__name__)

Found = TypeVar("Found")

# Nothing is sent to anybody, and what is printed stays the caller's.
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


class Registry:
    """One registered model on one MLflow server."""

    def __init__(self, settings: TrainingSettings) -> None:
        """Connects.

        Raises: ServiceUnavailable if the server does not answer.
        """
        # MLflow's own client would try for minutes before it says that nobody is there.
        MlflowApi(settings.mlflow_url, settings.model_name).check()
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        import mlflow

        mlflow.set_tracking_uri(settings.mlflow_url)
        mlflow.set_registry_uri(settings.mlflow_url)
        self.model_name = settings.model_name
        self._settings = settings
        self.client: MlflowClient = mlflow.MlflowClient(settings.mlflow_url, settings.mlflow_url)

    def with_alias(self, alias: str) -> Version | None:
        """Returns the version that bears this alias."""
        found = if_present(self.client.get_model_version_by_alias, self.model_name, alias)
        return None if found is None else _version(found)

    def version(self, number: int) -> Version:
        """Returns the version with this number. Raises: VersionMissing, naming those that there are."""
        found = if_present(self.client.get_model_version, self.model_name, str(number))
        if found is None:
            known = [version.number for version, _ in self.all_versions()]
            raise VersionMissing(self.model_name, number, known)
        return _version(found)

    def newest(self) -> Version | None:
        """Returns the version that was registered last."""
        found = self.client.search_model_versions(
            f"name = '{self.model_name}'", max_results=1, order_by=["version_number DESC"]
        )
        return _version(found[0]) if found else None

    def of_snapshot(self, snapshot_id: int) -> Version | None:
        """Returns the newest version that learned from this snapshot."""
        wanted = f"name = '{self.model_name}' and tags.snapshot_id = '{snapshot_id}'"
        found = [_version(item) for item in self.client.search_model_versions(wanted)]
        return max(found, key=lambda version: version.number, default=None)

    def all_versions(self) -> list[tuple[Version, tuple[str, ...]]]:
        """Returns every version with its aliases, newest first."""
        model = if_present(self.client.get_registered_model, self.model_name)
        if model is None:
            return []
        found = [_version(item) for item in self._pages()]
        return [
            (
                version,
                tuple(
                    sorted(name for name, number in model.aliases.items() if int(number) == version.number)
                ),
            )
            for version in sorted(found, key=lambda version: -version.number)
        ]

    def cited_snapshots(self) -> set[int]:
        """Returns every snapshot that a version says it has learned from."""
        return {int(item.tags[Tag.SNAPSHOT_ID]) for item in self._pages() if Tag.SNAPSHOT_ID in item.tags}

    def fetch(self, version: Version) -> Artefact:
        """Downloads and loads a version's ONNX model.

        Raises: ModelMissing if its file is gone or cannot be loaded.
        """
        return self.load(version, self.download(version))

    def load(self, version: Version, content: bytes) -> Artefact:
        """Loads what was downloaded of a version. Raises: ModelMissing if it cannot be loaded."""
        try:
            return Artefact(content)
        except Exception as error:  # ONNX Runtime has its own
            raise self._unloadable(version, error) from error

    def download(self, version: Version) -> bytes:
        """Downloads a version's ONNX model without loading it. Raises: ModelMissing if it is gone."""
        from mlflow.artifacts import download_artifacts

        uri = f"models:/{self.model_name}/{version.number}/{MODEL_FILE}"
        with tempfile.TemporaryDirectory() as folder:
            try:
                return Path(download_artifacts(artifact_uri=uri, dst_path=folder)).read_bytes()
            except Exception as error:  # MLflow and the network each have their own
                raise self._unloadable(version, error) from error

    def download_signed(self, version: Version, *may: May) -> bytes:
        """Returns the same of a version of which the gate has signed that it may answer, or one of what is
        given.

        Raises: ModelMissing if it has not, if the file is gone, or if it is not the one that was registered.
        """
        content = self.download(version)
        require_signed(self._settings, version, content, *may)
        return content

    def _unloadable(self, version: Version, error: Exception) -> ModelMissing:
        return ModelMissing(self.model_name, f"version {version.number} cannot be loaded ({error})")

    def register(self, model_uri: str, tags: Mapping[str, str]) -> Version:
        """Makes a logged model the newest version; its tags are there from the first moment."""
        import mlflow

        return _version(mlflow.register_model(model_uri, self.model_name, tags=dict(tags)))

    def tag(self, version: Version, tags: Mapping[str, str]) -> None:
        """Adds tags to a version."""
        for name, value in tags.items():
            self.client.set_model_version_tag(self.model_name, str(version.number), name, value)

    def sign(self, version: Version, may: May) -> None:
        """Signs what a version may do, after looking at its bytes; without a key nothing is signed.

        Raises: ModelMissing if its file is gone, or is not the one that was registered.
        """
        key = self._settings.gate_key
        if key is None:
            return
        content, snapshot = self.download(version), version.tags.get(Tag.SNAPSHOT_ID)
        digest = hashlib.sha256(content).hexdigest()
        if DIGEST_TAG in version.tags:
            require_registered(self._settings, version, content)
        said = statement(self.model_name, str(version.number), digest, snapshot, may)
        signature = sign(key.get_secret_value(), said)
        self.tag(version, {DIGEST_TAG: digest, MAY_TAG: may, SIGNATURE_TAG: signature})

    def point(self, alias: str, number: int) -> None:
        """Moves an alias to a version."""
        self.client.set_registered_model_alias(self.model_name, alias, str(number))

    def keep(self, version: Version, name: str, document: Mapping[str, Any]) -> None:
        """Keeps a JSON document beside a version's run."""
        self.client.log_dict(version.run_id, dict(document), name)

    def model_tags(self) -> dict[str, str]:
        """Returns the tags of the registered model itself; none while there is none."""
        model = if_present(self.client.get_registered_model, self.model_name)
        return {} if model is None else dict(model.tags)

    def tag_model(self, tags: Mapping[str, str]) -> None:
        """Adds tags to the registered model."""
        for name, value in tags.items():
            self.client.set_registered_model_tag(self.model_name, name, value)

    def untag_model(self, name: str) -> None:
        """Takes a tag away from the registered model."""
        self.client.delete_registered_model_tag(self.model_name, name)

    def runs(self, experiment: str) -> Iterator[Run]:
        """Yields every run of an experiment that has ended; none while there is no such experiment."""
        found = self.client.get_experiment_by_name(experiment)
        token = None
        while found:
            page = self.client.search_runs(
                [found.experiment_id], "attributes.status != 'RUNNING'", page_token=token
            )
            yield from page
            if not (token := page.token):
                return

    def forget(self, version: Version) -> None:
        """Removes a version's entry; its run and its files stay."""
        self.client.delete_model_version(self.model_name, str(version.number))

    def forget_run(self, run_id: str, experiment_id: str) -> None:
        """Removes a run with its files and those of its models.

        MLflow keeps the run's row, as deleted: `mlflow gc`, which wants the database's own password, takes it
        away. Files that lie elsewhere than where the server puts a run's stay: whoever may write runs can
        name any place for them.
        """
        models = self.client.search_logged_models([experiment_id], f"source_run_id = '{run_id}'")
        for model in models:
            _remove_files(model.artifact_location, f"{experiment_id}/models/{model.model_id}/artifacts")
            self.client.delete_logged_model(model.model_id)
        _remove_files(self.client.get_run(run_id).info.artifact_uri, f"{experiment_id}/{run_id}/artifacts")
        self.client.delete_run(run_id)

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


def _remove_files(uri: str, place: str) -> None:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    if uri != f"mlflow-artifacts:/{place}":
        logger.warning("files_left uri=%s reason=%r", shown(uri), "the server would have put them elsewhere")
        return
    files: Any = get_artifact_repository(uri)
    files.delete_artifacts()


def _version(item: ModelVersion) -> Version:
    created_at = datetime.fromtimestamp((item.creation_timestamp or 0) / 1000, UTC)
    return Version(int(item.version), item.run_id or "", dict(item.tags), created_at)


def if_present(ask: Callable[..., Found], *given: str) -> Found | None:
    """Returns what MLflow's client answers; None if its server says that there is no such thing."""
    from mlflow.exceptions import MlflowException

    try:
        return ask(*given)
    except MlflowException as error:
        # The server answers INVALID_PARAMETER_VALUE for an alias that the model does not have.
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        return None
