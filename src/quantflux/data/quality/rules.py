"""What a rule is, and what the rules may know about the rows they judge.

A rule is a small immutable object: its test is a Polars expression over a whole batch, true where a row offends.
Row rules look at one row; sequence rules look at a row beside the one before it of the same symbol, and run on the
rows that the row rules left standing, so that one bad bar does not accuse its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

import numpy as np
import polars as pl

from quantflux.core.clock import Clock, trading_date
from quantflux.data.schema import Dataset, TimeKind


class Severity(StrEnum):
    """What happens to a row that offends."""

    QUARANTINE = "quarantine"
    """The row (or one cell of it) is kept out of the store; its raw values stay in the ledger."""
    FLAG = "flag"
    """The row is stored as it is; the ledger says what is odd about it."""


class Adjustment(StrEnum):
    """How the prices of a batch relate to the prices that were traded."""

    RAW = "raw"
    MULTIPLICATIVE = "multiplicative"
    """Scaled by the vendor: returns are right, levels of the past are not."""
    SUBTRACTIVE = "subtractive"
    """Shifted by the vendor: even returns are wrong, and old prices may be zero or negative."""
    ROUNDED = "rounded"
    """Adjusted by the vendor and rounded to the tick: the method cannot be told."""

    @property
    def by_vendor(self) -> bool:
        """Whether the vendor changed the prices."""
        return self is not Adjustment.RAW


class Scope(StrEnum):
    """What a rule looks at."""

    ROW = "row"
    SEQUENCE = "sequence"
    DAY_PAIR = "day pair"
    """The minute bars of a day beside the daily bar."""
    EX_DATE = "ex-date"
    """The corporate actions of a day beside what the adjustment factor does."""


@dataclass(frozen=True)
class Context:
    """What is known about a batch beside its rows.

    Attributes
    ----------
    dataset : Dataset
    sessions : array of datetime64[D]
        Trading days, sorted. Days before the first or after the last are not judged.
    adjustment : Adjustment
    listed : mapping of symbol to date
        Listing days where known. For other symbols the first rows seen are taken for the first days of listing.
    latest : date or None
        Last day that can have traded already; None means not to ask.
    """

    dataset: Dataset
    sessions: np.ndarray
    adjustment: Adjustment = Adjustment.RAW
    listed: Mapping[str, date] = field(default_factory=dict)
    latest: date | None = None

    @property
    def price_slack(self) -> float:
        """Relative difference below which two adjusted prices are the same: vendors keep single precision."""
        return 1e-5 if self.adjustment.by_vendor else 1e-9


@dataclass(frozen=True, slots=True)
class Rule:
    """One check.

    Attributes
    ----------
    id : str
        Stable name, as in the ledger.
    description : str
        What an offending row is, in one clause.
    test : callable
        From a context to an expression that is true where a row offends. Null counts as false.
    shows : tuple of str
        Columns whose values explain an offence.
    cell : str
        For quarantine: the one column that is emptied; empty means the whole row is kept out.
    needs : tuple of str
        Columns without which the rule does not apply.
    raw_only : bool
        Makes sense only for prices as traded.
    """

    id: str
    description: str
    severity: Severity
    test: Callable[[Context], pl.Expr]
    shows: tuple[str, ...]
    scope: Scope = Scope.ROW
    cell: str = ""
    needs: tuple[str, ...] = ()
    kinds: tuple[TimeKind, ...] = (TimeKind.DAY, TimeKind.MINUTE)
    raw_only: bool = False

    def applies(self, context: Context, columns: list[str]) -> bool:
        """Whether this rule has anything to say about such a batch."""
        return (
            context.dataset.kind in self.kinds
            and not (self.raw_only and context.adjustment.by_vendor)
            and all(name in columns for name in self.needs)
        )


def latest_day(dataset: Dataset, clock: Clock) -> date:
    """Return the last day that rows may be dated: tomorrow for days, as stores allow; today for minutes."""
    today = trading_date(clock.now())
    return today + timedelta(days=1) if dataset.kind is TimeKind.DAY else today
