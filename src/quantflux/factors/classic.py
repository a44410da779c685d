"""Six classic factors, and which of their variants a data set allows.

Every factor is oriented so that more is better, uses rows up to and including its own, and is NaN on days on which
the share did not trade. Prices are adjusted backward, so a later dividend changes no earlier value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from quantflux.core.panel import Panel
from quantflux.factors.windows import daily_returns, lagged, window_correlation, window_mean, window_std

_MONTH, _HALF_YEAR, _YEAR = 21, 126, 252
_WINDOW, _LEAST = 20, 15


@dataclass(frozen=True, slots=True)
class Factor:
    """A named factor.

    Attributes
    ----------
    name : str
    definition : str
        The formula and its rule for gaps, in words.
    fields : tuple of str
        What it reads from the research panel.
    lookback : int
        Rows before its own that a value may depend on.
    formula : callable
        From a panel to an array of shape (T, N).
    """

    name: str
    definition: str
    fields: tuple[str, ...]
    lookback: int
    formula: Callable[[Panel], np.ndarray]

    def values(self, panel: Panel) -> np.ndarray:
        """Return the factor of each day and symbol, shape (T, N); NaN where it did not trade."""
        with np.errstate(invalid="ignore", divide="ignore"):
            values = self.formula(panel)
        return np.where(np.isnan(panel["close"]) | ~np.isfinite(values), np.nan, values)


def _reversal(panel: Panel) -> np.ndarray:
    return np.asarray(1 - panel["close"] / lagged(panel["close"], _WINDOW))


def _momentum(far: int) -> Callable[[Panel], np.ndarray]:
    return lambda panel: np.asarray(lagged(panel["close"], _MONTH) / lagged(panel["close"], far) - 1)


def _volatility(panel: Panel) -> np.ndarray:
    return -window_std(daily_returns(panel["close"]), _WINDOW, _LEAST)


def _turnover(panel: Panel) -> np.ndarray:
    return -window_mean(panel["turnover_rate"], _WINDOW, _LEAST)


def _illiquidity(panel: Panel) -> np.ndarray:
    moves = np.abs(daily_returns(panel["close"]))
    return window_mean(np.where(panel["amount"] > 0, moves / panel["amount"], np.nan), _WINDOW, _LEAST)


def _price_volume(panel: Panel) -> np.ndarray:
    return -window_correlation(panel["close"], panel["volume"], _WINDOW, _LEAST)


def _size(panel: Panel) -> np.ndarray:
    return np.asarray(-np.log(panel["total_mv"]))


def _value_traded(panel: Panel) -> np.ndarray:
    return np.asarray(-np.log(window_mean(panel["value_traded"], _WINDOW, _LEAST)))


def _value(panel: Panel) -> np.ndarray:
    return np.where(panel["pb"] > 0, 1 / panel["pb"], np.nan)


_GAPS = f"NaN with fewer than {_LEAST} of the {_WINDOW} days"

REVERSAL_20 = Factor(
    "reversal_20",
    "Minus the return of the last 20 trading days: what fell comes back. NaN if either close is missing.",
    ("close",),
    _WINDOW,
    _reversal,
)
MOMENTUM_12_1 = Factor(
    "momentum_12_1",
    "Return from 252 to 21 trading days ago: the last year without its last month. NaN if either close is missing.",
    ("close",),
    _YEAR,
    _momentum(_YEAR),
)
MOMENTUM_6_1 = Factor(
    "momentum_6_1",
    "Return from 126 to 21 trading days ago: half a year without its last month. NaN if either close is missing.",
    ("close",),
    _HALF_YEAR,
    _momentum(_HALF_YEAR),
)
VOLATILITY_20 = Factor(
    "volatility_20",
    f"Minus the standard deviation of the last 20 daily returns: calm is better. {_GAPS}.",
    ("close",),
    _WINDOW,
    _volatility,
)
LOW_TURNOVER = Factor(
    "low_turnover",
    f"Minus the mean turnover rate of the last 20 days: neglected is better. {_GAPS}.",
    ("close", "turnover_rate"),
    _WINDOW - 1,
    _turnover,
)
ILLIQUIDITY_20 = Factor(
    "illiquidity_20",
    f"Mean of |daily return| / amount over the last 20 days (Amihud 2002): hard to trade pays more. {_GAPS}.",
    ("close", "amount"),
    _WINDOW,
    _illiquidity,
)
PRICE_VOLUME_20 = Factor(
    "price_volume_20",
    f"Minus the correlation of close and volume over the last 20 days: no crowd behind the rise. {_GAPS}.",
    ("close", "volume"),
    _WINDOW - 1,
    _price_volume,
)
SIZE = Factor(
    "size", "Minus the log of the market capitalisation: small is better.", ("close", "total_mv"), 0, _size
)
SMALL_VALUE_TRADED_20 = Factor(
    "small_value_traded_20",
    f"Minus the log of the mean value traded in the last 20 days, a stand-in for size. {_GAPS}.",
    ("close", "value_traded"),
    _WINDOW - 1,
    _value_traded,
)
VALUE = Factor(
    "value",
    "Book value over price (1 / pb): cheap is better. NaN where book value is not positive.",
    ("close", "pb"),
    0,
    _value,
)

_SLOTS: Mapping[str, tuple[Factor, ...]] = MappingProxyType(
    {
        "reversal": (REVERSAL_20,),
        "momentum": (MOMENTUM_12_1, MOMENTUM_6_1),
        "volatility": (VOLATILITY_20,),
        "liquidity": (LOW_TURNOVER, ILLIQUIDITY_20, PRICE_VOLUME_20),
        "size": (SIZE, SMALL_VALUE_TRADED_20),
        "value": (VALUE,),
    }
)
"""What each of the six may be, the best first."""


@dataclass(frozen=True)
class Choice:
    """Which factors a panel allows.

    Attributes
    ----------
    factors : tuple of Factor
    replaced : mapping of str to str
        By the name of each factor that stands in for a better one: why.
    omitted : mapping of str to str
        By the name of each factor left out: why.
    """

    factors: tuple[Factor, ...]
    replaced: Mapping[str, str]
    omitted: Mapping[str, str]


def choose_factors(panel: Panel) -> Choice:
    """Return the best variant of each classic factor that the panel's fields and length allow.

    A variant needs each of its fields on at least half of the traded days and names, and rows for one and a half
    times its look-back (and for 20 days beyond it), so that there is something to evaluate.
    """
    chosen: list[Factor] = []
    replaced: dict[str, str] = {}
    omitted: dict[str, str] = {}
    for variants in _SLOTS.values():
        lacks = [_lack(factor, panel) for factor in variants]
        best = next((i for i, lack in enumerate(lacks) if not lack), None)
        if best is None:
            omitted[variants[0].name] = lacks[-1]
            continue
        chosen.append(variants[best])
        if best > 0:
            replaced[variants[best].name] = f"stands in for {variants[0].name}: {lacks[0]}"
    return Choice(tuple(chosen), MappingProxyType(replaced), MappingProxyType(omitted))


def _lack(factor: Factor, panel: Panel) -> str:
    """Return what the panel lacks for a factor; empty if nothing."""
    traded = int(np.count_nonzero(~np.isnan(panel["close"])))
    for name in factor.fields:
        found = int(np.count_nonzero(~np.isnan(panel[name]))) if name in panel else 0
        if 2 * found < traded or not traded:
            return f"the data have {name} on {found / max(traded, 1):.0%} of the bars, half is needed"
    needed = factor.lookback + max(factor.lookback // 2, _WINDOW)
    if len(panel) < needed:
        return f"the data have {len(panel)} trading days, {needed} are needed"
    return ""
