"""The five strategies of v1's single-stock backtest, as conditions to buy and to sell at a close."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from quantflux.api.v1_compat.asked import Values
from quantflux.api.v1_compat.envelope import Refused

Conditions = tuple[str, str]
"""When to buy, and when to sell: expressions over prices."""

_LONGEST = 250


def crossing_averages(params: Values) -> Conditions:
    """Return when a short mean crosses a long one."""
    short, long = _days(params, "ma_short", 5), _days(params, "ma_long", 20)
    if short >= long:
        raise Refused(400, f"ma_short is {short} and ma_long {long}; valid is a short one below the long one")
    return _crossings(f"ts_mean(close, {short})", f"ts_mean(close, {long})")


def macd(params: Values) -> Conditions:
    """Return when DIF crosses DEA."""
    fast, slow = _days(params, "fast", 12), _days(params, "slow", 26)
    signal = _days(params, "signal", 9)
    if fast >= slow:
        raise Refused(400, f"fast is {fast} and slow {slow}; valid is a fast one below the slow one")
    return _crossings(f"macd(close, {fast}, {slow})", f"macd_signal(close, {fast}, {slow}, {signal})")


def kdj(params: Values) -> Conditions:
    """Return when K leaves the oversold zone upward, or the overbought one downward."""
    return _leaving(f"kdj_k(high, low, close, {_days(params, 'period', 9)}, 3)", params, 20, 80)


def rsi(params: Values) -> Conditions:
    """Return when RSI leaves the oversold zone upward, or the overbought one downward."""
    return _leaving(f"rsi(close, {_days(params, 'period', 6)})", params, 30, 70)


def bollinger(params: Values) -> Conditions:
    """Return when the close touches the lower band, or the upper one."""
    days, width = _days(params, "period", 20), params.number("std_dev", 2)
    if not 0 < width <= 100:
        raise Refused(400, f"std_dev: found {width:g}; valid is a number above 0, up to 100")
    return (
        f"close <= boll_lower(close, {days}, {width:g})",
        f"close >= boll_upper(close, {days}, {width:g})",
    )


STRATEGIES: Mapping[str, Callable[[Values], Conditions]] = {
    "ma_cross": crossing_averages,
    "macd": macd,
    "kdj": kdj,
    "rsi": rsi,
    "bollinger": bollinger,
}


def _days(params: Values, name: str, default: int) -> int:
    return params.integer(name, default, least=2, most=_LONGEST)


def _crossings(one: str, other: str) -> Conditions:
    over = f"({one} > {other} and delay({one}, 1) <= delay({other}, 1))"
    under = f"({one} < {other} and delay({one}, 1) >= delay({other}, 1))"
    return over, under


def _leaving(value: str, params: Values, oversold: float, overbought: float) -> Conditions:
    low, high = params.number("oversold", oversold), params.number("overbought", overbought)
    return (
        f"({value} > {low!r} and delay({value}, 1) <= {low!r})",
        f"({value} < {high!r} and delay({value}, 1) >= {high!r})",
    )
