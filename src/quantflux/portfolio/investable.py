"""Who may be held, what is held, and what it is measured against, on the day of a portfolio file."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np

from quantflux.core.errors import InvalidRequest, UnknownSymbol
from quantflux.data.access import DataAccessLayer
from quantflux.factors.engine import FactorEngine
from quantflux.factors.fields import load_fields
from quantflux.factors.formula import formula
from quantflux.portfolio.forecast import values_on
from quantflux.portfolio.holdings import laid_on, read_holdings, read_members, read_weights
from quantflux.portfolio.market_day import MarketDay, load_market_day
from quantflux.portfolio.portfolio_file import PortfolioFile
from quantflux.portfolio.risk.model import RiskModel
from quantflux.portfolio.risk_choice import RiskChoice, risk_model

COST_DAYS = 20
"""Over how many days amounts are averaged that costs go by."""

_MOST_NAMED = 5


class Investable:
    """The names of a file on its day; arrays have shape (N,) in the order of the market's symbols.

    Parameters
    ----------
    data, factors
        What everything is read from.
    file : PortfolioFile
    folder : Path
        Where the files stand that it names.

    Attributes
    ----------
    market : MarketDay
    notes : list of str
        Grows as names are looked at: those left out, and why.
    """

    def __init__(
        self, data: DataAccessLayer, factors: FactorEngine, file: PortfolioFile, folder: Path
    ) -> None:
        self._data, self._factors, self._file, self._folder = data, factors, file, folder
        self.notes: list[str] = []
        liquidity = file.constraints.liquidity
        self.market: MarketDay = load_market_day(
            data,
            file.day,
            file.risk.window,
            COST_DAYS if liquidity is None else max(COST_DAYS, liquidity.window),
        )

    @cached_property
    def cash(self) -> float:
        """Yuan in cash."""
        held = self._file.holdings
        return float(self._file.capital or 0.0) if held is None else held.cash

    @cached_property
    def held(self) -> np.ndarray:
        """Shares held of each name of the market."""
        held = self._file.holdings
        if held is None or not (held.file or held.shares):
            return np.zeros(len(self.market.symbols))
        shares = read_holdings(self._folder / held.file) if held.file else dict[str, float](held.shares)
        made = laid_on(shares, self.market.symbols, "holdings")
        if (unpriced := (made > 0) & ~(self.market.prices > 0)).any():
            names = ", ".join(np.array(self.market.symbols)[unpriced][:5])
            raise InvalidRequest(f"holdings: the data have no price for {names}")
        return made

    @cached_property
    def value(self) -> float:
        """What everything is worth, yuan."""
        value = self.cash + float(self.held @ np.nan_to_num(self.market.prices))
        if not value > 0:
            raise InvalidRequest(
                "holdings: nothing is held and there is no cash; give holdings.cash or capital"
            )
        return value

    @cached_property
    def candidates(self) -> np.ndarray:
        """Which names of the market may be held."""
        market, universe = self.market, self._file.universe
        chosen = market.traded.copy()
        if universe.seasoned:
            chosen &= market.seasoned
        if not universe.special_treatment:
            chosen &= ~market.special
        if universe.symbols or universe.file:
            listed = set(universe.symbols)
            if universe.file:
                listed |= read_members(self._folder / universe.file)
            if universe.symbols and (unknown := sorted(set(universe.symbols) - set(market.symbols))):
                raise UnknownSymbol(unknown, "universe.symbols: the data up to the day")
            chosen &= np.isin(market.symbols, list(listed))
        if universe.where:
            where = formula(self._factors.registry, universe.where, "universe.where")
            chosen &= values_on(self._data, {"where": where.node}, market.day, market.symbols)["where"] > 0
        if not chosen.any():
            raise InvalidRequest(
                f"universe: no name may be held on {market.day}; of {len(market.symbols)} names "
                f"{int(market.traded.sum())} traded and {int((market.traded & market.seasoned).sum())} of these had "
                "done so for 60 days (universe.seasoned = false lets the others in)"
            )
        return self._with_risk(chosen)

    def _with_risk(self, chosen: np.ndarray) -> np.ndarray:
        known = self._risk_model.known
        if (without := chosen & ~known).any():
            self._note("left out, as the risk model knows too little of them", without)
        if not (chosen & known).any():
            raise InvalidRequest(
                f"universe: the risk model {self._file.risk.model!r} knows none of the {int(chosen.sum())} names"
            )
        return np.asarray(chosen & known)

    @cached_property
    def stays(self) -> np.ndarray:
        """Which names stay as they are: those of the list, and those that the market does not let move."""
        told = self._file.constraints
        if unknown := sorted(set(told.no_trade) - set(self.market.symbols)):
            raise UnknownSymbol(unknown, "constraints.no_trade: the data up to the day")
        stays = np.isin(self.market.symbols, told.no_trade)
        if told.tradable:
            # A limit stops one side only: what is held can be sold at the upper one.
            barriers, held = self.market.barriers, self.held > 0
            stays |= barriers.suspended | (barriers.limit_up & ~held) | (barriers.limit_down & held)
        self._note("held and not to be traded", stays & (self.held > 0))
        self._note("not to be bought", stays & (self.held == 0) & self.candidates)
        return np.asarray(stays)

    def _note(self, what: str, which: np.ndarray) -> None:
        if which.any():
            names = [self.market.symbols[i] for i in np.flatnonzero(which)[:_MOST_NAMED]]
            count = int(which.sum())
            more = f" and {count - len(names)} more" if count > len(names) else ""
            self.notes.append(f"{what}: {', '.join(names)}{more}")

    @cached_property
    def benchmark(self) -> np.ndarray | None:
        """Weights of the benchmark, of the market's names; None without one."""
        told = self._file.benchmark
        if not told:
            return None
        if told == "equal":
            return np.asarray(self.candidates / self.candidates.sum())
        if told == "cap":
            held = np.where(self.candidates, self._capitalisation(), 0.0)
            return np.asarray(held / held.sum())
        weights = laid_on(read_weights(self._folder / told), self.market.symbols, "benchmark")
        if (unknown := (weights > 0) & ~self._risk_model.known).any():
            self._note("left out of the benchmark, as the risk model knows too little of them", unknown)
            weights = np.where(unknown, 0.0, weights)
        if not weights.any():
            raise InvalidRequest(
                f"benchmark: the risk model {self._file.risk.model!r} knows too little of every name of {told}"
            )
        return np.asarray(weights / weights.sum())

    def _capitalisation(self) -> np.ndarray:
        day = self.market.day
        panel = load_fields(self._data, ["cap"], start=day, end=day).panel
        cap = panel.reindex(symbols=np.array(self.market.symbols))["cap"][-1]
        if (unknown := self.candidates & ~(cap > 0)).any():
            self._note("left out of the benchmark, as their capitalisation is unknown", unknown)
        if not (self.candidates & (cap > 0)).any():
            raise InvalidRequest(
                f"benchmark: no name of the universe has a capitalisation on {day}; use equal"
            )
        return np.asarray(np.nan_to_num(cap))

    @cached_property
    def everything(self) -> np.ndarray:
        """Where all names stand that may be held, are held, or are in the benchmark."""
        inside = self.candidates | (self.held > 0)
        if self.benchmark is not None:
            inside = inside | (self.benchmark > 0)
        if (unknown := inside & ~self._risk_model.known).any():
            names = ", ".join(np.array(self.market.symbols)[unknown][:5])
            raise InvalidRequest(
                f"holdings: the risk model {self._file.risk.model!r} knows too little of {names}; use the model "
                "factor, or take them out of the list"
            )
        return np.flatnonzero(inside)

    @cached_property
    def _risk_model(self) -> RiskChoice:
        return risk_model(self._data, self._factors, self._file.risk, self.market)

    @cached_property
    def whole_risk(self) -> RiskModel:
        """The risk model of all names."""
        made = self._risk_model.of(tuple(self.market.symbols[i] for i in self.everything))
        self.notes += made.notes
        return made
