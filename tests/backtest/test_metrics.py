"""Metrics against pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantflux.backtest import Fills, Run, compare, drawdown, monthly_returns, performance
from tests.factors.markets import days


def path(seed: int, drift: float = 0.001) -> np.ndarray:
    return 1e6 * np.cumprod(1 + np.random.default_rng(seed).normal(drift, 0.01, 300))


def run_of(equity: np.ndarray, fills: Fills | None = None, first: int = 10) -> Run:
    zero = np.zeros(len(equity))
    return Run(
        days(300), 1e6, zero, equity, zero.astype(int), fills or Fills.joined([]), np.zeros((300, 4)), first
    )


def test_performance_agrees_with_pandas() -> None:
    equity = path(1)

    ours = performance(equity)

    series = pd.Series(equity)
    daily = series.pct_change().dropna()
    assert ours.total_return == pytest.approx(series.iloc[-1] / series.iloc[0] - 1)
    assert ours.annual_return == pytest.approx((1 + daily).prod() ** (244 / 299) - 1)
    assert ours.volatility == pytest.approx(daily.std() * np.sqrt(244))
    assert ours.sharpe == pytest.approx(daily.mean() / daily.std() * np.sqrt(244))
    assert ours.max_drawdown == pytest.approx(-(series / series.cummax() - 1).min())
    np.testing.assert_allclose(drawdown(equity), series / series.cummax() - 1)


def test_months_agree_with_pandas() -> None:
    equity = path(2)

    ours = monthly_returns(days(300), equity)

    by_month = pd.Series(equity, index=pd.DatetimeIndex(days(300))).resample("ME").last()
    expected = by_month.pct_change().fillna(by_month.iloc[0] / equity[0] - 1)
    np.testing.assert_allclose(list(ours.values()), expected)


def test_a_month_of_the_first_row_alone_is_left_out() -> None:
    times = np.array(["2024-01-31", "2024-02-01"], dtype="datetime64[D]")

    assert monthly_returns(times, np.array([1.0, 2.0])) == {np.datetime64("2024-02"): 1.0}


def test_a_comparison_agrees_with_pandas() -> None:
    mine, other = path(3, 0.002), path(4)
    count = 40
    fills = Fills(
        row=np.full(count, 20),
        column=np.arange(count),
        shares=np.where(np.arange(count) % 2, 100.0, -100.0),
        price=np.full(count, 50.0),
        commission=np.full(count, 5.0),
        stamp_duty=np.full(count, 2.5),
        transfer_fee=np.full(count, 0.05),
    )

    ours = compare(run_of(mine, fills), run_of(other))

    a, b = pd.Series(mine[10:]), pd.Series(other[10:])
    gap = a.pct_change().dropna() - b.pct_change().dropna()
    years = 289 / 244
    assert ours.tracking_error == pytest.approx(gap.std() * np.sqrt(244))
    assert ours.information_ratio == pytest.approx(gap.mean() / gap.std() * np.sqrt(244))
    growth = [(s.iloc[-1] / s.iloc[0]) ** (1 / years) for s in (a, b)]
    assert ours.excess_return == pytest.approx(growth[0] - growth[1])
    assert ours.turnover == pytest.approx(count * 5_000 / 2 / a.mean() / years)
    assert ours.costs == pytest.approx({"commission": 200.0, "stamp_duty": 100.0, "transfer_fee": 2.0})
    assert ours.cost_drag == pytest.approx(302 / a.mean() / years)
    months = pd.DataFrame({"a": mine[10:], "b": other[10:]}, index=pd.DatetimeIndex(days(300)[10:])).resample(
        "ME"
    )
    change = (
        pd.concat([pd.DataFrame({"a": [mine[10]], "b": [other[10]]}), months.last()]).pct_change().dropna()
    )
    assert ours.hit_rate == pytest.approx((change["a"] > change["b"]).mean())


def test_an_account_that_stands_still_has_no_sharpe() -> None:
    assert np.isnan(performance(np.full(10, 5.0)).sharpe)
