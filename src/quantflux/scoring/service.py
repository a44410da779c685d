"""Scoring on the data of an installation: scores, choices, screens and what explains them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from quantflux.core.calendar import TradingCalendar
from quantflux.core.errors import InvalidRequest, UnknownSymbol
from quantflux.core.symbols import parse_symbol
from quantflux.data.access import DataAccessLayer
from quantflux.data.schema import DAILY
from quantflux.expressions.nodes import Field, fields_of
from quantflux.factors.engine import FactorEngine
from quantflux.factors.formula import Formula, formula
from quantflux.scoring.analysis import NameAnalysis, SectorAnalysis, analyse_name, analyse_sectors
from quantflux.scoring.comparison import Comparison, compare
from quantflux.scoring.parts import Part, parts_of
from quantflux.scoring.request import ScoreRequest, ScreenRequest
from quantflux.scoring.scores import DayScores, ScoreHistory, rows_before, scores_of_day, scores_of_days
from quantflux.scoring.screening import Screener
from quantflux.scoring.selection import Chosen, best
from quantflux.scoring.values import values_of


@dataclass(frozen=True, eq=False)
class ScreenResult:
    """The names that meet the conditions of a screen.

    Attributes
    ----------
    request : ScreenRequest
    comparison : Comparison
        Its last row is the day.
    places : array of int, shape (K,)
        Their columns, in the order asked for, at most `top`.
    found : int
        How many meet the conditions.
    columns : mapping of str to array of float64, shape (N,)
        Values of the day; NaN unknown.
    left_out : tuple of (str, int)
        Why names compared are not among them, and how many.
    """

    request: ScreenRequest
    comparison: Comparison
    places: np.ndarray
    found: int
    columns: dict[str, np.ndarray]
    left_out: tuple[tuple[str, int], ...]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One for each name, as plain values: symbol, name, industry, and the columns."""
        on = self.comparison
        return [
            {
                "symbol": str(on.symbols[place]),
                "name": on.names[place],
                "industry": on.industries[place] or None,
                **{label: _number(values[place]) for label, values in self.columns.items()},
            }
            for place in self.places.tolist()
        ]

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values, ready for JSON."""
        return {
            "trade_date": self.comparison.day.isoformat(),
            "where": self.request.where or None,
            "compared": int(self.comparison.chosen[-1].sum()),
            "found": self.found,
            "left_out": _reasons(self.comparison.left_out, self.left_out),
            "stocks": self.rows,
        }


class ScoringService:
    """Scores and screens names.

    Parameters
    ----------
    data : DataAccessLayer
    factors : FactorEngine
        Knows the factors by name.
    calendar : TradingCalendar
    """

    def __init__(self, data: DataAccessLayer, factors: FactorEngine, calendar: TradingCalendar) -> None:
        self._data, self._factors, self._calendar = data, factors, calendar

    def score(self, request: ScoreRequest) -> DayScores:
        """Return the scores of a day, of everybody compared.

        Raises
        ------
        NotFound
            If there are no bars, or no predictions, on that day (names those there are), a factor is unknown, or a
            field has no data.
        InvalidRequest
            If an expression has a mistake, trailing weights cannot be had yet, or nobody is left to compare.
        """
        parts, notes = self._parts(request)
        on = compare(self._data, self._factors.registry, request.universe, request.day, rows_before(request))
        return scores_of_day(self._data, on, parts, request, notes)

    def history(self, request: ScoreRequest, start: date, end: date | None = None) -> ScoreHistory:
        """Return the scores of all days from `start` to `end`, the request's day or the last one unless given.

        A day's row is what `score` gives for that day: nothing that is known later goes into it. Raises what
        `score` does, and `InvalidRequest` if so many days and factors do not fit into memory.
        """
        parts, notes = self._parts(request)
        last = end or request.day
        registry = self._factors.registry
        on = compare(self._data, registry, request.universe, last, rows_before(request), start)
        return scores_of_days(self._data, on, parts, request, notes)

    def select(self, request: ScoreRequest, scores: DayScores | None = None) -> Chosen:
        """Return the best names that pass the request's filters, with its caps.

        Parameters
        ----------
        scores : DayScores, optional
            Of the same request, if they are there already.
        """
        made = self.score(request) if scores is None else scores
        on = made.comparison
        screener = Screener(self._data, self._factors.registry, self._calendar, on)
        passed = screener.screen(request.filters, made.scored, made)
        caps = request.selection
        places, kept_out = best(made.scores, passed.kept, on.industries, caps.top, caps.per_industry)
        reasons = list(passed.left_out)
        if kept_out:
            reasons.append((f"good enough, but beyond {caps.per_industry} of their industry", kept_out))
        return Chosen(made, places, tuple(reasons))

    def screen(self, request: ScreenRequest) -> ScreenResult:
        """Return the names that meet conditions at the close of a day. Raises what `score` does."""
        registry = self._factors.registry
        on = compare(self._data, registry, request.universe, request.day)
        screener = Screener(self._data, registry, self._calendar, on)
        passed = screener.screen(request.filters, on.chosen[-1], where=request.where)
        columns = self._columns(request, on)
        order = np.flatnonzero(passed.kept)
        if request.sort:
            by = np.nan_to_num(columns[request.sort][order], nan=-np.inf)
            order = order[np.argsort(-by, kind="stable")]
        return ScreenResult(request, on, order[: request.top], len(order), columns, passed.left_out)

    def contributions(self, symbol: str, request: ScoreRequest) -> NameAnalysis:
        """Return where one name stands in each factor, beside the market. Raises what `score` does.

        Raises
        ------
        UnknownSymbol
            If the symbol never had a bar.
        NotFound
            If it did not trade on the day.
        """
        parsed = parse_symbol(symbol)
        if parsed not in self._data.symbols(DAILY):
            raise UnknownSymbol([parsed], DAILY.name)
        return analyse_name(self.score(request), parsed)

    def sectors(self, request: ScoreRequest, top: int = 5) -> SectorAnalysis:
        """Return the scores by industry, with the best names of each. Raises what `score` does."""
        if top < 1:
            raise InvalidRequest(f"top must be at least 1, was {top}")
        return analyse_sectors(self.score(request), top)

    def _parts(self, request: ScoreRequest) -> tuple[tuple[Part, ...], list[str]]:
        signed = request.method in {"ic", "icir"} and request.trailing.negative == "keep"
        return parts_of(self._factors, request.factors, weighed_with_sign=signed)

    def _columns(self, request: ScreenRequest, on: Comparison) -> dict[str, np.ndarray]:
        """Return what a screen shows: the fields that its expression reads, and what it is told to show and sort by."""
        registry = self._factors.registry
        wanted: dict[str, Formula] = {}
        if request.where:
            read = fields_of(formula(registry, request.where, "where").node)
            wanted |= {name: Formula(name, Field(name)) for name in read if name != "industry"}
        for place, text in enumerate(request.show, start=1):
            wanted[text] = formula(registry, text, f"show.{place}")
        if request.sort:
            wanted[request.sort] = formula(registry, request.sort, "sort")
        found = values_of(self._data, list(wanted.values()), on.loaded, len(on.times) - 1)
        return {text: values[-1] for text, values in zip(wanted, found, strict=True)}


def _reasons(*told: tuple[tuple[str, int], ...]) -> list[dict[str, Any]]:
    return [{"reason": reason, "count": count} for each in told for reason, count in each]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
