"""Which of the names compared meet conditions, and how many fail each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from quantflux.core.calendar import TradingCalendar
from quantflux.core.errors import InvalidRequest
from quantflux.core.gaps import carried_forward
from quantflux.core.instruments import InstrumentTable
from quantflux.core.symbols import Board
from quantflux.data.access import DataAccessLayer
from quantflux.data.contract import Query
from quantflux.data.schema import DAILY, INSTRUMENTS
from quantflux.factors.formula import formula
from quantflux.factors.registry import FactorRegistry
from quantflux.rules import price_limits
from quantflux.rules.boards import boards_of
from quantflux.scoring.comparison import Comparison
from quantflux.scoring.request import Filters
from quantflux.scoring.values import values_of


class Scored(Protocol):
    """Scores and their percentile ranks (0 to 100), shape (N,); NaN without."""

    @property
    def scores(self) -> np.ndarray:
        """Scores."""

    @property
    def percentiles(self) -> np.ndarray:
        """Percentile ranks."""


@dataclass(frozen=True, eq=False)
class Screened:
    """Who is left, and why others are not.

    Attributes
    ----------
    kept : array of bool, shape (N,)
    left_out : tuple of (str, int)
        Conditions in the order in which they were asked, and how many names they took away that were left till then.
    """

    kept: np.ndarray
    left_out: tuple[tuple[str, int], ...]


class Screener:
    """Applies filters at the close of a day.

    Parameters
    ----------
    data : DataAccessLayer
    registry : FactorRegistry
    calendar : TradingCalendar
        For sessions since the listing.
    comparison : Comparison
        The day is its last.
    """

    def __init__(
        self,
        data: DataAccessLayer,
        registry: FactorRegistry,
        calendar: TradingCalendar,
        comparison: Comparison,
    ) -> None:
        self._data, self._registry, self._calendar, self._on = data, registry, calendar, comparison

    def screen(
        self, filters: Filters, among: np.ndarray, scored: Scored | None = None, *, where: str = ""
    ) -> Screened:
        """Return which of some names, bool of shape (N,), meet all conditions, and one more expression if given.

        Raises
        ------
        InvalidRequest
            If an industry is unknown, or an expression has a mistake.
        NotFound
            If an expression names what there is not, or reads a field without data.
        """
        kept, told = among.copy(), []
        conditions = self._conditions(filters, scored)
        if where:
            conditions.append((f"do not meet {where}", self._where(where, "where")))
        for reason, meets in conditions:
            if gone := int((kept & ~meets).sum()):
                told.append((reason, gone))
            kept &= meets
        return Screened(kept, tuple(told))

    def _conditions(self, filters: Filters, scored: Scored | None) -> list[tuple[str, np.ndarray]]:
        found: list[tuple[str, np.ndarray]] = []
        symbols = self._on.symbols
        if filters.exclude:
            found.append(("excluded by symbol", ~np.isin(symbols, filters.exclude)))
        if filters.boards:
            boards = np.array([board or Board.OTHER.value for board in boards_of(symbols)])
            found.append(("of other boards", np.isin(boards, filters.boards)))
        if filters.industries:
            found.append(("of other industries", self._of_industries(filters.industries)))
        if filters.listed_days:
            words = f"listed for less than {filters.listed_days} sessions"
            found.append((words, self._listed_days() >= filters.listed_days))
        if not (filters.limit_up and filters.limit_down):
            found += self._at_limits(filters)
        if filters.least_amount is not None:
            words = f"traded less than {filters.least_amount:,.0f} yuan a day over {filters.amount_days} days"
            found.append((words, self._mean_amount(filters.amount_days) >= filters.least_amount))
        if filters.where:
            found.append((f"do not meet {filters.where}", self._where(filters.where, "filters.where")))
        if scored is not None:
            found += _of_scores(filters, scored)
        return found

    def _of_industries(self, wanted: tuple[str, ...]) -> np.ndarray:
        there = sorted(set(self._on.industries) - {""})
        if unknown := [name for name in wanted if name not in there]:
            known = ", ".join(there) or "none, as no instruments are stored"
            raise InvalidRequest(f"filters.industries: {', '.join(unknown)} is unknown; there are: {known}")
        return np.isin(np.array(self._on.industries), wanted)

    def _listed_days(self) -> np.ndarray:
        """Return sessions since the listing of each name; of one whose listing is unknown, since its first bar."""
        symbols, today = self._on.symbols, self._on.times[-1:].astype("datetime64[D]")
        listed = np.full(len(symbols), np.datetime64("NaT"), dtype="datetime64[D]")
        instruments = self._data.read(Query(INSTRUMENTS))
        if instruments.num_rows:
            listed = InstrumentTable.from_table(instruments).list_dates(symbols)
        if (unknown := np.isnat(listed)).any():
            table = self._data.coverage(DAILY)
            first = dict(
                zip(table.column("symbol").to_pylist(), table.column("first").to_pylist(), strict=True)
            )
            listed[unknown] = [np.datetime64(first[symbol], "D") for symbol in symbols[unknown].tolist()]
        before = self._calendar.sessions_before
        return np.asarray(before(today)[0] - before(listed))

    def _at_limits(self, filters: Filters) -> list[tuple[str, np.ndarray]]:
        loaded = self._on.loaded
        standing, close = loaded.standing, loaded.raw["close"]
        limits = (
            price_limits(loaded.raw)
            if standing is None
            else price_limits(
                loaded.raw, standing.special, delisting=standing.delisting, listed=standing.listed
            )
        )
        found = []
        if not filters.limit_up:
            found.append(("closed at their upper price limit", ~limits.at_up(close)[-1]))
        if not filters.limit_down:
            found.append(("closed at their lower price limit", ~limits.at_down(close)[-1]))
        return found

    def _mean_amount(self, days: int) -> np.ndarray:
        """Return yuan traded a day; days without trade count as 0."""
        raw = self._on.loaded.raw
        volume = raw["volume"][-days:]
        amount = raw["amount"][-days:] if "amount" in raw else np.full(volume.shape, np.nan)
        about = volume * carried_forward(raw["close"])[-days:]
        return np.asarray(np.nan_to_num(np.where(np.isnan(amount), about, amount)).mean(axis=0))

    def _where(self, text: str, key: str) -> np.ndarray:
        found = formula(self._registry, text, key)
        loaded = self._on.loaded
        (values,) = values_of(self._data, [found], loaded, len(loaded.raw.times) - 1)
        return np.asarray(values[-1] > 0)  # NaN, unknown, is not met


def _of_scores(filters: Filters, scored: Scored) -> list[tuple[str, np.ndarray]]:
    found: list[tuple[str, np.ndarray]] = []
    if filters.least_score is not None:
        found.append((f"scored below {filters.least_score:g}", scored.scores >= filters.least_score))
    if filters.most_score is not None:
        found.append((f"scored above {filters.most_score:g}", scored.scores <= filters.most_score))
    if filters.least_percentile is not None:
        words = f"ranked below the percentile {filters.least_percentile:g}"
        found.append((words, scored.percentiles >= filters.least_percentile))
    return found
