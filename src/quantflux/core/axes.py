"""The two axes of a panel: times and symbols, how they are checked and how a label is found on them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import numpy as np

from quantflux.core.clock import SHANGHAI
from quantflux.core.errors import InvalidRequest

When = date | datetime | np.datetime64 | str
"""A day or an instant; text is ISO 8601. A naive instant is Shanghai wall-clock time."""

_DAY, _SECOND = np.dtype("datetime64[D]"), np.dtype("datetime64[s]")


def is_daily(times: np.ndarray) -> bool:
    """Whether rows are days rather than instants."""
    return bool(times.dtype == _DAY)


def checked_times(times: np.ndarray) -> np.ndarray:
    """Return times that are strictly increasing days or seconds, or refuse them."""
    array = np.asarray(times)
    if array.dtype not in (_DAY, _SECOND) or array.ndim != 1:
        raise InvalidRequest(
            f"times must be one row of datetime64[D] or [s], were {array.dtype} of shape {array.shape}"
        )
    numbers = array.view(np.int64)
    if np.isnat(array).any():
        raise InvalidRequest(f"times must not be NaT, row {int(np.argmax(np.isnat(array)))} is")
    _refuse_disorder("times", array, numbers[1:] > numbers[:-1])
    return array


def checked_symbols(symbols: np.ndarray | Sequence[str]) -> np.ndarray:
    """Return symbols as one array of strictly increasing text, or refuse them."""
    if isinstance(symbols, str):
        raise InvalidRequest(f"symbols must be a list of symbols, was the text {symbols!r}")
    array = np.asarray(symbols) if len(symbols) else np.zeros(0, dtype="U9")
    if array.dtype.kind == "O" and all(isinstance(s, str) for s in array.tolist()):
        array = array.astype(np.str_)
    if array.dtype.kind != "U" or array.ndim != 1:
        raise InvalidRequest(f"symbols must be one row of text, were {array.dtype} of shape {array.shape}")
    _refuse_disorder("symbols", array, array[1:] > array[:-1])
    return array


def _refuse_disorder(what: str, labels: np.ndarray, rising: np.ndarray) -> None:
    if not rising.all():
        at = int(np.argmin(rising))
        raise InvalidRequest(
            f"{what} must be sorted without repeats; "
            f"{labels[at + 1]} stands after {labels[at]} at position {at + 1}"
        )


def shared_positions(new: np.ndarray, old: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return positions in `new` and in `old` of the labels that both have."""
    _, in_new, in_old = np.intersect1d(new, old, assume_unique=True, return_indices=True)
    return in_new, in_old


def moment_of(when: When, dtype: np.dtype[np.datetime64], *, end_of_day: bool) -> np.datetime64:
    """Return a day or instant in the panel's unit. Among instants a day is its first or last second."""
    exact = _parsed(when)
    if dtype == _DAY:
        return exact.astype(_DAY)
    if exact.dtype == _DAY:
        return exact.astype(_SECOND) + (86_399 if end_of_day else 0)
    floor = exact.astype(_SECOND)
    return floor if end_of_day or floor == exact else floor + 1


def _parsed(when: When) -> np.datetime64:
    """Return datetime64[D] for a day and datetime64[us] for an instant, in Shanghai wall-clock time."""
    if isinstance(when, datetime):
        local = when if when.tzinfo is None else when.astimezone(SHANGHAI).replace(tzinfo=None)
        return np.datetime64(local, "us")
    if isinstance(when, date):
        return np.datetime64(when, "D")
    if isinstance(when, str):
        try:
            return _parsed(datetime.fromisoformat(when) if len(when) > 10 else date.fromisoformat(when))
        except ValueError:
            raise InvalidRequest(
                f"{when!r} is no day or instant; valid is 2024-01-02 or 2024-01-02T09:31:00"
            ) from None
    if not isinstance(when, np.datetime64) or np.isnat(when):
        raise InvalidRequest(f"a day or instant is needed, was {when!r}")
    return when if when.dtype == _DAY else when.astype("datetime64[us]")
