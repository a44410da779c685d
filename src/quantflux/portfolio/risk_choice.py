"""The risk model that a portfolio file asks for, of the names that it knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import numpy as np

from quantflux.core.calendar import DAYS_A_SESSION
from quantflux.data.access import DataAccessLayer
from quantflux.factors.engine import FactorEngine
from quantflux.portfolio.market_day import MarketDay
from quantflux.portfolio.portfolio_file import Risk
from quantflux.portfolio.risk import (
    RiskModel,
    enough_history,
    ewma_risk,
    sample_risk,
    shrunk_risk,
    statistical_risk,
)


class RiskChoice(Protocol):
    """A kind of risk model on a day."""

    @property
    def known(self) -> np.ndarray:
        """Which names of the market it can speak of, shape (N,)."""
        ...

    def of(self, symbols: Sequence[str]) -> RiskModel:
        """Return the model of some of them."""
        ...


def risk_model(data: DataAccessLayer, factors: FactorEngine, terms: Risk, market: MarketDay) -> RiskChoice:
    """Return the kind of risk model that a file asks for, on the day of a market."""
    if terms.model == "factor":
        return _of_factors(data, factors, terms, market)
    return _FromReturns(terms, market)


@dataclass(frozen=True, eq=False)
class _FromReturns:
    terms: Risk
    market: MarketDay

    @property
    def known(self) -> np.ndarray:
        returns = self.market.returns
        with np.errstate(invalid="ignore"):
            moves = np.nan_to_num(returns).std(axis=0) > 0
        return np.asarray(enough_history(returns) & moves)

    def of(self, symbols: Sequence[str]) -> RiskModel:
        place = {symbol: i for i, symbol in enumerate(self.market.symbols)}
        returns = self.market.returns[:, [place[symbol] for symbol in symbols]]
        match self.terms.model:
            case "ewma":
                return ewma_risk(returns, symbols, half_life=self.terms.half_life)
            case "sample":
                return sample_risk(returns, symbols)
            case "statistical":
                return statistical_risk(returns, symbols)
        return shrunk_risk(returns, symbols)


@dataclass(frozen=True, eq=False)
class _Fitted:
    model: RiskModel
    known: np.ndarray

    def of(self, symbols: Sequence[str]) -> RiskModel:
        return self.model.restricted(symbols)


def _of_factors(data: DataAccessLayer, factors: FactorEngine, terms: Risk, market: MarketDay) -> _Fitted:
    # Its kernels are slow to import.
    from quantflux.portfolio.risk.factor_model import FactorModel  # noqa: PLC0415
    from quantflux.portfolio.risk.inputs import load_risk_inputs  # noqa: PLC0415

    start = market.day - timedelta(days=int(terms.window * DAYS_A_SESSION))
    inputs = load_risk_inputs(data, factors, start=start, end=market.day)
    model = FactorModel.fit(inputs).at(market.day)
    return _Fitted(model, np.isin(market.symbols, model.symbols))
