"""Every error of the service as a problem+json reply (RFC 9457)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus

from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Scope

from contracts.errors import FileUnreadable, KeysUnknown, ModelMissing, OutsideContract, ServiceBusy
from contracts.http_protocol import title
from contracts.prediction import Problem
from serving.headers import request_id

LOG = logging.getLogger(__name__)
PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_S = "5"
# Why the service answers 503, each with a name of its own.
NOT_NOW = {ModelMissing: "no-model", KeysUnknown: "keys-unknown", ServiceBusy: "busy"}
# What has an answer of its own; all else is the service's own failure.
EXPECTED = (OutsideContract, FileUnreadable, HTTPException, ClientDisconnect, *NOT_NOW)

# Stable names, to be matched by programs.
KINDS = {
    HTTPStatus.BAD_REQUEST: "not-readable",
    HTTPStatus.UNAUTHORIZED: "no-key",
    HTTPStatus.FORBIDDEN: "out-of-scope",
    HTTPStatus.NOT_FOUND: "not-found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method-not-allowed",
    HTTPStatus.NOT_ACCEPTABLE: "not-acceptable",
    HTTPStatus.REQUEST_TIMEOUT: "too-slow",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too-large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "not-readable",
    HTTPStatus.MISDIRECTED_REQUEST: "foreign-host",
    HTTPStatus.UNPROCESSABLE_ENTITY: "outside-contract",
    HTTPStatus.TOO_MANY_REQUESTS: "too-many",
    HTTPStatus.INTERNAL_SERVER_ERROR: "internal",
    HTTPStatus.SERVICE_UNAVAILABLE: "no-model",
}


def problem_of(scope: Scope, error: Exception) -> Response:
    """Returns what one of the expected errors is answered with."""
    if isinstance(error, OutsideContract):
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return problem_reply(scope, status, str(error), errors=error.violations)
    if type(error) in NOT_NOW:
        kind, headers = NOT_NOW[type(error)], {"Retry-After": RETRY_AFTER_S}
        status = HTTPStatus.SERVICE_UNAVAILABLE
        return problem_reply(scope, status, str(error), kind=kind, headers=headers)
    if not isinstance(error, HTTPException):
        is_ended = isinstance(error, ClientDisconnect)
        detail = "The request ended before its body did." if is_ended else str(error)
        return problem_reply(scope, HTTPStatus.BAD_REQUEST, detail)
    detail = {
        HTTPStatus.NOT_FOUND: f"There is nothing at {scope['path']}. The paths are in /openapi.json.",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{scope['path']} does not know {scope['method']}.",
    }.get(HTTPStatus(error.status_code), error.detail)
    return problem_reply(scope, error.status_code, detail, headers=error.headers)


def internal_problem(scope: Scope, error: Exception) -> Response:
    """Logs an error that nobody expected, and says in its answer where the reason is."""
    detail = "The service failed. Its log has the reason, under this request id."
    LOG.error("request_failed request_id=%s error=%s", request_id(scope), type(error).__name__)
    return problem_reply(scope, HTTPStatus.INTERNAL_SERVER_ERROR, detail)


def problem_reply(
    scope: Scope,
    status: int,
    detail: str,
    *,
    kind: str | None = None,
    errors: object = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Returns a problem of this request.

    Args:
        scope: Of the request.
        status: HTTP status; it decides the problem's type and title.
        detail: What is wrong with this request and what to do next.
        kind: The problem's type, where the status has more than one.
        errors: With 422, each value outside the contract.
        headers: Headers to send with it.
    """
    problem = {
        "type": f"urn:canopy:problem:{kind or KINDS.get(HTTPStatus(status), 'http')}",
        "title": title(HTTPStatus(status)),
        "status": int(status),
        "detail": detail,
        "request_id": request_id(scope),
        "errors": errors,
    }
    return Response(to_json(problem), status_code=status, headers=headers, media_type=PROBLEM_JSON)


def problem_schema(description: str) -> dict[str, object]:
    """Returns how OpenAPI shows a problem."""
    reference = f"#/components/schemas/{Problem.__name__}"
    return {"description": description, "content": {PROBLEM_JSON: {"schema": {"$ref": reference}}}}
