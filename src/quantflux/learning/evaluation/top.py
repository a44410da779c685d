"""The best names of a model held, under all rules of the market, beside everything it could have chosen from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quantflux.backtest import Study, Trials, Venue, equal_weighted, simulate
from quantflux.backtest.ladder import price_rules
from quantflux.backtest.policies.ranked import TopRanked
from quantflux.backtest.study import Benchmark, study_of
from quantflux.core.errors import InvalidRequest
from quantflux.factors.market_data import MarketData
from quantflux.factors.universe import Industries

_MOST, _PART = 50, 5


@dataclass(frozen=True, slots=True)
class TopPlan:
    """How the best names are held.

    Attributes
    ----------
    top : int or None
        Names held; 50 unless given, or a fifth of those with a prediction where that is fewer.
    buffer : int or None
        A name that is held stays until it ranks more than so many places below the last one; half of `top` unless
        given.
    every : int or None
        Days between decisions; the horizon of the label unless given.
    capital : float
        Yuan.
    price_rules : bool
        Whether it is told what each rule costs, which simulates the account once for each.

    Raises
    ------
    InvalidRequest
        If a number is out of its range.
    """

    top: int | None = None
    buffer: int | None = None
    every: int | None = None
    capital: float = 10_000_000.0
    price_rules: bool = True

    def __post_init__(self) -> None:
        for name, least in (("top", 1), ("buffer", 0), ("every", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise InvalidRequest(f"{name} must be {least} or more, was {value}")

    def filled(self, names: float, horizon: int) -> tuple[int, int, int]:
        """Return top, buffer and days between decisions, for so many names with a prediction on the usual day."""
        top = self.top if self.top is not None else max(min(_MOST, int(names) // _PART), 1)
        return top, top // 2 if self.buffer is None else self.buffer, self.every or horizon


@dataclass(frozen=True, eq=False)
class TopHeld:
    """What holding the best names did.

    Attributes
    ----------
    top, buffer, every : int
        As in `TopPlan`.
    study : Study
        Its benchmark holds all names with a prediction, in equal weights and free of costs.
    """

    top: int
    buffer: int
    every: int
    study: Study

    @property
    def beside(self) -> Benchmark:
        """All names with a prediction, and the best beside them."""
        return self.study.benchmarks[0]


def venue_of(market: MarketData, stop: int | None = None) -> Venue:
    """Return the venue of a market's bars before row `stop`.

    Dividends make holdings grow by what `adj_factor` says of them, and are not taxed: the bars know no more of them.
    """
    bars, standing = market.raw, market.standing
    if stop is not None and stop < len(bars):
        bars = bars.select(end=bars.times[stop - 1])
    rows = slice(len(bars))
    return Venue.daily(
        bars,
        special=None if standing is None else standing.special[rows],
        delisting=None if standing is None else standing.delisting[rows],
        listed=None if standing is None else standing.listed,
    )


def hold_top(
    name: str,
    scores: np.ndarray,
    times: np.ndarray,
    symbols: np.ndarray,
    venue: Venue,
    *,
    horizon: int,
    plan: TopPlan,
    industries: Industries | None = None,
    trials: int = 1,
) -> TopHeld:
    """Hold the best names of each day, and everything that had a score beside them.

    Parameters
    ----------
    name : str
    scores : array of float64, shape (T, N)
        Known at each close; NaN for names not to be held.
    times, symbols : array, shapes (T,) and (N,)
        The axes of the scores.
    venue : Venue
        Holds all days and names that have a score.
    horizon : int
    plan : TopPlan
    industries : Industries, optional
        On the axes of the scores.
    trials : int
        Models that were tried, of which this one was kept.

    Raises
    ------
    InvalidRequest
        If the venue lacks a day or a name, or there is no score before its last day.
    """
    laid = _laid(scores, times, symbols, venue)
    there = np.isfinite(laid)
    scored = np.flatnonzero(there.any(axis=1))
    scored = scored[scored < len(venue) - 1]
    if not len(scored):
        raise InvalidRequest(f"no day before {venue.times[-1]}, the last one of the market, has a prediction")
    top, buffer, every = plan.filled(float(np.median(there[scored].sum(axis=1))), horizon)
    rows = scored[::every]
    best = TopRanked(laid, rows, top=top, buffer=buffer)
    run = simulate(venue, best, capital=plan.capital)
    held = study_of(
        run,
        venue,
        name=name,
        benchmarks={"equal": equal_weighted(venue, there, rows, capital=plan.capital).equity},
        industries=None if industries is None else _industries(industries, times, symbols, venue),
        trials=Trials(trials),
        ladder=price_rules(venue, best, run.execution, plan.capital, real=run) if plan.price_rules else None,
    )
    return TopHeld(top, buffer, every, held)


def _laid(scores: np.ndarray, times: np.ndarray, symbols: np.ndarray, venue: Venue) -> np.ndarray:
    rows, columns = np.isfinite(scores).any(axis=1), np.isfinite(scores).any(axis=0)
    place = np.ix_(_found(times[rows], venue.times, "day"), _found(symbols[columns], venue.symbols, "name"))
    laid = np.full(venue.shape, np.nan)
    laid[place] = scores[np.ix_(rows, columns)]
    return laid


def _found(wanted: np.ndarray, known: np.ndarray, what: str) -> np.ndarray:
    place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    missing = wanted[known[place] != wanted]
    if len(missing):
        raise InvalidRequest(
            f"there is a prediction for the {what} {missing[0]}, which the market to trade in has not; it holds "
            f"{len(known)} from {known[0]} to {known[-1]}"
        )
    return place


def _industries(industries: Industries, times: np.ndarray, symbols: np.ndarray, venue: Venue) -> Industries:
    """Return the industries on the venue's axes, unknown where the scores' axes do not reach."""
    codes = np.full(venue.shape, -1, dtype=np.int16)
    known = industries.laid_on((len(times), len(symbols)))
    rows, columns = np.isin(venue.times, times), np.isin(venue.symbols, symbols)
    codes[np.ix_(rows, columns)] = known[np.ix_(np.isin(times, venue.times), np.isin(symbols, venue.symbols))]
    return Industries(codes, industries.names)
