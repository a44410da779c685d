"""What a strategy is to the simulator: asked on rows of its choice, shown the past and today's open and no more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from quantflux.backtest.decisions import Decisions, Kind
from quantflux.backtest.orders import Targets
from quantflux.backtest.venue import Venue
from quantflux.core.errors import InvalidRequest, NotFound


@dataclass(frozen=True, eq=False)
class Weights:
    """Parts of the account to hold; what is not named is sold.

    Attributes
    ----------
    columns : array of int, shape (k,)
        Each name once.
    weights : array of float64, shape (k,)
        0 or more with a sum of at most 1; NaN leaves a holding as it is.
    """

    columns: np.ndarray
    weights: np.ndarray

    def decision(self, row: int) -> Decisions:
        """Return it as a decision taken at the close of a row."""
        if len(np.unique(self.columns)) != len(self.columns):
            raise InvalidRequest("weights name a column twice; name each once")
        return _decision(row, Kind.REPLACE, self.columns, self.weights, None)


@dataclass(frozen=True, eq=False)
class Orders:
    """Shares to buy, or to sell if negative, until the end of the day. They take the place of all open orders.

    Attributes
    ----------
    columns : array of int, shape (k,)
    shares : array of float64, shape (k,)
        Purchases get the cash there is in this order.
    limits : array of float64, shape (k,), optional
        Limit prices in yuan, NaN for market orders; all are market orders without it.
    """

    columns: np.ndarray
    shares: np.ndarray
    limits: np.ndarray | None = None

    def decision(self, row: int) -> Decisions:
        """Return it as a decision taken at the close of a row."""
        return _decision(row, Kind.ORDERS, self.columns, self.shares, self.limits)


def _decision(
    row: int, kind: Kind, columns: np.ndarray, values: np.ndarray, limits: np.ndarray | None
) -> Decisions:
    lengths = {len(columns), len(values), len(columns if limits is None else limits)}
    if len(lengths) != 1:
        raise InvalidRequest(f"a decision needs arrays of one length, had {sorted(lengths)}")
    if len(columns) and (np.asarray(columns).dtype.kind not in "iu" or not _are_numbers(np.asarray(values))):
        raise InvalidRequest(
            f"a decision needs whole numbers of columns and a number for each, had {np.asarray(columns).dtype} "
            f"and {np.asarray(values).dtype}"
        )
    return Decisions.of(np.array([row]), kind, [len(columns)], columns, values, limits)


def _are_numbers(values: np.ndarray) -> bool:
    return values.dtype.kind in "biuf"


class Past:
    """Arrays of a market of which the simulator uncovers one row after the other.

    What has not happened yet is not in memory that a policy could reach: rows are copied in as they come to be known.
    """

    def __init__(self, fields: Mapping[str, np.ndarray]) -> None:
        self._sources = dict(fields)
        self._known: dict[str, tuple[np.ndarray, int]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Fields there are."""
        return tuple(self._sources)

    def until(self, name: str, stop: int) -> np.ndarray:
        """Return the rows of a field before `stop`, read-only; `NotFound` lists the fields there are."""
        if name not in self._sources:
            raise NotFound(f"a policy is not shown {name!r}; it is shown: {', '.join(self._sources)}")
        source = self._sources[name]
        shown, count = self._known.get(name) or (np.zeros(source.shape, dtype=source.dtype), 0)
        shown[count:stop] = source[count:stop]
        self._known[name] = shown, max(stop, count)
        view = shown[:stop]
        view.flags.writeable = False
        return view


@dataclass(frozen=True, eq=False)
class View(Mapping[str, np.ndarray]):
    """What a policy is shown: fields up to the close of the decision's row, and the open at which it will be traded.

    Fields are read as `view["close"]`, read-only arrays of shape (row + 1, N): the `open`, `high`, `low`, `close`,
    `volume` and where known `amount` of the venue, and whatever fields the simulation was given.

    Attributes
    ----------
    row : int
        At whose close is decided.
    times : array of datetime64, shape (row + 1,)
    symbols : array of str, shape (N,)
    open : array of float64, shape (N,)
        Of the next row, NaN where a name does not trade.
    cash : float
        Yuan, today's dividends included.
    shares, weights : array of float64, shape (N,)
        Held now, and their parts of what the account is worth at that open.
    worth : float
        Yuan.
    """

    row: int
    times: np.ndarray
    symbols: np.ndarray
    open: np.ndarray
    cash: float
    shares: np.ndarray
    weights: np.ndarray
    worth: float
    past: Past

    def __getitem__(self, name: str) -> np.ndarray:
        return self.past.until(name, self.row + 1)

    def __iter__(self) -> Iterator[str]:
        return iter(self.past.names)

    def __len__(self) -> int:
        return len(self.past.names)


Wanted = Weights | Orders | np.ndarray | None
"""What a policy may decide: weights, orders, dense weights of shape (N,), or nothing."""


@runtime_checkable
class Policy(Protocol):
    """A strategy that decides as it goes."""

    def rows(self, times: np.ndarray) -> np.ndarray:
        """Return the rows at whose close it wants to be asked, increasing; `times` has shape (T,)."""
        ...

    def decide(self, view: View) -> Wanted:
        """Return what is wanted from the next row on; None leaves everything as it is."""
        ...


@runtime_checkable
class Planned(Protocol):
    """A strategy that knows all its decisions from data of before each of them, and so runs whole in compiled code."""

    def decisions(self, venue: Venue) -> Decisions:
        """Return all decisions."""
        ...


Plan = Policy | Planned | Targets | Decisions
"""What can be simulated."""


def decision_of(wanted: Wanted, row: int, names: int) -> Decisions | None:
    """Return what a policy wants as a decision taken at the close of a row.

    Raises
    ------
    InvalidRequest
        If it is none of the things that a policy may return.
    """
    if wanted is None:
        return None
    if isinstance(wanted, np.ndarray):
        if wanted.shape != (names,) or not _are_numbers(wanted):
            raise InvalidRequest(
                f"weights of all names are numbers of shape ({names},), had {wanted.dtype} of shape {wanted.shape}"
            )
        columns = np.flatnonzero(wanted)  # NaN is not 0
        return Weights(columns, wanted[columns]).decision(row)
    if isinstance(wanted, Weights | Orders):
        return wanted.decision(row)
    raise InvalidRequest(
        f"a policy returns Weights, Orders, an array of weights or None, returned {type(wanted).__name__}"
    )
