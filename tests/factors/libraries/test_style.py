"""The style factors against NumPy and pandas, one day at a time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantflux.core.panel import Panel
from quantflux.expressions.evaluate import evaluate
from quantflux.expressions.nodes import fields_of
from quantflux.factors.libraries import load_library
from tests.factors.libraries.market import market

ROWS, COLUMNS = 330, 24
DAYS = (275, 300, 329)


@pytest.fixture(scope="module")
def panel() -> Panel:
    bars = market(ROWS, COLUMNS, 14)
    rng = np.random.default_rng(15)
    fields = dict(bars.fields)
    # Capitalisation moves with the price, so that a day's return and the weight after it hang together.
    fields["cap"] = bars["close"] * rng.lognormal(18, 1.2, COLUMNS)
    every = {name for factor in load_library("style") for name in fields_of(factor.node)}
    for name in sorted(every - set(fields)):
        level = rng.normal(3, 2, COLUMNS) * rng.normal(1, 0.1, bars.shape)
        fields[name] = (
            np.exp(level / 3) if name in {"turnover_rate", "total_assets", "total_liabilities"} else level
        )
    return Panel(bars.times, bars.symbols, fields)


@pytest.fixture(scope="module")
def found(panel: Panel) -> Panel:
    return evaluate({factor.id: factor.node for factor in load_library("style")}, panel)


def standard(x: np.ndarray, cap: np.ndarray) -> np.ndarray:
    """One day's exposures: cut off at five robust deviations, market mean 0, deviation 1."""
    x = np.where(np.isnan(cap), np.nan, x)
    middle = np.nanmedian(x)
    reach = 5 * 1.4826 * np.nanmedian(np.abs(x - middle))
    cut = np.clip(x, middle - reach, middle + reach)
    known = ~np.isnan(cut)
    return (cut - np.average(cut[known], weights=cap[known])) / np.nanstd(cut, ddof=1)


def without(x: np.ndarray, *exposures: np.ndarray) -> np.ndarray:
    """What a regression with intercept leaves."""
    design = np.column_stack([np.ones_like(x), *exposures])
    known = ~np.isnan(np.column_stack([x, design])).any(axis=1)
    beta, *_ = np.linalg.lstsq(design[known], x[known], rcond=None)
    return np.where(known, x - design @ beta, np.nan)


def returns_of(panel: Panel) -> tuple[pd.DataFrame, pd.Series]:
    """Daily returns, and that of the market: their mean weighted by the capitalisation of the day before."""
    close, cap = pd.DataFrame(panel["close"]), pd.DataFrame(panel["cap"]).shift(1)
    moves = close / close.shift(1) - 1
    weight = cap.where(moves.notna())
    return moves, (moves * weight).sum(axis=1) / weight.sum(axis=1)


def weights(rows: int, half_life: float) -> np.ndarray:
    """Oldest first. The library rounds its spans to whole days."""
    span = round(2 / (1 - 0.5 ** (1 / half_life)) - 1)
    return (1 - 2 / (span + 1)) ** np.arange(rows - 1, -1, -1)


def regression(panel: Panel, day: int, column: int) -> tuple[float, float]:
    """Weighted regression of a symbol's returns on the market's: slope, and deviation of the rest."""
    moves, market_moves = returns_of(panel)
    x, y = moves.iloc[: day + 1, column].to_numpy(), market_moves.iloc[: day + 1].to_numpy()
    known = ~np.isnan(x) & ~np.isnan(y)
    if known.sum() < 60:
        return np.nan, np.nan
    w = weights(day + 1, 63)[known]
    slope, level = np.polyfit(y[known], x[known], 1, w=np.sqrt(w))
    rest = x[known] - level - slope * y[known]
    return float(slope), float(np.sqrt(np.average(rest**2, weights=w)))


def deviation(panel: Panel, day: int, column: int) -> float:
    moves = returns_of(panel)[0].iloc[: day + 1, column].to_numpy()
    known = ~np.isnan(moves)
    if known.sum() < 60:
        return np.nan
    w = weights(day + 1, 42)[known]
    mean = np.average(moves[known], weights=w)
    return float(np.sqrt(np.average((moves[known] - mean) ** 2, weights=w)))


def expected(panel: Panel, day: int) -> dict[str, np.ndarray]:
    now = {name: values[day] for name, values in panel.fields.items()}
    cap = now["cap"]

    def z(x: np.ndarray) -> np.ndarray:
        return standard(x, cap)

    def positive(x: np.ndarray) -> np.ndarray:
        return np.where(x > 0, x, np.nan)

    fits = np.array([regression(panel, day, column) for column in range(COLUMNS)])
    size, beta = z(np.log(cap)), z(fits[:, 0])
    close = pd.DataFrame(panel["close"])
    logs = np.log(close / close.shift(1)).to_numpy()[: day - 20]
    fall_off = weights(day - 20, 126)[:, None] * ~np.isnan(logs)
    momentum = np.nansum(fall_off * np.nan_to_num(logs), axis=0) / fall_off.sum(axis=0)
    momentum[(~np.isnan(logs)).sum(axis=0) < 252] = np.nan
    ends = np.array([close.ffill().iloc[day - 21 * month].to_numpy() for month in range(1, 13)])
    spread = z(np.log(ends.max(axis=0) / ends.min(axis=0)))
    alone = z(np.array([deviation(panel, day, column) for column in range(COLUMNS)]))
    volatility = 0.74 * alone + 0.16 * spread + 0.1 * z(fits[:, 1])
    turnover = pd.DataFrame(panel["turnover_rate"])
    sums = [
        turnover.rolling(d, min_periods=least).sum().iloc[day]
        for d, least in ((21, 15), (63, 45), (252, 180))
    ]
    month, quarter, year = (z(np.log(total.to_numpy())) for total in sums)
    earned = 0.66 * z(now["net_profit_ttm"] / cap) + 0.34 * z(now["operating_cashflow_ttm"] / cap)
    before = now["net_profit_ttm_prev_year"]
    profit_growth = (now["net_profit_ttm"] - before) / np.abs(before)
    revenue_growth = now["revenue_ttm"] / positive(now["revenue_ttm_prev_year"]) - 1
    debt = now["total_liabilities"]
    leverage = 0.38 * z(debt / cap) + 0.35 * z(debt / now["total_assets"])
    return {
        "style_size": size,
        "style_beta": beta,
        "style_momentum": z(momentum),
        "style_residual_volatility": z(without(volatility, beta, size)),
        "style_nonlinear_size": z(without(size**3, size)),
        "style_book_to_price": z(now["total_equity"] / cap),
        "style_liquidity": z(without(0.35 * month + 0.35 * quarter + 0.3 * year, size)),
        "style_earnings_yield": z(earned),
        "style_growth": z(0.34 * z(profit_growth) + 0.66 * z(revenue_growth)),
        "style_leverage": z(leverage + 0.27 * z(debt / positive(now["total_equity"]))),
    }


@pytest.mark.parametrize("day", DAYS)
def test_exposures_equal_the_reference(day, panel, found):
    reference = expected(panel, day)

    assert set(reference) == set(found.fields)
    for name, values in reference.items():
        np.testing.assert_allclose(found[name][day], values, rtol=1e-6, atol=1e-8, err_msg=name)
        assert np.isfinite(values).sum() >= COLUMNS // 2, name


def test_what_is_neutralised_is_uncorrelated(found):
    pairs = [
        ("style_residual_volatility", "style_beta"),
        ("style_residual_volatility", "style_size"),
        ("style_nonlinear_size", "style_size"),
        ("style_liquidity", "style_size"),
    ]

    for one, two in pairs:
        x, y = found[one][DAYS[-1]], found[two][DAYS[-1]]
        known = ~np.isnan(x) & ~np.isnan(y)
        # Cutting off at five robust deviations afterwards is the only thing that can bring a trace back.
        assert abs(np.corrcoef(x[known], y[known])[0, 1]) < 0.05, (one, two)
