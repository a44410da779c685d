"""Which error gets which answer: one table, and problem+json (RFC 9457) for all of them."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException

from quantflux.api.exchange import KEY
from quantflux.core import errors
from quantflux.observability.metrics import requests_refused

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
_SHOWN = 20
_LONGEST_DETAIL = 4000


class Verdict(NamedTuple):
    """Status and stable code of an error; `retry` is what Retry-After says where the error itself does not."""

    status: int
    code: str
    retry: int = 0


TABLE: Mapping[type[Exception], Verdict] = {
    errors.InvalidRequest: Verdict(422, "invalid_request"),
    errors.Unsupported: Verdict(422, "unsupported"),
    errors.ExpressionError: Verdict(422, "invalid_expression"),
    errors.NotFound: Verdict(404, "not_found"),
    errors.UnknownDataset: Verdict(404, "unknown_dataset"),
    errors.UnknownSymbol: Verdict(404, "unknown_symbol"),
    errors.InvalidData: Verdict(422, "invalid_data"),
    errors.NotAuthenticated: Verdict(401, "not_authenticated"),
    errors.Forbidden: Verdict(403, "forbidden"),
    errors.Conflict: Verdict(409, "conflict"),
    errors.LimitReached: Verdict(429, "limit_reached"),
    errors.Busy: Verdict(503, "busy", 2),
    errors.Cancelled: Verdict(409, "cancelled"),
    errors.ConfigError: Verdict(500, "configuration"),
    errors.MissingDependency: Verdict(501, "not_installed"),
    errors.StoreError: Verdict(500, "store_failed"),
    errors.StoreUnavailable: Verdict(503, "store_unavailable", 5),
    errors.StoreFull: Verdict(507, "store_full"),
    errors.OutcomeUnknown: Verdict(504, "outcome_unknown"),
    errors.PartialWrite: Verdict(422, "partial_write"),
    errors.VersionConflict: Verdict(409, "version_conflict"),
    errors.StoreCorrupt: Verdict(500, "store_corrupt"),
    errors.AccessDenied: Verdict(500, "store_refused"),
    errors.OptimisationError: Verdict(422, "not_optimised"),
    errors.Infeasible: Verdict(422, "infeasible"),
    errors.Unbounded: Verdict(422, "unbounded"),
    errors.SourceError: Verdict(502, "source_failed"),
    errors.SourceUnavailable: Verdict(502, "source_unavailable"),
    errors.RateLimited: Verdict(503, "source_rate_limited", 60),
    errors.SourceChanged: Verdict(502, "source_changed"),
    errors.QuantfluxError: Verdict(500, "internal"),
    RequestValidationError: Verdict(422, "invalid_request"),
}
"""The nearest class in an error's family decides. What is not here is a bug: 500, and nothing of it is told."""

_SAID = {
    500: "The server failed; the request id leads to the cause in its log.",
    501: "This installation lacks a part that the request needs.",
    502: "A vendor of data failed.",
    503: "The server cannot do this now. Nothing was done; try again later.",
    504: "The answer of the store was lost: the change may have been made. Send the identical request again.",
    507: "The server has no space left. Nothing was written.",
}
_TELLING = (errors.Busy, errors.MissingDependency)  # their messages are written for callers


class Problem(HTTPException):
    """An answer that says what is wrong with the request as HTTP; for what no class of `core.errors` is.

    An exception of FastAPI's, as it hides every other one that is raised while it reads a body.

    Parameters
    ----------
    status : int
    code : str
        Stable, for programs.
    detail : str
        For people.
    headers : mapping, optional
    """

    def __init__(self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.code = code


def verdict_of(kind: type[BaseException]) -> Verdict:
    """Return what an error's class means as HTTP.

    Examples
    --------
    >>> verdict_of(errors.StoreFull).status, verdict_of(ZeroDivisionError).status
    (507, 500)
    """
    for ancestor in kind.__mro__:
        if ancestor in TABLE:
            return TABLE[ancestor]
    return Verdict(500, "internal")


def document(status: int, code: str, detail: str, request_id: str, **more: Any) -> bytes:
    """Return a problem document as bytes."""
    shown = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": request_id,
        **more,
    }
    return orjson.dumps(shown)


def answer_for(exc: BaseException, request_id: str) -> Response:
    """Return the answer that an error gets, and log what only the operator may know."""
    if isinstance(exc, Problem):
        return _answer(exc.status_code, exc.code, str(exc.detail), request_id, exc.headers)
    if isinstance(exc, StarletteHTTPException):
        return _of_framework(exc, request_id)
    if isinstance(exc, RequestValidationError):
        return _of_validation(exc, request_id)
    verdict = verdict_of(type(exc))
    headers = _headers(exc, verdict)
    if verdict.status < 500 or isinstance(exc, _TELLING):
        return _answer(verdict.status, verdict.code, _short(str(exc)), request_id, headers, **_facts(exc))
    logger.error("request %s failed: %s", request_id, type(exc).__name__, exc_info=exc)
    said = _SAID.get(verdict.status, _SAID[500])
    return _answer(verdict.status, verdict.code, said, request_id, headers)


def install(app: FastAPI) -> None:
    """Make an application answer every error by the table."""

    async def answered(request: Request, exc: Exception) -> Response:
        return answer_for(exc, request.scope[KEY].request_id)

    for kind in (errors.QuantfluxError, RequestValidationError, StarletteHTTPException):
        app.add_exception_handler(kind, answered)


def _answer(
    status: int,
    code: str,
    detail: str,
    request_id: str,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    requests_refused.labels(code).inc()  # codes are ours, so there are few
    body = document(status, code, detail, request_id, **more)
    return Response(body, status, dict(headers or {}), MEDIA_TYPE)


def _headers(exc: BaseException, verdict: Verdict) -> dict[str, str]:
    headers = {}
    retry = getattr(exc, "retry_after", None) or verdict.retry
    if retry:
        headers["Retry-After"] = str(max(1, math.ceil(retry)))
    if verdict.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="quantflux"'
    return headers


def _facts(exc: BaseException) -> dict[str, Any]:
    """Return the facts of an error that a program can act on."""
    if isinstance(exc, errors.ExpressionError):
        return {"offset": exc.offset, "width": exc.width, "line": exc.line, "column": exc.column}
    if isinstance(exc, errors.UnknownSymbol):
        return {"symbols": list(exc.symbols[:_SHOWN]), "similar": list(exc.similar[:_SHOWN])}
    if isinstance(exc, errors.Infeasible) and exc.diagnosis is not None:
        return {"diagnosis": dict(exc.diagnosis)}
    if isinstance(exc, errors.Forbidden) and exc.permission:
        return {"permission": exc.permission}
    return {}


_FRAMEWORK = {400: "bad_request", 404: "no_such_path", 405: "method_not_allowed", 413: "body_too_large"}


def _of_framework(exc: StarletteHTTPException, request_id: str) -> Response:
    code = _FRAMEWORK.get(exc.status_code, "bad_request" if exc.status_code < 500 else "internal")
    detail = {404: "No such path.", 405: "This path does not take that method."}.get(exc.status_code)
    return _answer(exc.status_code, code, detail or str(exc.detail), request_id, exc.headers)


def _of_validation(exc: RequestValidationError, request_id: str) -> Response:
    """Name each field and what is wrong with it; never repeat the value, which may be a password."""
    found: Sequence[Any] = exc.errors()
    problems = [{"field": _place(e["loc"]), "problem": str(e["msg"])} for e in found[:_SHOWN]]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    detail = "; ".join(f"{p['field']}: {p['problem']}" for p in problems[:5]) + more
    return _answer(422, "invalid_request", detail, request_id, problems=problems)


def _short(text: str) -> str:
    """Bound a message that may list as many mistakes as somebody cared to send."""
    return text if len(text) <= _LONGEST_DETAIL else f"{text[:_LONGEST_DETAIL]} ..."


def _place(parts: Sequence[Any]) -> str:
    # A key of the body may be anything that the caller likes, of any length.
    return ".".join(str(part)[:64] for part in parts[:8])
