"""Every error of the service as a problem+json reply (RFC 9457)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from contracts.errors import ModelMissing, OutsideContract
from contracts.prediction import Problem
from serving.request_id import REQUEST_ID_HEADER, request_id

LOG = logging.getLogger(__name__)
PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_S = "5"

# Stable names, to be matched by programs.
KINDS = {
    HTTPStatus.BAD_REQUEST: "not-json",
    HTTPStatus.NOT_FOUND: "not-found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method-not-allowed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too-large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "not-json",
    HTTPStatus.UNPROCESSABLE_ENTITY: "outside-contract",
    HTTPStatus.INTERNAL_SERVER_ERROR: "internal",
    HTTPStatus.SERVICE_UNAVAILABLE: "no-model",
}


def add_problem_handlers(app: FastAPI) -> None:
    """Lets the service answer each error with a problem, never with a stack trace."""
    app.add_exception_handler(OutsideContract, _outside_contract)
    app.add_exception_handler(ModelMissing, _no_model)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(ClientDisconnect, _cut_short)
    app.add_exception_handler(Exception, _internal)


def problem_reply(
    request: Request,
    status: int,
    detail: str,
    *,
    errors: object = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem of this request.

    Args:
        status: HTTP status; it decides the problem's type and title.
        detail: What is wrong with this request and what to do next.
        errors: With 422, each value outside the contract.
        headers: Headers to send with it.
    """
    problem = {
        "type": f"urn:canopy:problem:{KINDS.get(HTTPStatus(status), 'http')}",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        "request_id": request_id(request.scope),
        "errors": errors,
    }
    # The outermost errors are answered outside the middleware that adds the id to every other reply.
    all_headers = {REQUEST_ID_HEADER: request_id(request.scope), **(headers or {})}
    return Response(to_json(problem), status_code=status, headers=all_headers, media_type=PROBLEM_JSON)


async def _outside_contract(request: Request, error: Exception) -> Response:
    violations = error.violations if isinstance(error, OutsideContract) else ()
    return problem_reply(request, HTTPStatus.UNPROCESSABLE_ENTITY, str(error), errors=violations)


async def _no_model(request: Request, error: Exception) -> Response:
    headers = {"Retry-After": RETRY_AFTER_S}
    return problem_reply(request, HTTPStatus.SERVICE_UNAVAILABLE, str(error), headers=headers)


async def _http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    detail = {
        HTTPStatus.NOT_FOUND: f"There is nothing at {request.url.path}. The paths are in /openapi.json.",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{request.url.path} does not know {request.method}.",
    }.get(HTTPStatus(error.status_code), error.detail)
    return problem_reply(request, error.status_code, detail, headers=error.headers)


async def _cut_short(request: Request, _: Exception) -> Response:
    return problem_reply(request, HTTPStatus.BAD_REQUEST, "The request ended before its body did.")


async def _internal(request: Request, error: Exception) -> Response:
    detail = "The service failed. Its log has the reason, under this request id."
    LOG.error("request_failed request_id=%s error=%s", request_id(request.scope), type(error).__name__)
    return problem_reply(request, HTTPStatus.INTERNAL_SERVER_ERROR, detail)


def problem_schema(description: str) -> dict[str, object]:
    """How OpenAPI shows a problem."""
    reference = f"#/components/schemas/{Problem.__name__}"
    return {"description": description, "content": {PROBLEM_JSON: {"schema": {"$ref": reference}}}}
