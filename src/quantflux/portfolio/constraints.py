"""Constraints as objects. Each checks itself against a problem, and says what it demands.

Arrays stand in the order of `Facts.symbols`; weights are fractions of capital, risks are per day.

    Budget             how much is invested; the rest is cash
    Bounds             least and largest weight of each name
    GroupBounds        weight of each industry or other group, outright or against the benchmark
    ExposureBounds     exposure to styles, outright or against the benchmark
    MaxTurnover        how much is traded
    MaxRisk            standard deviation of the portfolio
    MaxTrackingError   standard deviation of the difference to the benchmark
    MinReturn          expected return
    NoTrade            names that stay as they are
    Liquidity          position or trade against the amount traded in the market
    MaxNames           number of names held
    MinPosition        a position is nothing, or at least this much
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from scipy import sparse

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.demands import Demand, LeastSize, NameCount, RiskLimit, Rows, Turnover
from quantflux.portfolio.facts import Facts
from quantflux.portfolio.vectors import finite_number, spread, spread_limits


@runtime_checkable
class Constraint(Protocol):
    """What every constraint can do."""

    @property
    def name(self) -> str:
        """What it is called in messages: "industry bounds"."""
        ...

    def demands(self, facts: Facts) -> tuple[Demand, ...]:
        """Say what it demands of the weights of a problem, or refuse a problem that lacks what it needs."""
        ...


@dataclass(frozen=True, eq=False)
class Budget:
    """The sum of all weights: fully invested, or a range. What is not invested is cash, without return or risk.

    Attributes
    ----------
    least, most : float
        Fractions of capital; equal ones fix the sum. 0 and 0 is as much long as short.
    """

    least: float = 1.0
    most: float = 1.0

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return "budget"

    def demands(self, facts: Facts) -> tuple[Demand, ...]:
        """Demand that the weights add up."""
        low, high = finite_number("least budget", self.least), finite_number("most budget", self.most)
        if low > high:
            raise InvalidRequest(f"a budget goes from the least to the most, was {low} to {high}")
        ones = sparse.csr_array(np.ones((1, len(facts.symbols))))
        return (Rows(("sum of weights",), ones, np.array([low]), np.array([high])),)


@dataclass(frozen=True, eq=False)
class Bounds:
    """Least and largest weight of each name. Long only by default.

    Attributes
    ----------
    lower, upper : float, or array of shape (N,)
        Fractions of capital; infinite where there is no limit.
    """

    lower: float | np.ndarray = 0.0
    upper: float | np.ndarray = 1.0

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return "bounds"

    def demands(self, facts: Facts) -> tuple[Demand, ...]:
        """Demand that each weight lies in its bounds."""
        lower, upper = spread_limits("weights", self.lower, self.upper, facts.symbols)
        return (_weights(facts, np.arange(len(lower)), lower, upper),)


@dataclass(frozen=True, eq=False)
class GroupBounds:
    """Least and largest weight of each group of names: industries, boards, sizes.

    Attributes
    ----------
    groups : sequence of str or None, length N
        The group of each name; a name without one (None or "") is left alone.
    lower, upper : float, or mapping of group to float
        Fractions of capital. A mapping limits the groups it names.
    relative : bool
        Whether the limits are on the difference to the benchmark's weight.
    kind : str
        What the groups are, for messages.
    """

    groups: Sequence[str | None]
    lower: float | Mapping[str, float] = -np.inf
    upper: float | Mapping[str, float] = np.inf
    relative: bool = False
    kind: str = "industry"

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return f"{self.kind} bounds"

    def demands(self, facts: Facts) -> tuple[Demand, ...]:
        """Demand that each group's weight lies in its bounds."""
        of_name = np.array([group or "" for group in self.groups], dtype=np.str_)
        if of_name.shape != (len(facts.symbols),):
            raise InvalidRequest(
                f"{self.name} need the group of each of {len(facts.symbols)} names, got {len(of_name)}"
            )
        names, codes = np.unique(of_name, return_inverse=True)
        member = of_name != ""
        matrix = sparse.csr_array(
            (np.ones(member.sum()), (codes[member], np.flatnonzero(member))), shape=(len(names), len(of_name))
        )
        known = [str(group) for group in names]
        lower = self._limits(self.lower, known, -np.inf)
        upper = self._limits(self.upper, known, np.inf)
        limited = (np.isfinite(lower) | np.isfinite(upper)) & (names != "")
        what = f"{self.kind} {{}}" + " against the benchmark" * self.relative
        rows = Rows(
            [what.format(group) for group, kept in zip(known, limited, strict=True) if kept],
            matrix[limited],
            lower[limited],
            upper[limited],
        )
        return (_against_benchmark(self.name, rows, facts) if self.relative else rows,)

    def _limits(self, limits: float | Mapping[str, float], groups: list[str], free: float) -> np.ndarray:
        if not isinstance(limits, Mapping):
            return np.full(len(groups), float(limits))
        if unknown := sorted(set(limits) - set(groups)):
            raise InvalidRequest(
                f"{self.name} name {', '.join(unknown[:5])}; the groups are {', '.join(g for g in groups if g)}"
            )
        return np.array([float(limits.get(group, free)) for group in groups])


@dataclass(frozen=True, eq=False)
class ExposureBounds:
    """Least and largest exposure of the portfolio to styles or other factors.

    Attributes
    ----------
    lower, upper : float, or mapping of factor to float
        In units of the exposures (standard deviations, for styles).
    factors : sequence of str
        The factors to limit; none means those that the mappings name.
    relative : bool
        Whether the limits are on the difference to the benchmark's exposure.
    exposures : array of float64, shape (N, len(factors)), or None
        Exposure of each name; None takes those of the problem's risk model.
    """

    lower: float | Mapping[str, float] = -np.inf
    upper: float | Mapping[str, float] = np.inf
    factors: Sequence[str] = ()
    relative: bool = False
    exposures: np.ndarray | None = None

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return "exposure bounds"

    def demands(self, facts: Facts) -> tuple[Demand, ...]:
        """Demand that each exposure lies in its bounds."""
        factors = list(self.factors)
        for limits in (self.lower, self.upper):
            if isinstance(limits, Mapping):
                factors += [factor for factor in limits if factor not in factors]
        if not factors:
            raise InvalidRequest("exposure bounds need the names of the factors that they limit")
        matrix = sparse.csr_array(self._exposures(facts, factors).T)
        what = "exposure to {}" + " against the benchmark" * self.relative
        rows = Rows(
            [what.format(factor) for factor in factors],
            matrix,
            _by_key(self.lower, factors, -np.inf),
            _by_key(self.upper, factors, np.inf),
        )
        return (_against_benchmark(self.name, rows, facts) if self.relative else rows,)

    def _exposures(self, facts: Facts, factors: list[str]) -> np.ndarray:
        if self.exposures is not None:
            given = np.asarray(self.exposures, dtype=np.float64)
            wanted = (len(facts.symbols), len(factors))
            if given.shape != wanted or not np.isfinite(given).all():
                raise InvalidRequest(f"exposures must be finite and of shape {wanted}, had {given.shape}")
            return given
        known = () if facts.risk is None or facts.risk.exposures is None else facts.risk.factors
        if missing := [factor for factor in factors if factor not in known]:
            raise InvalidRequest(
                f"the risk model has no exposures to {', '.join(missing)}; it has {', '.join(known) or 'none'}"
            )
        assert facts.risk is not None and facts.risk.exposures is not None  # noqa: S101 - it knows the factors
        return np.asarray(facts.risk.exposures[:, [known.index(factor) for factor in factors]])


@dataclass(frozen=True, eq=False)
class MaxTurnover:
    """The larger of what is bought and what is sold is at most this fraction of capital. Needs current weights."""

    most: float

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return "turnover"

    def demands(self, facts: Facts) -> tuple[Demand, ...]:
        """Demand that little is traded."""
        return (Turnover(facts.current_for(self.name), _not_negative(self.name, self.most)),)


@dataclass(frozen=True, eq=False)
class MaxRisk:
    """The standard deviation of the portfolio's daily return is at most this. Needs a risk model."""

    most: float

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return "risk"

    def demands(self, facts: Facts) -> tuple[Demand, ...]:
        """Demand that the portfolio moves little."""
        return (RiskLimit(facts.risk_for(self.name), None, _not_negative(self.name, self.most)),)


@dataclass(frozen=True, eq=False)
class MaxTrackingError:
    """The standard deviation of the daily return over the benchmark is at most this.

    5 % a year are 0.05 / sqrt(244) = 0.0032 a day. Needs a risk model and a benchmark.
    """

    most: float

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return "tracking error"

    def demands(self, facts: Facts) -> tuple[Demand, ...]:
        """Demand that the portfolio stays near the benchmark."""
        benchmark = facts.benchmark_for(self.name)
        return (RiskLimit(facts.risk_for(self.name), benchmark, _not_negative(self.name, self.most)),)


@dataclass(frozen=True, eq=False)
class MinReturn:
    """The expected daily return is at least this, before costs. Needs expected returns."""

    least: float

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return "return"

    def demands(self, facts: Facts) -> tuple[Demand, ...]:
        """Demand a return."""
        matrix = sparse.csr_array(facts.returns_for(self.name)[None, :])
        least = finite_number("the least return", self.least)
        return (Rows(("expected daily return",), matrix, np.array([least]), np.array([np.inf])),)


@dataclass(frozen=True, eq=False)
class NoTrade:
    """These names keep their current weights: suspended, restricted. Needs current weights."""

    symbols: Sequence[str]

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return "no-trade list"

    def demands(self, facts: Facts) -> tuple[Demand, ...]:
        """Demand that the names are left alone."""
        current = facts.current_for(self.name)
        at = facts.positions(self.symbols, self.name)
        return (_weights(facts, at, current[at], current[at]),)


@dataclass(frozen=True, eq=False)
class Liquidity:
    """A position can be sold within some days at some share of what the market trades.

    Attributes
    ----------
    daily_amount : array of float64, shape (N,)
        Average amount traded a day, yuan.
    capital : float
        What a weight of 1 is worth, yuan.
    share : float
        Largest share of the market's amount that one takes.
    days : float
        In how many days.
    trades : bool
        Whether it is the change from the current weight that is limited and not the position.
    """

    daily_amount: np.ndarray
    capital: float
    share: float = 0.1
    days: float = 1.0
    trades: bool = False

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return "liquidity of trades" if self.trades else "liquidity"

    def demands(self, facts: Facts) -> tuple[Demand, ...]:
        """Demand that each position, or trade, is small beside what the market trades."""
        amount = spread("daily amounts", self.daily_amount, facts.symbols)
        if amount.min(initial=0.0) < 0 or not 0 < self.capital < np.inf:
            raise InvalidRequest(
                f"liquidity needs amounts of 0 or more and a capital above 0 yuan, "
                f"were {amount.min(initial=0.0):g} and {self.capital:g}"
            )
        largest = (
            amount * _not_negative("share", self.share) * _not_negative("days", self.days) / self.capital
        )
        centre = facts.current_for(self.name) if self.trades else np.zeros(len(amount))
        return (_weights(facts, np.arange(len(amount)), centre - largest, centre + largest),)


@dataclass(frozen=True, eq=False)
class MaxNames:
    """At most this many names are held. Long only. See `solving.selection` for how it is solved."""

    most: int

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return "number of names"

    def demands(self, facts: Facts) -> tuple[Demand, ...]:
        """Demand that few names are held."""
        del facts
        if self.most < 1:
            raise InvalidRequest(f"the number of names must be at least 1, was {self.most}")
        return (NameCount(int(self.most)),)


@dataclass(frozen=True, eq=False)
class MinPosition:
    """A name is not held, or at least at this weight. Long only.

    Attributes
    ----------
    least : float, or array of shape (N,)
        Fraction of capital.
    """

    least: float | np.ndarray

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return "least position"

    def demands(self, facts: Facts) -> tuple[Demand, ...]:
        """Demand that no position is tiny."""
        least = spread("least positions", self.least, facts.symbols)
        if least.min(initial=0.0) < 0:
            raise InvalidRequest(f"the least position must be 0 or more, was {least.min():g}")
        return (LeastSize(least),)


def _weights(facts: Facts, at: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> Rows:
    matrix = sparse.csr_array(
        (np.ones(len(at)), (np.arange(len(at)), at)), shape=(len(at), len(facts.symbols))
    )
    return Rows([f"weight of {facts.symbols[i]}" for i in at], matrix, lower, upper)


def _against_benchmark(name: str, rows: Rows, facts: Facts) -> Rows:
    base = rows.matrix @ facts.benchmark_for(name)
    return Rows(rows.labels, rows.matrix, rows.lower + base, rows.upper + base, base)


def _by_key(limits: float | Mapping[str, float], keys: list[str], free: float) -> np.ndarray:
    if isinstance(limits, Mapping):
        return np.array([float(limits.get(key, free)) for key in keys])
    return np.full(len(keys), float(limits))


def _not_negative(what: str, value: float) -> float:
    if not value >= 0:
        raise InvalidRequest(f"{what} must be limited by 0 or more, was {value}")
    return float(value)
