"""The model registry and its runs, over MLflow's REST API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from clients.calls import ask, ask_json, json_of, understood
from contracts.errors import ModelMissing, ServiceUnavailable
from ui.settings import UiSettings

PART = "MLflow"
CHAMPION = "champion"
VERSIONS_SHOWN = 50


@dataclass(frozen=True)
class Version:
    """One version of the registered model.

    Attributes:
        number: Counts from 1.
        run_id: The run that made it.
        created_at: When it was registered, UTC.
        aliases: Such as `champion`.
        tags: What training wrote: scores, rows, snapshot, contract, code.
    """

    number: int
    run_id: str
    created_at: datetime
    aliases: tuple[str, ...]
    tags: Mapping[str, str]

    def score(self, name: str) -> float | None:
        """A number among the tags, or None where it is missing or is no number."""
        try:
            return float(self.tags[name])
        except (KeyError, ValueError):
            return None


def versions(settings: UiSettings) -> list[Version]:
    """The newest versions with their aliases, newest first.

    Raises: ModelMissing if none is registered; ServiceUnavailable if MLflow does not answer.
    """
    aliases = _aliases(settings)
    found = _get(
        settings,
        "model-versions/search",
        filter=f"name='{settings.model_name}'",
        max_results=VERSIONS_SHOWN,
        order_by="version_number DESC",
    )
    entries = found.get("model_versions", [])
    if not entries:
        raise ModelMissing(settings.model_name, "no version is registered")
    return [_version(entry, aliases) for entry in entries]


def version(settings: UiSettings, number: int) -> Version:
    """One version.

    Raises: ModelMissing if there is no such one; ServiceUnavailable if MLflow does not answer.
    """
    aliases = _aliases(settings)
    url = f"{settings.mlflow_url}/api/2.0/mlflow/model-versions/get"
    parameters: dict[str, str | int] = {"name": settings.model_name, "version": number}
    response = ask(
        PART, "GET", url, timeout_s=settings.timeout_s, params=parameters, auth=settings.mlflow_auth
    )
    if response.status_code == httpx.codes.NOT_FOUND and "RESOURCE_DOES_NOT_EXIST" in response.text:
        raise ModelMissing(settings.model_name, f"there is no version {number}")
    if not response.is_success:
        raise ServiceUnavailable(PART, url, f"it answered {response.status_code}")
    with understood(PART, response):
        return _version(json_of(PART, response)["model_version"], aliases)


def champion(settings: UiSettings) -> Version:
    """The version that serving answers with.

    Raises: ModelMissing if none is promoted; ServiceUnavailable if MLflow does not answer.
    """
    aliases = _aliases(settings)
    number = next((version for alias, version in aliases if alias == CHAMPION), None)
    if number is None:
        raise ModelMissing(settings.model_name, "no version bears the alias champion")
    entry = _get(settings, "model-versions/get", name=settings.model_name, version=number)["model_version"]
    return _version(entry, aliases)


def _aliases(settings: UiSettings) -> list[tuple[str, int]]:
    """The registered model's aliases and their versions; the search does not always carry them."""
    url = f"{settings.mlflow_url}/api/2.0/mlflow/registered-models/get"
    parameters = {"name": settings.model_name}
    response = ask(
        PART, "GET", url, timeout_s=settings.timeout_s, params=parameters, auth=settings.mlflow_auth
    )
    if response.status_code == httpx.codes.NOT_FOUND and "RESOURCE_DOES_NOT_EXIST" in response.text:
        raise ModelMissing(settings.model_name, "MLflow has no such registered model")
    if not response.is_success:
        raise ServiceUnavailable(PART, url, f"it answered {response.status_code}")
    entries = response.json()["registered_model"].get("aliases", [])
    return [(entry["alias"], int(entry["version"])) for entry in entries]


def _get(settings: UiSettings, path: str, **parameters: str | int) -> Any:
    url = f"{settings.mlflow_url}/api/2.0/mlflow/{path}"
    return ask_json(
        PART, "GET", url, timeout_s=settings.timeout_s, params=parameters, auth=settings.mlflow_auth
    )


def _version(entry: Mapping[str, Any], aliases: list[tuple[str, int]]) -> Version:
    number = int(entry["version"])
    return Version(
        number=number,
        run_id=str(entry.get("run_id", "")),
        created_at=datetime.fromtimestamp(int(entry["creation_timestamp"]) / 1000, UTC),
        aliases=tuple(sorted(alias for alias, version in aliases if version == number)),
        tags={tag["key"]: tag["value"] for tag in entry.get("tags", [])},
    )
