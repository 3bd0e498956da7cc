"""MLflow's REST API, as far as it is read: versions of a registered model, aliases, files of a run.

MLflow's own package takes three seconds to import: training, which writes, has it, and who reads has this.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

import httpx

from clients.calls import ask, json_of, save, understood
from contracts.errors import ModelMissing, ServiceUnavailable
from contracts.model_artefact import CHAMPION

PART = "MLflow"
TIMEOUT_S = 10.0
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOT_THERE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")  # the second for an alias
SERVED, ARTEFACTS = "mlflow-artifacts:", "/api/2.0/mlflow-artifacts/artifacts"

Parameters = Mapping[str, str | int]


@dataclass(frozen=True)
class Version:
    """One version of the registered model.

    Attributes:
        number: Counts from 1.
        run_id: The run that made it.
        tags: What training wrote, by `contracts.model_artefact.Tag`.
        created_at: When it was registered, UTC. A registry that was started anew counts from 1 again.
        aliases: Such as `champion`, where they were asked for.
        source: Where its files lie, in MLflow's words.
    """

    number: int
    run_id: str
    tags: Mapping[str, str]
    created_at: datetime = EPOCH
    aliases: tuple[str, ...] = ()
    source: str = ""

    def score(self, name: str) -> float | None:
        """Returns a number among the tags, or None where it is missing or is no number."""
        try:
            return float(self.tags[name])
        except (KeyError, ValueError):
            return None


class MlflowApi:
    """Reads one registered model of an MLflow server."""

    def __init__(
        self,
        url: str,
        model_name: str,
        *,
        account: tuple[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._url, self._model_name = url.rstrip("/"), model_name
        self._account, self._timeout_s = account, timeout_s

    def check(self) -> None:
        """Looks whether the server is up. Raises: ServiceUnavailable."""
        response = self._ask("/health")
        if not response.is_success:
            raise self._unavailable(response)

    def versions(self, limit: int) -> list[Version]:
        """Returns the newest versions with their aliases, newest first.

        Raises: ModelMissing if none is registered; ServiceUnavailable if MLflow does not answer.
        """
        aliases = self._aliases()
        wanted: Parameters = {"filter": f"name='{self._model_name}'", "order_by": "version_number DESC"}
        found = self._get("model-versions/search", {**wanted, "max_results": limit}, "model_versions")
        if not found:
            raise ModelMissing(self._model_name, "no version is registered")
        return [self._version(entry, aliases) for entry in found]

    def version(self, number: int) -> Version:
        """Returns one version.

        Raises: ModelMissing if there is no such one; ServiceUnavailable if MLflow does not answer.
        """
        aliases = self._aliases()
        wanted: Parameters = {"name": self._model_name, "version": number}
        found = self._get("model-versions/get", wanted, "model_version")
        if found is None:
            raise ModelMissing(self._model_name, f"there is no version {number}")
        return self._version(found, aliases)

    def with_alias(self, alias: str = CHAMPION) -> Version | None:
        """Returns the version that bears an alias; None where none does. Raises: ServiceUnavailable."""
        wanted: Parameters = {"name": self._model_name, "alias": alias}
        found = self._get("registered-models/alias", wanted, "model_version")
        return None if found is None else self._version(found, {alias: found.get("version")})

    def champion(self) -> Version:
        """Returns the version that serving answers with.

        Raises: ModelMissing if none is promoted; ServiceUnavailable if MLflow does not answer.
        """
        number = self._aliases().get(CHAMPION)
        if number is None:
            raise ModelMissing(self._model_name, f"no version bears the alias {CHAMPION}")
        return self.version(int(number))

    def artefact(self, run_id: str, path: str) -> bytes | None:
        """Returns a file that a run logged, or None where it has none. Raises: ServiceUnavailable."""
        response = self._ask("/get-artifact", {"run_uuid": run_id, "path": path})
        return response.content if response.is_success else None

    def download(self, number: int, folder: Path) -> Path:
        """Brings the files of a version into a folder, through MLflow's own server.

        Returns: The folder.
        Raises: ServiceUnavailable if they cannot be had.
        """
        wanted: Parameters = {"name": self._model_name, "version": number}
        found = self._get("model-versions/get-download-uri", wanted, "artifact_uri")
        if found is None:
            raise ServiceUnavailable(PART, self._url, f"it has no version {number} any more")
        place = str(found)
        if not place.startswith(SERVED):
            raise ServiceUnavailable(PART, self._url, f"it does not give out files itself, but names {place}")
        self._bring(place.removeprefix(SERVED).strip("/"), folder)
        return folder

    def _bring(self, place: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        response = self._ask(ARTEFACTS, {"path": place})
        if not response.is_success:
            raise self._unavailable(response)
        with understood(PART, response):
            files = [(str(file["path"]), bool(file["is_dir"])) for file in json_of(PART, response)["files"]]
        for path, is_folder in files:
            name = PurePosixPath(path).name  # what lies elsewhere is not asked for
            if name in ("", ".."):
                raise ServiceUnavailable(PART, self._url, f"it names a file {path!r}")
            if is_folder:
                self._bring(f"{place}/{name}", folder / name)
            else:
                url = f"{self._url}{ARTEFACTS}/{quote(f'{place}/{name}')}"
                save(PART, url, folder / name, timeout_s=self._timeout_s, auth=self._account)

    def _aliases(self) -> dict[str, Any]:
        """Returns the registered model's aliases and their versions; the search does not always carry
        them."""
        found = self._get("registered-models/get", {"name": self._model_name}, "registered_model")
        if found is None:
            raise ModelMissing(self._model_name, "MLflow has no such registered model")
        return {entry["alias"]: entry["version"] for entry in found.get("aliases", [])}

    def _get(self, path: str, parameters: Parameters, name: str) -> Any:
        """Returns what the registry answers under a name; None where it says that there is no such thing."""
        response = self._ask(f"/api/2.0/mlflow/{path}", parameters)
        if response.is_client_error and any(word in response.text for word in NOT_THERE):
            return None
        if not response.is_success:
            raise self._unavailable(response)
        with understood(PART, response):
            return dict(json_of(PART, response)).get(name, {})

    def _ask(self, path: str, parameters: Parameters | None = None) -> httpx.Response:
        return ask(
            PART,
            "GET",
            self._url + path,
            timeout_s=self._timeout_s,
            params=parameters,
            auth=self._account,
        )

    def _unavailable(self, response: httpx.Response) -> ServiceUnavailable:
        return ServiceUnavailable(PART, self._url, f"it answered {response.status_code}")

    def _version(self, entry: Mapping[str, Any], aliases: Mapping[str, Any]) -> Version:
        try:
            number = int(entry["version"])
            return Version(
                number=number,
                run_id=str(entry.get("run_id", "")),
                tags={tag["key"]: tag["value"] for tag in entry.get("tags", [])},
                created_at=datetime.fromtimestamp(int(entry["creation_timestamp"]) / 1000, UTC),
                aliases=tuple(sorted(alias for alias, version in aliases.items() if int(version) == number)),
                source=str(entry.get("source", "")),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            reason = f"its answer is not understood ({type(error).__name__})"
            raise ServiceUnavailable(PART, self._url, reason) from error
