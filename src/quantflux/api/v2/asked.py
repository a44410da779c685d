"""What routes of market data are asked: their parameters, the caps, and how a list or an instant stands in a URL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import Path, Query

from quantflux.accounts.permissions import Permission
from quantflux.accounts.principal import Principal
from quantflux.api.access import needs
from quantflux.api.answers import Form
from quantflux.core.clock import SHANGHAI
from quantflux.core.errors import InvalidRequest
from quantflux.data.contract import AsOf, check_reach
from quantflux.data.request import Adjust, Frequency, Limits, Request, parse_request, parse_when
from quantflux.data.schema import Dataset

MAX_SYMBOLS = 500
"""Symbols that one request may name."""

PAGE_ROWS = 100_000
"""Rows of one page."""

MAX_CELLS = 1_000_000
"""Times x symbols x fields of one panel."""

CAPS = Limits(max_symbols=MAX_SYMBOLS)

Caller = Annotated[Principal, needs(Permission.MARKET_READ)]
"""Somebody who may read market data."""

_DAY_OR_INSTANT = "A day (2024-01-02) or an instant (2024-01-02T09:35; without an offset, Shanghai time)"

Symbol = Annotated[
    str,
    Path(
        max_length=40,
        description="Such as 600519.SH, sh600519 or 600519.",
        openapi_examples={"one": {"value": "600519.SH"}},
    ),
]
Symbols = Annotated[
    str | None,
    Query(
        max_length=20_000,
        description=f"Symbols separated by commas, at most {MAX_SYMBOLS}.",
        openapi_examples={"two": {"value": "600519.SH,000001.SZ"}},
    ),
]
Start = Annotated[
    str | None,
    Query(
        max_length=40,
        description=f"{_DAY_OR_INSTANT}; inclusive.",
        openapi_examples={"day": {"value": "2024-01-02"}},
    ),
]
End = Annotated[
    str | None,
    Query(
        max_length=40,
        description=f"{_DAY_OR_INSTANT}; inclusive.",
        openapi_examples={"day": {"value": "2024-12-31"}},
    ),
]
Fields = Annotated[
    str | None,
    Query(
        max_length=5_000,
        description="Names separated by commas; all if left out.",
        openapi_examples={"two": {"value": "close,volume"}},
    ),
]
FrequencyName = Annotated[str, Query(max_length=10, description=f"One of {', '.join(Frequency)}.")]
AdjustName = Annotated[
    str,
    Query(max_length=10, description=f"One of {', '.join(Adjust)}. Changes prices, never volume nor amount."),
]
Anchor = Annotated[
    str | None,
    Query(
        max_length=40,
        description="Day whose prices forward adjustment leaves as traded; the last one if left out.",
    ),
]
AsOfText = Annotated[
    str | None,
    Query(
        alias="as_of",
        max_length=40,
        description="A version of the dataset, or an instant: the rows as they stood then, if the store keeps history.",
    ),
]
FormatName = Annotated[
    str | None, Query(alias="format", max_length=10, description=f"{', '.join(Form)}; goes before Accept.")
]
RowLimit = Annotated[int, Query(ge=1, le=PAGE_ROWS, description="Most rows of the page.")]
After = Annotated[
    str | None,
    Query(max_length=40, description="Where the page before ended: what it gave as `next`."),
]
DatasetName = Annotated[
    str, Query(alias="dataset", max_length=64, description="Name of a dataset; see /api/v2/datasets.")
]

_SPACE_FOR_PLUS = re.compile(r"(T[0-9:.]+) ([0-9]{2}:?[0-9]{2})")


def names(text: str | None, parameter: str) -> list[str] | None:
    """Return the parts of a list; None stays None.

    Examples
    --------
    >>> names("open, close", "fields")
    ['open', 'close']
    """
    if text is None:
        return None
    parts = [part.strip(" ") for part in text.split(",")]
    if not all(parts):
        raise InvalidRequest(f"{parameter} must be names separated by commas, was {text!r:.60}")
    return parts


def instant(text: str | None) -> str | None:
    """Return a day or instant as it was meant: a plus sign that was not encoded in a URL arrives as a space.

    Examples
    --------
    >>> instant("2024-01-02T09:35:00 08:00")
    '2024-01-02T09:35:00+08:00'
    """
    if text is None or " " not in text:
        return text
    found = _SPACE_FOR_PLUS.search(text)
    return text if found is None else text[: found.start()] + f"{found[1]}+{found[2]}" + text[found.end() :]


def bars_asked(
    symbols: list[str] | str | None,
    start: str | None,
    end: str | None,
    frequency: str,
    fields: str | None,
    adjust: str,
    anchor: str | None,
    dataset: Dataset | None = None,
) -> Request:
    """Return what parameters of bars mean; raises what `parse_request` does."""
    return parse_request(
        CAPS,
        symbols,
        instant(start),
        instant(end),
        frequency,
        names(fields, "fields"),
        adjust,
        dataset=dataset,
        anchor=instant(anchor),
    )


def as_of_from(text: str | None) -> AsOf | None:
    """Return a version or an aware instant (naive: Shanghai time).

    Examples
    --------
    >>> as_of_from("12"), as_of_from("2024-01-02T09:35").isoformat()
    (12, '2024-01-02T09:35:00+08:00')
    """
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) < 16:
        return int(text)
    when = parse_when(instant(text), "as_of")
    if not isinstance(when, datetime):
        raise InvalidRequest(f"as_of must be a version such as 12, or an instant, was the day {text!r:.40}")
    check_reach("as_of", when)
    return when if when.tzinfo is not None else when.replace(tzinfo=SHANGHAI)


def in_forms(columns: Mapping[str, Any], csv: str, **facts: Any) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of an answer that comes in every form."""
    rows = len(next(iter(columns.values())))
    return {
        200: {
            "description": "The rows, as `format` or Accept say. Null is what was not traded or is not known.",
            "content": {
                "application/json": {"example": {**facts, "rows": rows, "columns": dict(columns)}},
                "text/csv": {"example": csv},
                "application/vnd.apache.arrow.stream": {"schema": {"type": "string", "format": "binary"}},
            },
        },
        304: {"description": "The caller has it already: If-None-Match."},
        404: {"description": "No row of a symbol that was named; similar ones are in `similar`."},
    }
