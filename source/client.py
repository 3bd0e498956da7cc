"""One question to the source API, asked again only where asking again is right."""

from __future__ import annotations

import json
import logging
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from uuid import uuid4

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, stop_before_delay
from tenacity.wait import wait_exponential_jitter

from contracts.errors import SourceRefused, SourceUnavailable
from source.settings import SourceSettings

CLIENT_VERSION = f"canopy/{version('canopy')}"
END_OF_DATA = "ya se recolecto toda la informacion minima necesaria"
# The published code reserves no rows for these groups: 10 has two left, 11 has no counter.
GROUPS_WITHOUT_ROWS = (10, 11)
RETRIED_STATUSES = (408, 425, 429)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answered:
    """A 200 that arrived whole; what is in it, nobody has looked at yet."""

    body: bytes
    url: str
    request_id: str
    fetched_at: datetime


@dataclass(frozen=True)
class Fragment:
    """The beginning of a 200 whose end never came.

    It is kept as well: the last batch is served to one request only, so this may be all there is of it.
    """

    body: bytes
    url: str
    request_id: str
    fetched_at: datetime
    reason: str


@dataclass(frozen=True)
class EndOfData:
    """The normal end: the service has handed out its last batch."""

    url: str
    detail: str


def fetch(
    settings: SourceSettings, on_fragment: Callable[[Fragment], None] = lambda _: None
) -> Answered | EndOfData:
    """Asks for a batch, as often as the settings allow.

    Args:
        settings: Where, for which group, and how patiently.
        on_fragment: Is handed what arrived of a response that was cut, before the next request.

    Raises:
        SourceUnavailable: It did not answer to the end, in no attempt.
        SourceRefused: It does not accept the request; it is not asked again.
    """
    deadline = time.monotonic() + settings.budget_s

    def attempt() -> Answered | EndOfData:
        answer = ask(settings, deadline)
        if isinstance(answer, Fragment):
            on_fragment(answer)
            raise SourceUnavailable(answer.url, f"{answer.reason} after {len(answer.body)} bytes")
        return answer

    return _patience(settings)(attempt)


def ask(settings: SourceSettings, deadline: float) -> Answered | Fragment | EndOfData:
    """One request.

    Args:
        settings: Where, and for which group.
        deadline: The reading of `time.monotonic()` at which a response is given up.

    Raises: SourceUnavailable, SourceRefused.
    """
    request_id = uuid4().hex
    with open_client(settings) as client:
        request = client.build_request(
            "GET", "/data", params={"group_number": settings.group}, headers={"X-Request-ID": request_id}
        )
        url = public_url(request.url)
        try:
            response = client.send(request, stream=True)
            fetched_at = datetime.now(UTC)
            body, reason = _read(response, deadline)
        except httpx.RequestError as error:
            raise SourceUnavailable(url, _reason(error)) from error
    if not response.is_success:
        return _not_a_batch(response.status_code, body, url, settings.group)
    if reason is None:
        return Answered(body, url, request_id, fetched_at)
    if not body:
        raise SourceUnavailable(url, reason)
    return Fragment(body, url, request_id, fetched_at, reason)


def open_client(settings: SourceSettings) -> httpx.Client:
    """A client that asks for plain bytes, and that leaves this machine's proxy out of loopback."""
    is_loopback = httpx.URL(settings.url).host in ("127.0.0.1", "::1", "localhost")
    return httpx.Client(
        base_url=settings.url,
        timeout=settings.timeout_s,
        headers={"User-Agent": CLIENT_VERSION, "Accept-Encoding": "identity"},
        trust_env=not is_loopback,
    )


def public_url(url: httpx.URL) -> str:
    """The address without a password, for messages and for the lake."""
    return str(url.copy_with(username=None, password=None))


def refusal(body: bytes) -> str:
    """What a service says in `detail`, a text or FastAPI's list; else the beginning of its body."""
    try:
        detail = json.loads(body)["detail"]
        if isinstance(detail, list):
            return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in detail)
        return str(detail)
    except (ValueError, KeyError, TypeError, RecursionError):
        return body[:200].decode(errors="replace").strip() or "no reason given"


def _patience(settings: SourceSettings) -> Retrying:
    return Retrying(
        retry=retry_if_exception_type(SourceUnavailable),
        stop=stop_after_attempt(settings.attempts) | stop_before_delay(settings.budget_s),
        wait=wait_exponential_jitter(
            multiplier=settings.first_wait_s, max=settings.longest_wait_s, jitter=settings.first_wait_s
        ),
        before_sleep=_log_wait,
        reraise=True,
    )


def _log_wait(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    logger.warning(
        "source_asked_again attempt=%d wait_s=%.1f reason=%s",
        state.attempt_number,
        state.upcoming_sleep,
        error,
    )


def _read(response: httpx.Response, deadline: float) -> tuple[bytes, str | None]:
    """What arrived, and why the rest did not; None where everything did."""
    pieces: list[bytes] = []
    reason = None
    try:
        for piece in response.iter_bytes():
            pieces.append(piece)
            if time.monotonic() > deadline:
                reason = "the response did not end within SOURCE_BUDGET_S"
                break
    except httpx.RequestError as error:
        reason = _reason(error)
    response.close()
    return b"".join(pieces), reason


def _not_a_batch(status: int, body: bytes, url: str, group: int) -> EndOfData:
    detail = refusal(body)
    if status == 400 and _plain(detail).startswith(END_OF_DATA):
        return EndOfData(url, detail)
    if status >= 500 and group in GROUPS_WITHOUT_ROWS:
        detail += f" (the service has no rows for group {group}: use SOURCE_GROUP 1 to 9)"
    if status >= 500 or status in RETRIED_STATUSES:
        raise SourceUnavailable(url, f"it answered {status}: {detail}")
    raise SourceRefused(url, status, detail)


def _plain(text: str) -> str:
    """Without accents, case and outer blanks: the service writes `minima` and `mínima`."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(mark for mark in decomposed if not unicodedata.combining(mark)).casefold().strip()


def _reason(error: httpx.RequestError) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
