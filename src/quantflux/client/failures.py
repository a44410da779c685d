"""Refusals of the server as the errors that a local caller would get."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from quantflux.core import errors

NOTHING_DONE = frozenset({"limit_reached", "busy"})
"""Codes that promise that nothing was done, so that anything may be sent again."""


class ServerUnreachable(errors.QuantfluxError, ConnectionError):  # noqa: N818 - as the tree of core.errors names them
    """The server could not be reached, or the connection broke before its answer was complete."""

    retryable = True


_BY_CODE: Mapping[str, type[errors.QuantfluxError]] = {
    "invalid_request": errors.InvalidRequest,
    "unsupported": errors.Unsupported,
    "invalid_expression": errors.ExpressionError,
    "not_found": errors.NotFound,
    "unknown_dataset": errors.UnknownDataset,
    "unknown_symbol": errors.UnknownSymbol,
    "invalid_data": errors.InvalidData,
    "not_authenticated": errors.NotAuthenticated,
    "forbidden": errors.Forbidden,
    "conflict": errors.Conflict,
    "limit_reached": errors.LimitReached,
    "busy": errors.Busy,
    "cancelled": errors.Cancelled,
    "configuration": errors.ConfigError,
    "not_installed": errors.MissingDependency,
    "store_failed": errors.StoreError,
    "store_unavailable": errors.StoreUnavailable,
    "store_full": errors.StoreFull,
    "outcome_unknown": errors.OutcomeUnknown,
    "partial_write": errors.PartialWrite,
    "version_conflict": errors.VersionConflict,
    "store_corrupt": errors.StoreCorrupt,
    "store_refused": errors.AccessDenied,
    "not_optimised": errors.OptimisationError,
    "infeasible": errors.Infeasible,
    "unbounded": errors.Unbounded,
    "source_failed": errors.SourceError,
    "source_unavailable": errors.SourceUnavailable,
    "source_rate_limited": errors.RateLimited,
    "source_changed": errors.SourceChanged,
    "internal": errors.QuantfluxError,
}

_BY_STATUS: Mapping[int, type[errors.QuantfluxError]] = {
    400: errors.InvalidRequest,
    401: errors.NotAuthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    405: errors.Unsupported,
    409: errors.Conflict,
    413: errors.InvalidRequest,
    415: errors.InvalidRequest,
    422: errors.InvalidRequest,
    429: errors.LimitReached,
    503: errors.Busy,
    504: errors.OutcomeUnknown,
}
"""For codes that a newer server may have, and for what stands between us and the server."""

# What an error knows of itself where it is raised, as far as an answer may not say it.
_FACTS: Mapping[type[errors.QuantfluxError], Mapping[str, Any]] = {
    errors.ExpressionError: {
        "problem": "",
        "hint": "",
        "text": "",
        "offset": 0,
        "width": 1,
        "line": 1,
        "column": 1,
    },
    errors.UnknownDataset: {"name": "", "known": ()},
    errors.UnknownSymbol: {"symbols": (), "dataset": "", "similar": ()},
    errors.InvalidData: {"dataset": "", "column": "", "rule": "", "row": None, "count": 1},
    errors.Forbidden: {"permission": ""},
    errors.LimitReached: {"retry_after": 1.0},
    errors.ConfigError: {"problems": ()},
    errors.MissingDependency: {"package": "", "extra": ""},
    errors.PartialWrite: {"accepted": 0, "rejected": ()},
    errors.StoreCorrupt: {"path": ""},
    errors.OptimisationError: {"status": ""},
    errors.Infeasible: {"status": "", "diagnosis": None},
    errors.Unbounded: {"status": ""},
    errors.RateLimited: {"retry_after": None},
}


def failure(code: str, detail: str, facts: Mapping[str, Any] | None = None) -> errors.QuantfluxError:
    """Return the error of a code that stands in an answer or in a job.

    Parameters
    ----------
    code : str
        A code that is not known gives the root of the tree.
    detail : str
        The message.
    facts : mapping, optional
        The error's attributes, as far as the answer has them.

    Examples
    --------
    >>> failure("not_found", "No model is called x."), failure("unheard_of", "?")
    (NotFound('No model is called x.'), QuantfluxError('?'))
    """
    return _made(_BY_CODE.get(code, errors.QuantfluxError), detail, facts or {})


def problem_of(body: bytes) -> Mapping[str, Any]:
    """Return the problem document of an answer; empty if it has none."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("code"), str) else {}


def refusal(
    status: int, headers: Mapping[str, str], body: bytes, asked: str, url: str
) -> errors.QuantfluxError:
    """Return the error that an answer of 4xx or 5xx stands for.

    Parameters
    ----------
    asked : str
        Method and path, for the note of the error.
    url : str
        The server.
    """
    problem = problem_of(body)
    if problem:
        kind = _BY_CODE.get(problem["code"]) or _BY_STATUS.get(status, errors.QuantfluxError)
        message = str(problem.get("detail") or problem.get("title") or problem["code"])
    else:
        kind = _BY_STATUS.get(status, errors.QuantfluxError)
        message = f"{url} answered {status} to {asked}, but not as quantflux does. Is it a quantflux server?"
    wait = seconds(headers.get("retry-after"))
    facts = dict(problem) if wait is None else {**problem, "retry_after": wait}
    made = _made(kind, message, facts)
    number = headers.get("x-request-id") or problem.get("request_id")
    made.add_note(f"{asked} at {url}: {status}" + (f", request {number}" if number else ""))
    return made


def seconds(text: str | None) -> float | None:
    """Return what Retry-After says in seconds; None if it is absent or a date, which no server of ours writes.

    Examples
    --------
    >>> seconds("3"), seconds("soon"), seconds(None)
    (3.0, None, None)
    """
    return float(text) if text is not None and re.fullmatch(r"[0-9]{1,9}", text) else None


def _made(kind: type[errors.QuantfluxError], message: str, facts: Mapping[str, Any]) -> errors.QuantfluxError:
    # Not through its own constructor, which writes the message from facts that only the server has.
    builtin: Any = next((each for each in (OSError, ImportError) if issubclass(kind, each)), Exception)
    made: errors.QuantfluxError = builtin.__new__(kind, message)
    builtin.__init__(made, message)
    for ancestor in kind.__mro__:
        for name, otherwise in _FACTS.get(ancestor, {}).items():
            value = facts.get(name, otherwise)
            setattr(made, name, tuple(value) if isinstance(value, list) else value)
    return made
