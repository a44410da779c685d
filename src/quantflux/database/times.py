"""Instants as the tables keep them: whole microseconds of UTC since 1970."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(instant: datetime) -> int:
    """Return an aware instant as microseconds since 1970, without going through a float.

    Examples
    --------
    >>> to_micros(datetime(2024, 1, 2, tzinfo=UTC))
    1704153600000000
    """
    return (instant - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return the instant, aware, in UTC.

    Examples
    --------
    >>> from_micros(1704153600000001).isoformat()
    '2024-01-02T00:00:00.000001+00:00'
    """
    return _EPOCH + timedelta(microseconds=micros)
