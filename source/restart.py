"""Starting a group's collection over at the source; nothing does this by itself."""

from __future__ import annotations

import getpass
import logging
import os
import platform
from datetime import UTC, datetime

import httpx

from contracts.errors import SourceRefused, SourceUnavailable
from lake.bronze.events import Event, record
from lake.objects import Objects
from source.client import open_client, parameters, public_url, refusal
from source.settings import SourceSettings

logger = logging.getLogger(__name__)


def restart(settings: SourceSettings, group: int, objects: Objects) -> str:
    """Resets a group's counter and clock, for everyone in that group. Asked once, never again.

    Args:
        settings: Where the service answers.
        group: The group that starts over; named on its own, so that it is never a default.
        objects: Bronze, where the restart is written down: when, by whom, and what the service said.

    Returns: the key of that record.
    Raises: SourceUnavailable, SourceRefused; StoreUnavailable, before anything is asked.
    """
    objects.check()
    with open_client(settings) as client:
        request = client.build_request("GET", "/restart_data_generation", params=parameters(settings, group))
        url = public_url(request.url)
        logger.warning("source_restart_asked group=%d url=%s", group, url)
        try:
            response = client.send(request)
        except httpx.RequestError as error:
            raise SourceUnavailable(url, f"{type(error).__name__}: {error}") from error
    if response.status_code >= 500:
        raise SourceUnavailable(url, f"it answered {response.status_code}: {refusal(response.content)}")
    if not response.is_success:
        raise SourceRefused(url, response.status_code, refusal(response.content))
    by = _who()
    said = response.text[:200]
    event = Event("restart", settings.name, group, datetime.now(UTC), url, said, by)
    key = record(objects, event)
    logger.warning("source_restarted group=%d url=%s by=%s key=%s", group, url, by, key)
    return key


def _who() -> str:
    try:
        account = getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        account = f"uid {os.getuid()}"
    return f"{account}@{platform.node()}"
