"""One request to the source API, tried again only where trying again is right."""

from __future__ import annotations

import json
import logging
import ssl
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from uuid import uuid4

import httpx
from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt, stop_before_delay
from tenacity.wait import wait_exponential_jitter

from contracts.outside import masked_url
from lake.bronze.landings import Provenance
from source.bounded import TooLarge, receive_bounded
from source.bounded import reason as _reason
from source.clock import Clock, utc_now
from source.incoming import Arrival, Incoming
from source.outcomes import EndOfData, InvalidGroup, Refused, Unavailable
from source.settings import SourceSettings

CLIENT_VERSION = f"canopy/{version('canopy')}"
END_OF_DATA = "ya se recolecto toda la informacion minima necesaria"
INVALID_GROUP = "numero de grupo invalido"
# The published code reserves no rows for these groups: 10 has two left, 11 has no counter.
GROUPS_WITHOUT_ROWS = (10, 11)
RETRIED_STATUSES = (408, 425, 429)
# A refusal says in a sentence why; nobody reads more of it.
LONGEST_REFUSAL = 64 * 2**10

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answered:
    """A 200 that arrived whole; what is in it, nobody has looked at yet."""

    arrival: Arrival


@dataclass(frozen=True)
class Fragment:
    """The beginning of a 200 whose end never came.

    It is kept as well: the last batch is served to one request only, so this may be all there is of it.
    """

    arrival: Arrival
    reason: str


@dataclass(frozen=True)
class Oversized:
    """A 200 that is larger than what is taken, as it came or unpacked. Its end was not read."""

    arrival: Arrival
    reason: str


NoBatch = EndOfData | InvalidGroup | Refused | Unavailable
Answer = Answered | Oversized | NoBatch


def fetch(
    settings: SourceSettings,
    group: int,
    incoming: Incoming,
    on_fragment: Callable[[Fragment], None],
    *,
    start_within_s: float | None = None,
    clock: Clock = utc_now,
) -> Answer:
    """Asks for a batch, as often as the settings allow.

    Args:
        settings: Where, and how patiently.
        group: The group that is asked for.
        incoming: Where the response comes in.
        on_fragment: Is handed what arrived of a response that was cut, before the next try.
        start_within_s: No try but the first starts later than this; the settings' budget where None.
        clock: Says when a response was fetched.
    """

    def attempt() -> Answer:
        answer = ask(settings, group, incoming, clock)
        if isinstance(answer, Fragment):
            url, size = answer.arrival.provenance.url, answer.arrival.size
            on_fragment(answer)
            return Unavailable(url, f"{answer.reason} after {size} bytes")
        return answer

    budget_s = min(settings.budget_s, settings.budget_s if start_within_s is None else start_within_s)
    return _patience(settings, budget_s)(attempt)


def ask(
    settings: SourceSettings, group: int, incoming: Incoming, clock: Clock = utc_now
) -> Fragment | Answer:
    """Tries once. A response that takes longer than the budget is given up, and what came is a fragment."""
    request_id = uuid4().hex
    deadline = time.monotonic() + settings.budget_s
    with open_client(settings) as client:
        request = client.build_request(
            "GET", "/data", params=parameters(settings, group), headers={"X-Request-ID": request_id}
        )
        url = public_url(request.url)
        try:
            response = client.send(request, stream=True)
        except httpx.RequestError as error:
            return Unavailable(url, settings.without_secrets(_reason(error)))
        fetched_at = clock()
        if not response.is_success:
            return _not_a_batch(settings, response, deadline, group)
        provenance = Provenance(
            source=settings.name,
            group=group,
            fetched_at=fetched_at,
            request_id=request_id,
            url=url,
            client_version=CLIENT_VERSION,
            adapter=settings.adapter,
        )
        arrival = incoming.receive(provenance, _promised(response))
        return _receive(response, arrival, deadline, settings.response_bytes)


def open_client(settings: SourceSettings) -> httpx.Client:
    """Returns a client that asks for plain bytes, and that leaves this machine's proxy out of loopback.

    It follows no redirect: the headers may hold secrets, and whoever it led to would get them.
    """
    is_loopback = httpx.URL(settings.url).host in ("127.0.0.1", "::1", "localhost")
    return httpx.Client(
        base_url=settings.url,
        timeout=settings.timeout_s,
        headers={**settings.secret_headers(), "User-Agent": CLIENT_VERSION, "Accept-Encoding": "identity"},
        follow_redirects=False,
        trust_env=not is_loopback,
        verify=_trusted(),
    )


def parameters(settings: SourceSettings, group: int) -> dict[str, str | int]:
    """Returns what stands behind the question mark."""
    return {"group_number": group, **settings.parameters}


def data_url(settings: SourceSettings, group: int) -> str:
    """Returns the address that a batch of a group is asked for under, without a password."""
    return public_url(httpx.URL(f"{settings.url}/data").copy_merge_params(parameters(settings, group)))


def public_url(url: httpx.URL) -> str:
    """Returns the address for messages and the lake: no password, and no parameter's value but the
    group's."""
    return masked_url(str(url), ["group_number"])


def refusal(body: bytes) -> str:
    """Returns what a service says in `detail`, a text or FastAPI's list; else the beginning of its body."""
    try:
        detail = json.loads(body)["detail"]
        if isinstance(detail, list):
            return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in detail)
        return str(detail)
    except (ValueError, KeyError, TypeError, RecursionError, MemoryError):
        return body[:200].decode(errors="replace").strip() or "no reason given"


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    """Reads the certificates once: it takes 20 ms, as long as the rest of a request on this machine."""
    return httpx.create_ssl_context()


def _patience(settings: SourceSettings, budget_s: float) -> Retrying:
    return Retrying(
        retry=retry_if_result(lambda answer: isinstance(answer, Unavailable)),
        stop=stop_after_attempt(settings.attempts) | stop_before_delay(budget_s),
        wait=wait_exponential_jitter(
            multiplier=settings.first_wait_s, max=settings.longest_wait_s, jitter=settings.first_wait_s
        ),
        before_sleep=_log_wait,
        retry_error_callback=lambda state: state.outcome and state.outcome.result(),
    )


def _log_wait(state: RetryCallState) -> None:
    answer = state.outcome.result() if state.outcome else None
    logger.warning(
        "source_asked_again attempt=%d wait_s=%.1f reason=%s",
        state.attempt_number,
        state.upcoming_sleep,
        answer.reason if isinstance(answer, Unavailable) else answer,
    )


def _promised(response: httpx.Response) -> int | None:
    """Returns the length of the body as it is written down; not known where it is chunked or packed."""
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdigit() and "Content-Encoding" not in response.headers else None


def _receive(
    response: httpx.Response, arrival: Arrival, deadline: float, most: int
) -> Answered | Fragment | Oversized | Unavailable:
    try:
        reason = receive_bounded(response, arrival.write, most, deadline)
    except TooLarge as error:
        return Oversized(arrival, str(error))
    if reason is None:
        return Answered(arrival)
    if arrival.size:
        return Fragment(arrival, reason)
    arrival.discard()
    return Unavailable(arrival.provenance.url, reason)


def _not_a_batch(settings: SourceSettings, response: httpx.Response, deadline: float, group: int) -> NoBatch:
    pieces: list[bytes] = []
    url, status = public_url(response.url), response.status_code
    try:
        cut = receive_bounded(response, pieces.append, LONGEST_REFUSAL, deadline)
    except TooLarge as error:
        cut = str(error)
    if cut and not pieces:
        return Unavailable(url, f"it answered {status}, and then: {cut}")
    detail = settings.without_secrets(_target(response) or refusal(b"".join(pieces)))
    if status == 400 and _plain(detail).startswith(END_OF_DATA):
        return EndOfData(url, detail)
    if status >= 500 and group in GROUPS_WITHOUT_ROWS:
        detail += f" (the service has no rows for group {group}: use SOURCE_GROUPS 1 to 9)"
    if status >= 500 or status in RETRIED_STATUSES:
        return Unavailable(url, f"it answered {status}: {detail}")
    is_group = _plain(detail).startswith(INVALID_GROUP) or (status == 422 and "group_number" in detail)
    return InvalidGroup(url, status, detail) if is_group else Refused(url, status, detail)


def _target(response: httpx.Response) -> str | None:
    """Returns where a redirect leads, and what to do; None if it is none."""
    if not response.has_redirect_location:
        return None
    target = public_url(response.url.join(response.headers["Location"]))
    return f"it sends the request on to {target}, and is not followed; set SOURCE_URL to what answers itself"


def _plain(text: str) -> str:
    """Returns a text without accents, case and outer blanks: the service writes `minima` and `mínima`."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(mark for mark in decomposed if not unicodedata.combining(mark)).casefold().strip()
