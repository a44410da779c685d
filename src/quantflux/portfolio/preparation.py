"""From a portfolio file and the data to a problem that can be solved.

1. The market at the close of the day is loaded, and who may be held is told from it (`Investable`).
2. The names of the problem are these, what is held, and the benchmark's; names that may not be held have a largest
   weight of 0, so they can only be sold (`_Preparation._bounds`).
3. Limits, costs and forecasts of the file are put into daily units and the order of the names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.data.access import DataAccessLayer
from quantflux.factors.engine import FactorEngine
from quantflux.portfolio.constraints import (
    Bounds,
    Budget,
    Constraint,
    ExposureBounds,
    GroupBounds,
    Liquidity,
    MaxNames,
    MaxRisk,
    MaxTrackingError,
    MaxTurnover,
    MinPosition,
    MinReturn,
    NoTrade,
)
from quantflux.portfolio.costs import Cost, ImpactCost, LinearCost
from quantflux.portfolio.forecast import grinold, score_on
from quantflux.portfolio.holdings import laid_on, read_expectations
from quantflux.portfolio.investable import COST_DAYS, Investable
from quantflux.portfolio.methods.black_litterman import AbsoluteView, RelativeView
from quantflux.portfolio.portfolio_file import Groups, PortfolioFile
from quantflux.portfolio.problem import Problem
from quantflux.portfolio.rebalance import Barriers
from quantflux.portfolio.risk.model import RiskModel
from quantflux.portfolio.year import ROOT_OF_YEAR, TRADING_DAYS
from quantflux.rules import Commission, FeeRates, fee_rates

_LEAST_AMOUNT = 1e5  # yuan a day: what a name that was not traded lately is taken to trade, in costs
_FORMULAS = frozenset({"equal", "inverse_volatility", "risk_parity", "hrp"})
"""Methods that give weight to every name: what may not be held, or stays as it is, is left out of their problems."""

_SLOW = 1_000  # names from which on a whole covariance is a matter of minutes


@dataclass(frozen=True, eq=False)
class Case:
    """A problem and what it was made from; arrays have shape (N,) in the order of `symbols`.

    Attributes
    ----------
    file : PortfolioFile
    day : date
    symbols : tuple of str
        Those of the problem, and what else is held.
    problem : Problem
    places : array of int
        Where the problem's symbols stand among these.
    risk : RiskModel
        Of all symbols.
    parameters : mapping
        Of the method, per day.
    names, industries : tuple of str
        Of the companies.
    prices : array of float64
        Last closes, yuan.
    held : array of float64
        Shares held now.
    cash : float
        Yuan.
    fees : FeeRates
        Of the day.
    barriers : Barriers
        What could not be traded, as at the close of the day.
    stays : array of bool
        What is held and stays as it is.
    notes : tuple of str
        What a reader must know: names left out, gaps filled.
    """

    file: PortfolioFile
    day: date
    symbols: tuple[str, ...]
    problem: Problem
    places: np.ndarray
    risk: RiskModel
    parameters: Mapping[str, Any]
    names: tuple[str, ...]
    industries: tuple[str, ...]
    prices: np.ndarray
    held: np.ndarray
    cash: float
    fees: FeeRates
    barriers: Barriers
    stays: np.ndarray
    notes: tuple[str, ...]

    @property
    def value(self) -> float:
        """What everything is worth, yuan."""
        return self.cash + float(np.where(self.held > 0, self.held * np.nan_to_num(self.prices), 0.0).sum())

    @property
    def weights_held(self) -> np.ndarray:
        """Weights of what is held now, shape (N,)."""
        return np.asarray(np.where(self.held > 0, self.held * np.nan_to_num(self.prices), 0.0) / self.value)

    @property
    def slow(self) -> str | None:
        """Why this takes minutes to solve; None if it does not."""
        count = len(self.problem.symbols)
        if self.risk.is_factored or count <= _SLOW:
            return None
        return (
            f"the risk model {self.file.risk.model!r} is a whole covariance, with which {count:,} names take minutes; "
            'risk.model = "factor" (or "statistical") takes seconds'
        )


def prepare(data: DataAccessLayer, factors: FactorEngine, file: PortfolioFile, folder: Path) -> Case:
    """Return the problem of a file whose own files stand in `folder`.

    Raises
    ------
    NotFound, UnknownSymbol
        If there are no bars on the day, or a factor, a field or a symbol is unknown.
    InvalidRequest
        If the file asks for what the data cannot give.
    """
    return _Preparation(data, factors, file, folder).case()


class _Preparation:
    """Makes a case; arrays of `market` have its N names, those with `at` the names of the problem."""

    def __init__(
        self, data: DataAccessLayer, factors: FactorEngine, file: PortfolioFile, folder: Path
    ) -> None:
        self._data, self._factors, self._file, self._folder = data, factors, file, folder
        self._names = Investable(data, factors, file, folder)

    def case(self) -> Case:
        """Put everything together."""
        market, at = self._names.market, self._names.everything
        symbols = tuple(market.symbols[i] for i in at)
        barriers = Barriers(
            market.barriers.suspended[at],
            market.barriers.limit_up[at],
            market.barriers.limit_down[at],
            np.isin(symbols, self._file.constraints.no_trade),
        )
        problem = Problem(
            self.symbols,
            expected_returns=self.expected_returns,
            risk=self.risk,
            returns=self._scenarios(),
            current=self.current,
            benchmark=self._benchmark_inside(),
            constraints=tuple(self._constraints()),
            costs=tuple(self._costs()),
            holding_days=None if self._file.costs is None else self._file.costs.holding_days,
        )
        return Case(
            self._file,
            market.day,
            symbols,
            problem,
            np.searchsorted(at, self.at),
            self._names.whole_risk,
            self._parameters(),
            tuple(market.names[i] for i in at),
            tuple(market.industries[i] for i in at),
            market.prices[at],
            self._names.held[at],
            self._names.cash,
            self.fees,
            barriers,
            (self._names.stays & (self._names.held > 0))[at],
            tuple(dict.fromkeys(self._names.notes)),
        )

    @cached_property
    def fees(self) -> FeeRates:
        """Fees of the day."""
        terms = self._file.commission
        day = np.array([self._names.market.day], dtype="datetime64[D]")
        return fee_rates(day, Commission(terms.rate, terms.minimum))

    def _benchmark_inside(self) -> np.ndarray | None:
        if self._names.benchmark is None:
            return None
        inside = self._names.benchmark[self.at]
        return np.asarray(inside / inside.sum()) if inside.sum() > 0 else None

    @cached_property
    def at(self) -> np.ndarray:
        """Where the problem's names stand in the market."""
        if self._file.method in _FORMULAS:
            free = self._names.candidates & ~self._names.stays
            if not free.any():
                raise InvalidRequest(
                    f"{self._file.method}: no name of the universe can be bought on {self._names.market.day}; all are "
                    "on the no-trade list, or closed at a price limit"
                )
            return np.flatnonzero(free)
        return self._names.everything

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """The names of the problem."""
        return tuple(self._names.market.symbols[i] for i in self.at)

    @cached_property
    def current(self) -> np.ndarray:
        """Weights held now, of the problem's names."""
        return np.asarray(
            (self._names.held * np.nan_to_num(self._names.market.prices))[self.at] / self._names.value
        )

    @cached_property
    def risk(self) -> RiskModel:
        """The risk model of the problem's names."""
        return self._names.whole_risk.restricted(self.symbols)

    def _scenarios(self) -> np.ndarray | None:
        if self._file.method not in {"cvar", "hrp"}:
            return None
        returns = self._names.market.returns[:, self.at]
        if (gaps := np.isnan(returns)).any():
            self._names.notes.append(
                f"{gaps.mean():.1%} of the daily returns are missing and count as 0 in scenarios"
            )
        return np.asarray(np.nan_to_num(returns))

    @cached_property
    def expected_returns(self) -> np.ndarray | None:
        """Expected daily returns of the problem's names; None without a forecast."""
        told = self._file.expected_returns
        if told is None:
            return None
        if not told.score:
            listed = read_expectations(self._folder / told.file) if told.file else dict(told.values)
            values = laid_on(listed, self._names.market.symbols, "expected_returns")
            if without := len(self.symbols) - len(set(self.symbols) & set(listed)):
                self._names.notes.append(
                    f"{without} of {len(self.symbols)} names are not in {told.file or 'expected_returns.values'}: "
                    "their expected return is 0"
                )
            return np.asarray(values[self.at] / TRADING_DAYS)
        score = score_on(
            self._data,
            self._factors.registry,
            told.score,
            self._names.market.day,
            self._names.market.symbols,
            self._names.candidates,
        )[self.at]
        if (unknown := np.isnan(score)).all():
            raise InvalidRequest(f"expected_returns.score: no name has a value on {self._names.market.day}")
        if unknown.any():
            self._names.notes.append(
                f"{int(unknown.sum())} of {len(score)} names have no score: their expected return is 0"
            )
        return grinold(score, self.risk.volatilities, told.information_coefficient, told.horizon)

    def _constraints(self) -> list[Constraint]:
        told = self._file.constraints
        made: list[Constraint] = []
        if (budget := self._budget()) is not None:
            made.append(budget)
        made.append(self._bounds())
        if told.industries is not None:
            made.append(self._industries(told.industries))
        if told.exposures is not None:
            made.append(self._exposures(told.exposures))
        if told.liquidity is not None:
            days = told.liquidity
            amounts = self._names.market.amounts[-days.window :, self.at].mean(axis=0)
            made.append(Liquidity(amounts, self._names.value, days.share, days.days, days.trades))
        root = ROOT_OF_YEAR
        optional: list[tuple[float | int | None, Any]] = [
            (told.turnover, MaxTurnover),
            (None if told.risk is None else told.risk / root, MaxRisk),
            (None if told.tracking_error is None else told.tracking_error / root, MaxTrackingError),
            (None if told.expected_return is None else told.expected_return / TRADING_DAYS, MinReturn),
            (told.names, MaxNames),
            (told.position, MinPosition),
        ]
        made += [kind(value) for value, kind in optional if value is not None]
        if self.frozen:
            made.append(NoTrade(self.frozen))
        return made

    def _budget(self) -> Budget | None:
        told = self._file.constraints.invested
        least, most = (1.0, 1.0) if told is None else _ends(told.least, told.most, 0.0, 1.0)
        outside = np.setdiff1d(np.flatnonzero(self._names.stays & (self._names.held > 0)), self.at)
        if not outside.size:
            return None if told is None else Budget(least, most)
        # What stays as it is beside the problem's names takes its part of the budget.
        prices = np.nan_to_num(self._names.market.prices)
        kept = float(self._names.held[outside] @ prices[outside]) / self._names.value
        if kept >= most:
            raise InvalidRequest(
                f"{self._file.method}: what is held and stays as it is makes up {kept:.1%} of the value, which leaves "
                f"nothing of the {most:.1%} to be invested"
            )
        self._names.notes.append(
            f"{kept:.1%} of the value is held and stays as it is; the method divides the rest"
        )
        return Budget(max(least - kept, 0.0), most - kept)

    @cached_property
    def frozen(self) -> tuple[str, ...]:
        """Names of the problem that stay as they are."""
        stays = self._names.stays[self.at]
        return tuple(symbol for symbol, frozen in zip(self.symbols, stays, strict=True) if frozen)

    def _bounds(self) -> Bounds:
        told = self._file.constraints.weights
        least, most = _ends(told.least, told.most, 0.0, 1.0) if told is not None else (0.0, 1.0)
        inside = self._names.candidates[self.at]
        upper = np.where(inside, most, 0.0)
        if told is not None and told.least is not None and told.least > 0:
            self._names.notes.append(f"every name of the universe is held at {100 * told.least:g} % or more")
        stays = np.isin(self.symbols, self.frozen)
        upper = np.where(stays, np.maximum(upper, self.current), upper)
        lower = np.where(inside & ~stays, least, 0.0)
        if (upper == upper[0]).all() and (lower == lower[0]).all():
            return Bounds(float(lower[0]), float(upper[0]))
        return Bounds(lower, upper)

    def _industries(self, told: Groups) -> GroupBounds:
        labels = [self._names.market.industries[i] for i in self.at]
        if not any(labels):
            raise InvalidRequest(
                "constraints.industries: the data know no industries; import instruments, or leave it out"
            )
        lower, upper = _by_group(told, sorted({label for label in labels if label}), "industries")
        return GroupBounds(labels, lower, upper, told.relative)

    def _exposures(self, told: Groups) -> ExposureBounds:
        factors = self.risk.factors
        if not factors:
            raise InvalidRequest(
                f"constraints.exposures: the risk model {self._file.risk.model!r} has no factors; use factor or "
                "statistical"
            )
        single = told.least is None and told.most is None
        known = [factor for factor in factors if factor in told.limits] if single else list(factors)
        lower, upper = _by_group(told, list(factors), "exposures")
        return ExposureBounds(
            {factor: lower[factor] for factor in known},
            {factor: upper[factor] for factor in known},
            relative=told.relative,
        )

    def _costs(self) -> list[Cost]:
        told = self._file.costs
        if told is None:
            return []
        rate = self.fees.commission.rate + told.slippage
        made: list[Cost] = [
            LinearCost(
                rate + float(self.fees.stamp_buy[0] + self.fees.transfer_buy[0]),
                rate + float(self.fees.stamp_sell[0] + self.fees.transfer_sell[0]),
            )
        ]
        if told.impact > 0:
            amounts = np.maximum(self._names.market.amounts[-COST_DAYS:, self.at].mean(axis=0), _LEAST_AMOUNT)
            made.append(ImpactCost(self.risk.volatilities, amounts, self._names.value, told.impact))
        return made

    def _parameters(self) -> dict[str, Any]:
        made = dict(self._file.parameters)
        scales = {"max_risk": ROOT_OF_YEAR, "risk_free": float(TRADING_DAYS)}
        for name, scale in scales.items():
            if isinstance(made.get(name), int | float):
                made[name] = made[name] / scale
        if self._file.method == "black_litterman":
            made["views"] = tuple(self._views())
        return made

    def _views(self) -> list[AbsoluteView | RelativeView]:
        return [
            AbsoluteView(view.symbol, view.expected_return / TRADING_DAYS, view.confidence)
            if view.symbol is not None
            else RelativeView(view.better, view.worse, view.expected_return / TRADING_DAYS, view.confidence)
            for view in self._file.views
        ]


def _ends(least: float | None, most: float | None, low: float, high: float) -> tuple[float, float]:
    return low if least is None else least, high if most is None else most


def _by_group(told: Groups, known: list[str], key: str) -> tuple[dict[str, float], dict[str, float]]:
    """Return the least and the most of each group, infinite where it is free."""
    if unknown := sorted(set(told.limits) - set(known)):
        raise InvalidRequest(
            f"constraints.{key}.limits: {', '.join(unknown[:5])} are not known; known are {', '.join(known[:40])}"
        )
    lower, upper = (dict.fromkeys(known, bound) for bound in _ends(told.least, told.most, -np.inf, np.inf))
    for group, limits in told.limits.items():
        lower[group], upper[group] = _ends(limits.least, limits.most, -np.inf, np.inf)
    return lower, upper
