"""How orders are filled: at which price of a row, at what cost, and which rules of the market hold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

from quantflux.core.errors import InvalidRequest
from quantflux.rules import Commission


class Fill(StrEnum):
    """The price of a row at which market orders are filled."""

    OPEN = "open"
    CLOSE = "close"
    VWAP = "vwap"


class Rule(StrEnum):
    """What keeps a real account from the ideal one, in the order in which the ladder switches them on.

    Without SUSPENSION, names without a trade change hands at their last price. Without LIMITS, LOTS, VOLUME or
    SETTLEMENT, orders are not held back by price limits, lots, the volume of a row or T+1. Without SLIPPAGE (and
    impact), FEES or DIVIDEND_TAX, trading and dividends cost nothing.
    """

    SUSPENSION = "suspension"
    LIMITS = "limits"
    SETTLEMENT = "settlement"
    LOTS = "lots"
    VOLUME = "volume"
    SLIPPAGE = "slippage"
    FEES = "fees"
    DIVIDEND_TAX = "dividend_tax"


@dataclass(frozen=True)
class Execution:
    """How orders are filled.

    Attributes
    ----------
    fill : Fill
        The price of the row at which market orders are filled.
    participation : float
        Largest part of a row's volume that all orders of a name may take together.
    slippage : float
        Fraction by which a price moves against the trader: 0.0005 is 5 basis points.
    impact : float
        What times the trailing volatility of a row, times the root of shares over the row's volume, the price moves
        further. 0 is no impact; studies of large orders find about 1.
    commission : Commission
        For each order and day.
    recovery : float
        Part of the last price that a holder gets for a name that leaves the market.
    rules : frozenset of Rule
        Those that hold.

    Raises
    ------
    InvalidRequest
        If a number is out of its range.

    Examples
    --------
    >>> sorted(Execution().rules - Execution().without(Rule.FEES).rules)
    [<Rule.FEES: 'fees'>]
    """

    fill: Fill = Fill.OPEN
    participation: float = 0.1
    slippage: float = 0.0005
    impact: float = 0.0
    commission: Commission = field(default_factory=Commission)
    recovery: float = 1.0
    rules: frozenset[Rule] = frozenset(Rule)

    def __post_init__(self) -> None:
        _within("participation", self.participation, 0.0, 1.0, above=True)
        _within("slippage", self.slippage, 0.0, 0.5)
        _within("impact", self.impact, 0.0, 100.0)
        _within("recovery", self.recovery, 0.0, 1.0)

    @classmethod
    def ideal(cls, fill: Fill = Fill.OPEN) -> Self:
        """Return the execution of a world without any rule."""
        return cls(fill=fill, rules=frozenset())

    def has(self, rule: Rule) -> bool:
        """Whether a rule holds."""
        return rule in self.rules

    def without(self, *rules: Rule) -> Self:
        """Return the same execution where these rules do not hold."""
        return replace(self, rules=self.rules - set(rules))

    def under(self, rules: Iterable[Rule]) -> Self:
        """Return the same execution where these rules hold and no others."""
        return replace(self, rules=frozenset(rules))


def _within(name: str, value: float, low: float, high: float, *, above: bool = False) -> None:
    if not (low < value if above else low <= value) or not value <= high:
        least = "above" if above else "from"
        raise InvalidRequest(f"{name} lies {least} {low:g} to {high:g}, was {value!r}")
