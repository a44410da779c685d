"""How well risk models foretell: outcomes over forecasts, for portfolios nobody optimised and for those of styles.

At each decision a model made at the close forecasts the volatility of portfolios over the next days; their return over
these days, over the forecast, should have a standard deviation of 1: the bias statistic. Above 1 risk was
underestimated. Decisions do not overlap, so of T independent normal outcomes the statistic lies between
1 - sqrt(2 / T) and 1 + sqrt(2 / T) in 95 of 100 cases; fat tails widen that.

The second measure punishes errors in both directions: Q = mean of z^2 - ln z^2 over standardised outcomes z, least when
each forecast is right, about 2.27 for normal ones. Patton (2011), "Volatility forecast comparison using imperfect
volatility proxies", Journal of Econometrics 160(1), shows that noise in the outcomes does not change its order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.risk.model import RiskModel

Portfolios = Callable[[int], np.ndarray]
"""From a row to weights of shape (P, N), of any sum; decided at the close of the row."""

NORMAL_Q = 2.2704
"""Q of right forecasts of normal outcomes: 1 + ln 2 + Euler's constant."""


@dataclass(frozen=True, eq=False)
class BiasTest:
    """Forecasts of volatility and what came of them.

    Attributes
    ----------
    names : tuple of str, length P
        Of the portfolios.
    rows : array of int, shape (M,)
        Decisions.
    horizon : int
        Days from a decision to its outcome.
    forecasts : array of shape (M, P)
        Standard deviation of the return over the horizon.
    outcomes : array of shape (M, P)
        Returns over it.
    """

    names: tuple[str, ...]
    rows: np.ndarray
    horizon: int
    forecasts: np.ndarray
    outcomes: np.ndarray

    @property
    def standardised(self) -> np.ndarray:
        """Outcomes over forecasts, shape (M, P)."""
        return np.asarray(self.outcomes / self.forecasts)

    def statistics(self) -> np.ndarray:
        """Return the bias statistic of each portfolio, shape (P,)."""
        return np.asarray(self.standardised.std(axis=0, ddof=1))

    def rolling(self, window: int = 12) -> np.ndarray:
        """Return the bias statistics of trailing windows of decisions, shape (M, P); NaN until one is full."""
        if not 2 <= window <= len(self.rows):
            raise InvalidRequest(f"window must be 2 to {len(self.rows)} decisions, was {window}")
        views = np.lib.stride_tricks.sliding_window_view(self.standardised, window, axis=0)
        made = np.full(self.forecasts.shape, np.nan)
        made[window - 1 :] = views.std(axis=2, ddof=1)
        return made

    def mean_deviation(self, window: int = 12) -> np.ndarray:
        """Return the mean distance of each portfolio's rolling statistics from 1, shape (P,).

        About 0.17 for right forecasts of normal outcomes in windows of 12.
        """
        return np.asarray(np.nanmean(np.abs(self.rolling(window) - 1), axis=0))

    def q(self) -> np.ndarray:
        """Return Q of each portfolio, shape (P,); outcomes of exactly zero are left out."""
        squares = self.standardised**2
        squares[squares == 0] = np.nan
        return np.asarray(np.nanmean(squares - np.log(squares), axis=0))

    def band(self) -> tuple[float, float]:
        """Return between what the statistic of a right model lies in 95 of 100 cases, if outcomes are normal."""
        width = float(np.sqrt(2 / len(self.rows)))
        return 1 - width, 1 + width


def bias_test(
    model_at: Callable[[int], RiskModel],
    symbols: Sequence[str],
    returns: np.ndarray,
    portfolios: Portfolios,
    rows: Sequence[int],
    *,
    horizon: int = 21,
    names: Sequence[str] | None = None,
) -> BiasTest:
    """Return forecasts and outcomes of portfolios.

    Parameters
    ----------
    model_at : callable
        From a row to the model made at its close.
    symbols : sequence of str, length N
    returns : array of shape (T, N)
        Simple daily returns; NaN is no return, and a holding then earns nothing. Weights are held over the horizon:
        daily returns of the portfolio are summed, as risk is forecast.
    portfolios : callable
        From a row to weights of shape (P, N); names that the model of the row lacks must have none.
    rows : sequence of int
        Decisions, at least `horizon` apart, the last with `horizon` days after it.
    horizon : int
        Days.
    names : sequence of str, length P, optional

    Raises
    ------
    InvalidRequest
        If decisions overlap or lack days after them, or the model lacks a name that is held.
    """
    chosen = np.asarray(rows, dtype=np.intp)
    if len(chosen) < 2 or (np.diff(chosen) < horizon).any() or chosen[-1] + horizon >= len(returns):
        raise InvalidRequest(
            f"rows must be 2 or more, at least {horizon} apart, the last at most {len(returns) - horizon - 1}; were "
            f"{len(chosen)} from {chosen[0] if len(chosen) else 'none'} to {chosen[-1] if len(chosen) else 'none'}"
        )
    column = {symbol: i for i, symbol in enumerate(symbols)}
    forecasts, outcomes = [], []
    for row in chosen.tolist():
        weights = np.asarray(portfolios(row), dtype=np.float64)
        model = model_at(row)
        places = np.array([column[symbol] for symbol in model.symbols], dtype=np.intp)
        lacking = np.ones(len(symbols), dtype=bool)
        lacking[places] = False
        if weights[:, lacking].any():
            held = symbols[int(np.flatnonzero(weights.any(axis=0) & lacking)[0])]
            raise InvalidRequest(f"the risk model of row {row} does not know {held}, which a portfolio holds")
        forecasts.append(np.sqrt(horizon * model.variances(weights[:, places])))
        after = np.nan_to_num(returns[row + 1 : row + 1 + horizon])
        outcomes.append((weights @ after.T).sum(axis=1))
    labels = names or [f"portfolio_{p + 1}" for p in range(len(forecasts[0]))]
    return BiasTest(tuple(labels), chosen, horizon, np.array(forecasts), np.array(outcomes))


def random_portfolios(universe: np.ndarray, count: int, size: int, *, seed: int = 0) -> Portfolios:
    """Return portfolios of equal weights in names drawn at each decision.

    Parameters
    ----------
    universe : array of bool, shape (T, N)
        Who may be drawn at the close of a row.
    count, size : int
        Portfolios, and names in each (fewer if there are not so many).
    seed : int
        The same rows give the same portfolios.
    """

    def drawn(row: int) -> np.ndarray:
        rng = np.random.default_rng([seed, row])
        able = np.flatnonzero(universe[row])
        held = min(size, len(able))
        weights = np.zeros((count, universe.shape[1]))
        for portfolio in weights:
            portfolio[rng.choice(able, held, replace=False)] = 1 / held
        return weights

    return drawn


def style_portfolios(
    style_at: Callable[[int], np.ndarray], universe: np.ndarray, capitalisation: np.ndarray
) -> Portfolios:
    """Return, for each style, its fifth of names with most of it less the fifth with least, weighted by capitalisation.

    Parameters
    ----------
    style_at : callable
        From a row to values of shape (S, N); NaN where there is none.
    universe : array of bool, shape (T, N)
    capitalisation : array of shape (T, N)

    Returns
    -------
    Portfolios
        S of them, each with weights 1 and -1 on its sides; a style without values holds nothing.
    """

    def sorted_at(row: int) -> np.ndarray:
        values = np.asarray(style_at(row))
        weights = np.zeros((len(values), universe.shape[1]))
        for portfolio, style in zip(weights, values, strict=True):
            able = np.flatnonzero(universe[row] & ~np.isnan(style))
            order = able[np.argsort(style[able], kind="stable")]
            fifth = len(order) // 5
            for side, sign in ((order[len(order) - fifth :], 1.0), (order[:fifth], -1.0)):
                cap = capitalisation[row, side]
                portfolio[side] = sign * cap / cap.sum() if fifth else 0.0
        return weights

    return sorted_at


def market_portfolio(universe: np.ndarray, capitalisation: np.ndarray) -> Portfolios:
    """Return the portfolio of all names of the universe, weighted by capitalisation."""

    def held_at(row: int) -> np.ndarray:
        cap = np.where(universe[row], capitalisation[row], 0.0)
        return np.asarray(cap / cap.sum())[None, :]

    return held_at
