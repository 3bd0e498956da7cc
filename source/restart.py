"""Starting a group's collection over at the source; nothing does this by itself."""

from __future__ import annotations

import logging

import httpx

from contracts.errors import SourceRefused, SourceUnavailable
from source.client import open_client, public_url, refusal
from source.settings import SourceSettings

logger = logging.getLogger(__name__)


def restart(settings: SourceSettings, group: int) -> None:
    """Resets a group's counter and clock, for everyone in that group. Asked once, never again.

    Args:
        settings: Where the service answers.
        group: The group that starts over; named on its own, so that it is never a default.

    Raises: SourceUnavailable, SourceRefused.
    """
    with open_client(settings) as client:
        request = client.build_request("GET", "/restart_data_generation", params={"group_number": group})
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
    logger.warning("source_restarted group=%d url=%s", group, url)
