"""Who may ask: a key with the right scope, not too often."""

from __future__ import annotations

import math
import time
from collections import Counter
from http import HTTPStatus

from limits.aio.strategies import FixedWindowRateLimiter
from limits.storage import storage_from_string
from starlette.exceptions import HTTPException
from starlette.types import Scope as Connection

from contracts.errors import SettingsInvalid
from serving.auth.keys import Key, KeyRing, Scope
from serving.headers import header
from serving.settings import ServingSettings, rate_of

BEARER = b"bearer "
# What is left of a lot may be used in the next window: a key is let in a hundredth too often at most.
LOTS, LARGEST_LOT = 100, 64
# Looking up a member of an enumeration takes longer than comparing it.
ADMIN, PREDICT = Scope.ADMIN, Scope.PREDICT
ADMIN_PATHS = frozenset({"/v1/model:reload"})
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="canopy"'}
HOW = "Send the header `Authorization: Bearer KEY`; `canopy keys add` makes a key."


class ApiKeyAuth:
    """Lets a request in by its key, and counts it."""

    def __init__(self, ring: KeyRing, settings: ServingSettings) -> None:
        self._ring = ring
        self._rate = rate_of(settings.rate_limit)
        self._limiter = FixedWindowRateLimiter(_storage(settings.rate_storage))
        # It divides the rate, so that the last lot of a window fits too.
        self._lot = math.gcd(self._rate.amount, max(1, min(LARGEST_LOT, self._rate.amount // LOTS)))
        self._left: Counter[str] = Counter()

    async def authenticate(self, connection: Connection) -> Key:
        """Returns the key of a request.

        Raises: HTTPException with 401, 403 or 429.
        """
        secret = _secret(connection)
        if secret is None:
            raise _unauthorized(f"The request has no API key. {HOW}")
        if _is_doubled(connection):
            raise _unauthorized("The request has several API keys. Send one.")
        key = self._ring.find(secret)
        if key is None:
            raise _unauthorized(f"The API key is not known here. {HOW}")
        if key.revoked_at is not None:
            raise _unauthorized(
                f"The API key {key.key_id} was revoked at {key.revoked_at:%Y-%m-%d %H:%M} UTC."
            )
        needed = ADMIN if connection["path"] in ADMIN_PATHS else PREDICT
        if not key.allows(needed):
            raise HTTPException(
                HTTPStatus.FORBIDDEN,
                f"The API key {key.key_id} has not the scope {needed}; "
                f"`canopy keys add --scope {needed}` makes one that has.",
            )
        if not self._left[key.key_id]:
            await self._fetch_permits(key)
        self._left[key.key_id] -= 1
        return key

    async def _fetch_permits(self, key: Key) -> None:
        """Fetches permits by the lot: a hundredth of the rate at a time, 64 at most."""
        if not await self._limiter.hit(self._rate, key.key_id, cost=self._lot):
            raise await self._too_many(key)
        self._left[key.key_id] += self._lot

    async def _too_many(self, key: Key) -> HTTPException:
        resets_at = (await self._limiter.get_window_stats(self._rate, key.key_id)).reset_time
        wait_s = max(1, round(resets_at - time.time()))
        return HTTPException(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"The API key {key.key_id} may ask {self._rate}. Ask again in {wait_s} s, or send more rows at "
            "a time.",
            {"Retry-After": str(wait_s)},
        )


def _secret(connection: Connection) -> bytes | None:
    sent = header(connection, b"authorization") or b""
    return sent[len(BEARER) :].strip() if sent[: len(BEARER)].lower() == BEARER else None


def _is_doubled(connection: Connection) -> bool:
    """Returns whether a request has several sign-ins: what stands in front may have looked at another."""
    headers = connection["headers"]
    is_any_doubled = len(connection["state"]["headers"]) != len(headers)
    return is_any_doubled and sum(name == b"authorization" for name, _ in headers) > 1


def _unauthorized(detail: str) -> HTTPException:
    return HTTPException(HTTPStatus.UNAUTHORIZED, detail, CHALLENGE)


def _storage(uri: str):  # type: ignore[no-untyped-def]
    try:
        # The other kind starts a thread a hundred times a second to let old windows go.
        return storage_from_string(f"async+{uri}")
    except Exception as error:  # each storage has errors of its own; a missing package is one of them
        raise SettingsInvalid(
            "SERVING_RATE_STORAGE", uri, f"It is memory:// or redis://HOST:PORT ({error})."
        ) from error
