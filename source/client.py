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

from lake.landings import Provenance
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


NoBatch = EndOfData | InvalidGroup | Refused | Unavailable


def fetch(
    settings: SourceSettings,
    group: int,
    incoming: Incoming,
    on_fragment: Callable[[Fragment], None],
    *,
    start_within_s: float | None = None,
    clock: Clock = utc_now,
) -> Answered | NoBatch:
    """Asks for a batch, as often as the settings allow.

    Args:
        settings: Where, and how patiently.
        group: The group that is asked for.
        incoming: Where the response comes in.
        on_fragment: Is handed what arrived of a response that was cut, before the next try.
        start_within_s: No try but the first starts later than this; the settings' budget where None.
        clock: Says when a response was fetched.
    """

    def attempt() -> Answered | NoBatch:
        answer = ask(settings, group, incoming, clock)
        if isinstance(answer, Fragment):
            on_fragment(answer)
            provenance = answer.arrival.provenance
            return Unavailable(provenance.url, f"{answer.reason} after {len(answer.arrival.body)} bytes")
        return answer

    budget_s = min(settings.budget_s, settings.budget_s if start_within_s is None else start_within_s)
    return _patience(settings, budget_s)(attempt)


def ask(
    settings: SourceSettings, group: int, incoming: Incoming, clock: Clock = utc_now
) -> Answered | Fragment | NoBatch:
    """One try. A response that takes longer than the budget is given up, and what came is a fragment."""
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
            return Unavailable(url, _reason(error))
        fetched_at = clock()
        if not response.is_success:
            return _not_a_batch(response, deadline, group)
        provenance = Provenance(
            source=settings.name,
            group=group,
            fetched_at=fetched_at,
            request_id=request_id,
            url=url,
            client_version=CLIENT_VERSION,
            adapter=settings.adapter,
        )
        return _receive(response, incoming.receive(provenance, _promised(response)), deadline)


def open_client(settings: SourceSettings) -> httpx.Client:
    """A client that asks for plain bytes, and that leaves this machine's proxy out of loopback."""
    is_loopback = httpx.URL(settings.url).host in ("127.0.0.1", "::1", "localhost")
    return httpx.Client(
        base_url=settings.url,
        timeout=settings.timeout_s,
        headers={"User-Agent": CLIENT_VERSION, "Accept-Encoding": "identity"},
        trust_env=not is_loopback,
        verify=_trusted(),
    )


def parameters(settings: SourceSettings, group: int) -> dict[str, str | int]:
    """What stands behind the question mark."""
    return {"group_number": group, **settings.parameters}


def data_url(settings: SourceSettings, group: int) -> str:
    """The address that a batch of a group is asked for under, without a password."""
    return public_url(httpx.URL(settings.url).join("/data").copy_merge_params(parameters(settings, group)))


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


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    """Reading the certificates takes 20 ms, as long as the rest of a request on this machine."""
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
    """The length of the body as it is written down; not known where it is chunked or packed."""
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdigit() and "Content-Encoding" not in response.headers else None


def _receive(
    response: httpx.Response, arrival: Arrival, deadline: float
) -> Answered | Fragment | Unavailable:
    reason = _read(response, arrival.write, deadline)
    if reason is None:
        return Answered(arrival)
    if arrival.body:
        return Fragment(arrival, reason)
    arrival.settle()
    return Unavailable(arrival.provenance.url, reason)


def _read(response: httpx.Response, write: Callable[[bytes], None], deadline: float) -> str | None:
    """Hands on what arrives. Returns: why the rest did not; None where everything did."""
    reason = None
    try:
        for piece in response.iter_bytes():
            write(piece)
            if time.monotonic() > deadline:
                reason = "the response did not end within SOURCE_BUDGET_S"
                break
    except httpx.RequestError as error:
        reason = _reason(error)
    response.close()
    return reason


def _not_a_batch(response: httpx.Response, deadline: float, group: int) -> NoBatch:
    pieces: list[bytes] = []
    url, status = public_url(response.url), response.status_code
    cut = _read(response, pieces.append, deadline)
    if cut and not pieces:
        return Unavailable(url, f"it answered {status}, and then: {cut}")
    detail = refusal(b"".join(pieces))
    if status == 400 and _plain(detail).startswith(END_OF_DATA):
        return EndOfData(url, detail)
    if status >= 500 and group in GROUPS_WITHOUT_ROWS:
        detail += f" (the service has no rows for group {group}: use SOURCE_GROUPS 1 to 9)"
    if status >= 500 or status in RETRIED_STATUSES:
        return Unavailable(url, f"it answered {status}: {detail}")
    is_group = _plain(detail).startswith(INVALID_GROUP) or (status == 422 and "group_number" in detail)
    return InvalidGroup(url, status, detail) if is_group else Refused(url, status, detail)


def _plain(text: str) -> str:
    """Without accents, case and outer blanks: the service writes `minima` and `mínima`."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(mark for mark in decomposed if not unicodedata.combining(mark)).casefold().strip()


def _reason(error: httpx.RequestError) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
