"""How v1 wrapped its answers: two families, each with its own shape of success and of error.

`/api/stocks*`, `/api/industries`, `/api/areas` and `/api/analysis*` answer `{code, message, data}`;
`/api/ml-factor*` answers `{success: true, ...}`, and errors as `{error}`. Keys are sorted, as Flask sorted them; what
is no number is null, and days are ISO 8601.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

import orjson
from fastapi import Response

from quantflux.api.errors import answer_for

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


class Refused(Exception):  # noqa: N818 - it becomes an answer of v1
    """What v1 refuses, in its words.

    Parameters
    ----------
    status : int
    message : str
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class File:
    """A file to be downloaded, in place of JSON."""

    def __init__(self, content: bytes, name: str, media_type: str) -> None:
        self.content, self.name, self.media_type = content, name, media_type


class Family(Enum):
    """The routes that share an envelope."""

    STOCKS = "stocks"
    FACTORS = "ml-factor"

    def done(self, found: Any, message: str) -> Response:
        """Return a success; what a factor route found is a mapping."""
        if isinstance(found, File):
            headers = {"Content-Disposition": f'attachment; filename="{found.name}"'}
            return Response(found.content, headers=headers, media_type=found.media_type)
        if self is Family.STOCKS:
            return _json({"code": 200, "message": message, "data": found})
        return _json({"success": True, **found})

    def failed(self, exc: Exception, request_id: str) -> Response:
        """Return an error: the status and words of quantflux, the shape of v1.

        v1 knew no 422: what cannot be understood is its 400.
        """
        if isinstance(exc, Refused):
            return self._error(exc.status, exc.message)
        answer = answer_for(exc, request_id)
        told = orjson.loads(bytes(answer.body))
        status = 400 if answer.status_code == 422 else answer.status_code
        kept = {
            name: answer.headers[name]
            for name in ("retry-after", "www-authenticate")
            if name in answer.headers
        }
        return self._error(status, str(told["detail"]), kept)

    def _error(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
        if self is Family.STOCKS:
            return _json({"code": status, "message": message, "data": None}, status, headers)
        return _json({"error": message}, status, headers)


def _json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    body = orjson.dumps(value, option=_OPTIONS)
    return Response(body, status, dict(headers or {}), "application/json")
