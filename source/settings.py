"""Which service is asked, for which groups, how often and how patiently."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from contracts.errors import SettingsInvalid
from source.adapters import Adapter


class SourceSettings(BaseSettings):
    """Settings of the client, with the prefix `SOURCE_`.

    Where there is more than one source, `SOURCE_NAMES` lists them, and `SOURCE_<NAME>_<SETTING>` is what one
    of them has of its own (see `sources`).

    Attributes:
        names: The sources that are asked, with commas between; empty where there is one.
        name: What the source is called in the lake's keys.
        url: Where the service answers, without a path.
        groups: The groups that are asked for, with commas between; the service hands each its own slice.
        parameters: Further parameters of each request, as JSON, such as `{"day": "Wednesday"}`.
        adapter: The form that the source's responses have, where it is not the contract's own:
            `one_hot` (UCI's 55 columns), `labels_from_one` (1-7), `objects` (rows as JSON objects).
        target_coverage: Within a window the source is asked until this share of the rows in reach is here.
        requests_per_window: Requests to a group per window at most.
        pace_s: Wait between two requests to one group.
        window_s: How long the source serves a batch; the service advances after strictly more than 300 s.
        recheck_s: How long a group is left in peace after the end of data; a restart by `canopy` ends it.
        timeout_s: Longest wait for a connection, and for each piece of a response.
        attempts: Tries per request at most, the first included.
        first_wait_s: Wait before the second try; it doubles each time, and is jittered.
        longest_wait_s: Longest wait between two tries.
        budget_s: No try of a request starts later than this, and none lasts longer. Well below the
            service's window of 300 s, so that a request ends before the next window begins.
        incoming: A folder on this machine's disk: responses lie there while they come in.
    """

    model_config = SettingsConfigDict(env_prefix="SOURCE_", env_file=".env", extra="ignore", frozen=True)

    names: Annotated[tuple[str, ...], NoDecode] = ()
    name: str = Field(default="covertype", pattern=r"^[a-z0-9][a-z0-9_-]*$")
    url: str = "http://127.0.0.1:8010"
    groups: Annotated[tuple[int, ...], NoDecode] = (1,)
    parameters: dict[str, str] = {}
    adapter: Adapter = "none"
    target_coverage: float = Field(default=0.95, gt=0, lt=1)
    requests_per_window: int = Field(default=30, ge=1)
    pace_s: float = Field(default=5.0, ge=0)
    window_s: float = Field(default=300.0, ge=0)
    recheck_s: float = Field(default=3600.0, ge=0)
    timeout_s: float = Field(default=30.0, gt=0)
    attempts: int = Field(default=4, ge=1)
    first_wait_s: float = Field(default=1.0, ge=0)
    longest_wait_s: float = Field(default=20.0, ge=0)
    budget_s: float = Field(default=120.0, gt=0)
    incoming: Path = Path(".canopy/incoming")

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingsInvalid("SOURCE_URL", url, "It is an address such as http://127.0.0.1:8010.")
        return url.rstrip("/")

    @field_validator("names", mode="before")
    @classmethod
    def _are_names(cls, names: object) -> object:
        return _listed(names)

    @field_validator("groups", mode="before")
    @classmethod
    def _are_groups(cls, groups: object) -> object:
        listed = _listed(groups)
        remedy = "It is one group or several, such as 1 or 1,2,3."
        if not isinstance(listed, tuple) or not all(
            str(group).removeprefix("-").isdigit() for group in listed
        ):
            raise SettingsInvalid("SOURCE_GROUPS", groups, remedy)
        if not listed or len(set(map(int, listed))) < len(listed):
            raise SettingsInvalid("SOURCE_GROUPS", groups, f"{remedy} Each is named once.")
        return listed


def sources() -> list[SourceSettings]:
    """Every source that the settings name.

    `SOURCE_NAMES=covertype,days` makes two. A setting of one is `SOURCE_DAYS_URL`; what it has not of its
    own is taken from `SOURCE_URL`.
    """
    shared = SourceSettings()
    return [_own(shared, name) for name in shared.names] or [shared]


def named_source(name: str | None) -> SourceSettings:
    """One source; its name may be left out where there is only one. Raises: SettingsInvalid."""
    found = sources()
    chosen = [settings for settings in found if name in (None, settings.name)]
    if len(chosen) != 1:
        known = ", ".join(settings.name for settings in found)
        raise SettingsInvalid("--source", name, f"Name one of: {known}.")
    return chosen[0]


def _own(shared: SourceSettings, name: str) -> SourceSettings:
    class Own(SourceSettings):
        model_config = SettingsConfigDict(env_prefix=f"SOURCE_{name.upper().replace('-', '_')}_")

    own = Own()
    values = {field: getattr(own, field) for field in own.model_fields_set}
    return SourceSettings.model_validate(shared.model_dump() | values | {"name": name, "names": ()})


def _listed(value: object) -> object:
    """What is written with commas between, as a tuple; anything else as it is."""
    if isinstance(value, int):
        return (value,)
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return tuple(value) if isinstance(value, list | tuple) else value
