"""Which service is asked, for which groups, how often and how patiently."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import httpx
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from contracts.errors import SettingsInvalid
from contracts.outside import MASK, shown
from contracts.settings import Settings
from source.adapters import Adapter

HEADER_NAME, HEADER_VALUE = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"), re.compile(r"[!-~]([ -~]*[!-~])?")
# Shorter values stand in every other sentence, and are no secrets.
LEAST_SECRET = 4
# No group of a larger number is read back from a response that a crash has left.
GROUPS_END = 10**9
# What the service has behind its address; teams write the whole of one call as the address.
ENDPOINTS = ("/data", "/docs", "/redoc", "/openapi.json", "/restart_data_generation")


class SourceSettings(Settings):
    """Settings of the client, with the prefix `SOURCE_`.

    Where there is more than one source, `SOURCE_NAMES` lists them, and `SOURCE_<NAME>_<SETTING>` is what one
    of them has of its own (see `sources`).

    Attributes:
        names: The sources that are asked, with commas between; empty where there is one.
        name: What the source is called in the lake's keys.
        url: Where the service answers: all that stands before `/data`.
        groups: The groups that are asked for, with commas between; the service hands each its own slice.
        parameters: Further parameters of each request, as JSON, such as `{"day": "Wednesday"}`. Their names
            are written down with each response, their values are not.
        adapter: The form that the source's responses have, where it is not the contract's own:
            `numbers` (whole numbers of JSON, not strings), `one_hot` (UCI's 55 columns), `labels_from_one`
            (1-7), `objects` (rows as JSON objects).
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
        response_bytes: A larger response, as it comes or unpacked, is given up; its beginning is kept.
        headers: Further headers of each request, as JSON, such as `{"Authorization": "Bearer …"}`: for
            secrets. No value of them is written anywhere.
        headers_file: A file with such headers, in place of `headers`.
    """

    model_config = SettingsConfigDict(env_prefix="SOURCE_")

    names: Annotated[tuple[str, ...], NoDecode] = ()
    name: str = Field(default="covertype", pattern=r"^[a-z0-9][a-z0-9_-]*$")
    url: str = Field(default="http://127.0.0.1:8010", repr=False)
    groups: Annotated[tuple[int, ...], NoDecode] = (1,)
    parameters: dict[str, str] = Field(default={}, repr=False)
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
    response_bytes: int = Field(default=16 * 2**20, ge=1)
    headers: dict[str, SecretStr] = Field(default={})
    headers_file: Path | None = None

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        url = url.strip()
        if (
            "@" in url.partition("://")[2].partition("/")[2]
        ):  # else half a password would be a path, and shown
            place = f"…@{url.rpartition('@')[2]}"
            raise SettingsInvalid("SOURCE_URL", place, "Write / and @ of a password as %2F and %40.")
        try:
            parts = urlsplit(url)
            httpx.URL(url)
            _ = parts.port
        except (ValueError, httpx.InvalidURL) as error:
            why = "" if "@" in url else f": {error}"  # it may quote a password with a slash in it
            raise SettingsInvalid(
                "SOURCE_URL", url, f"It is no address{why}. Write it as http://HOST:PORT."
            ) from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingsInvalid("SOURCE_URL", url, "It is an address such as http://127.0.0.1:8010.")
        # What is asked is written behind it; a question mark would be lost, and another group be asked.
        if parts.query or parts.fragment or parts.path.rstrip("/").endswith(ENDPOINTS):
            remedy = (
                "It is where the service answers, up to what stands before /data. A group goes into "
                'SOURCE_GROUPS, other parameters into SOURCE_PARAMETERS, such as {"day": "Tuesday"}.'
            )
            raise SettingsInvalid("SOURCE_URL", url, remedy)
        return url.rstrip("/")

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, value in headers.items():
            if not HEADER_NAME.fullmatch(name) or not HEADER_VALUE.fullmatch(value.get_secret_value()):
                remedy = f"The header {shown(repr(name), 60)} has a name or a value that HTTP does not allow."
                raise SettingsInvalid("SOURCE_HEADERS", MASK, remedy)
        return headers

    def secret_headers(self) -> dict[str, str]:
        """Returns the further headers of each request, in the clear. Raises: SettingsInvalid."""
        given = self.headers if self.headers_file is None else _headers_in(self.headers_file)
        return {name: value.get_secret_value() for name, value in given.items()}

    def without_secrets(self, text: str) -> str:
        """Returns a text of the source in which nothing is left of what it was sent in confidence."""
        sent = [*self.parameters.values(), *self.secret_headers().values(), urlsplit(self.url).password or ""]
        # A header such as `Bearer …` may come back without its first word.
        parts = {part for value in sent for part in (value, *value.split(" ")) if len(part) >= LEAST_SECRET}
        for part in sorted(parts, key=len, reverse=True):
            text = text.replace(part, MASK)
        return text

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
        if any(abs(int(group)) >= GROUPS_END for group in listed):
            raise SettingsInvalid("SOURCE_GROUPS", groups, f"{remedy} Each is below {GROUPS_END:,}.")
        return listed


def sources() -> list[SourceSettings]:
    """Returns every source that the settings name.

    `SOURCE_NAMES=covertype,days` makes two. A setting of one is `SOURCE_DAYS_URL`; what it has not of its
    own is taken from `SOURCE_URL`.
    """
    shared = SourceSettings()
    return [_own(shared, name) for name in shared.names] or [shared]


def named_source(name: str | None) -> SourceSettings:
    """Returns one source; its name may be left out where there is only one. Raises: SettingsInvalid."""
    found = sources()
    chosen = [settings for settings in found if name in (None, settings.name)]
    if len(chosen) != 1:
        known = ", ".join(settings.name for settings in found)
        raise SettingsInvalid("--source", name, f"Name one of: {known}.")
    return chosen[0]


def _headers_in(file: Path) -> dict[str, SecretStr]:
    """Reads headers from a file. Raises: SettingsInvalid, without a word of what is in there."""
    try:
        return SourceSettings.model_validate({"headers": json.loads(file.expanduser().read_bytes())}).headers
    except OSError as error:
        raise SettingsInvalid(
            "SOURCE_HEADERS_FILE", str(file), f"It cannot be read: {error.strerror}."
        ) from None
    except (ValueError, RecursionError, SettingsInvalid):
        remedy = 'It is JSON such as {"Authorization": "Bearer …"}, with values that HTTP allows.'
        raise SettingsInvalid("SOURCE_HEADERS_FILE", str(file), remedy) from None


def _own(shared: SourceSettings, name: str) -> SourceSettings:
    class Own(SourceSettings):
        model_config = SettingsConfigDict(env_prefix=f"SOURCE_{name.upper().replace('-', '_')}_")

    own = Own()
    values = {field: getattr(own, field) for field in own.model_fields_set}
    return SourceSettings.model_validate(shared.model_dump() | values | {"name": name, "names": ()})


def _listed(value: object) -> object:
    """Returns what is written with commas between, as a tuple; anything else as it is."""
    if isinstance(value, int):
        return (value,)
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return tuple(value) if isinstance(value, list | tuple) else value
