"""A request of the API as plain values, before anything is known of servers and credentials."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

import orjson

Document: TypeAlias = dict[str, Any]
"""A JSON document whose shape the API's description leaves open."""

_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})


@dataclass(frozen=True)
class Call:
    """One request.

    Attributes
    ----------
    method : str
    path : str
        As the API's description has it: `/api/v2/factors/{name}`.
    places : mapping
        What stands in the braces.
    query : mapping
        Parameters; those that are None are left out.
    body : mapping or None
        JSON; None sends no body.
    keyed : bool
        Whether the operation takes an Idempotency-Key.
    """

    method: str
    path: str
    places: Mapping[str, Any] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    keyed: bool = False

    @property
    def target(self) -> str:
        """Path and query as they are sent.

        Examples
        --------
        >>> Call("GET", "/bars/{symbol}", {"symbol": "a/b"}, {"start": date(2024, 1, 2), "end": None}).target
        '/bars/a%2Fb?start=2024-01-02'
        """
        path = re.sub(r"\{(\w+)\}", lambda found: _segment(self.places[found[1]]), self.path)
        given = {name: text(value) for name, value in self.query.items() if value is not None}
        return f"{path}?{urlencode(given)}" if given else path

    @property
    def content(self) -> bytes | None:
        """The body as it is sent."""
        if self.body is None:
            return None
        return orjson.dumps(self.body, default=_plain, option=orjson.OPT_SERIALIZE_NUMPY)

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice does no more than sending it once."""
        return self.keyed or self.method in _REPEATABLE


def given(**values: Any) -> dict[str, Any]:
    """Return the values that are not None: the rest of a body is left to the server's defaults.

    Examples
    --------
    >>> given(factors=["classic"], start=None)
    {'factors': ['classic']}
    """
    return {name: value for name, value in values.items() if value is not None}


def text(value: object) -> str:
    """Return a value as it stands in an address: days in ISO form, lists with commas.

    Examples
    --------
    >>> text(["600519.SH", "000001.SZ"]), text(True), text(date(2024, 1, 2))
    ('600519.SH,000001.SZ', 'true', '2024-01-02')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ",".join(text(part) for part in value)
    return str(value)


def _segment(value: object) -> str:
    written = quote(text(value), safe="")
    # A dot segment would be resolved away on the way, and another path be asked for.
    return written.replace(".", "%2E") if written in (".", "..") else written


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence | set | frozenset):
        return list(value)
    raise TypeError(f"{type(value).__name__} is nothing that JSON has")
