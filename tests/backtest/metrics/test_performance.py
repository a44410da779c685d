"""Figures worked by hand, gaps and edges; `test_libraries.py` has the comparisons with other libraries."""

from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
import pandas as pd
import pytest

from quantflux.backtest.metrics import (
    Drawdown,
    compare,
    drawdowns,
    expected_shortfall,
    monthly_returns,
    performance,
    rolling_beta,
    rolling_sharpe,
    sharpe,
    value_at_risk,
    yearly_returns,
)
from quantflux.core.errors import InvalidRequest
from tests.backtest.metrics.series import account, fat_tailed, related
from tests.factors.markets import days

EQUITY = np.array([100.0, 110.0, 99.0, 99.0, 121.0, 108.9])


def test_a_record_worked_by_hand() -> None:
    # Returns 10 %, -10 %, 0, 22.22 %, -10 %.
    found = performance(EQUITY)

    assert found.days == 5
    assert found.total_return == pytest.approx(0.089)
    assert found.annual_return == pytest.approx(1.089 ** (244 / 5) - 1)
    assert found.max_drawdown == pytest.approx(0.1)
    assert found.calmar == pytest.approx((1.089 ** (244 / 5) - 1) / 0.1)
    assert found.omega == pytest.approx((0.1 + 22 / 99) / 0.2)
    assert found.downside_deviation == pytest.approx(math.sqrt(0.02 / 5 * 244))
    assert found.positive_days == pytest.approx(0.4)
    assert (found.best_day, found.worst_day) == (pytest.approx(22 / 99), pytest.approx(-0.1))


def test_drawdowns_worked_by_hand() -> None:
    assert drawdowns(EQUITY) == [
        Drawdown(peak=1, trough=2, recovery=4, depth=pytest.approx(0.1), length=3),
        Drawdown(peak=4, trough=5, recovery=None, depth=pytest.approx(0.1), length=1),
    ]
    assert drawdowns(np.array([1.0, 1.0, 2.0])) == []


def slow_drawdowns(equity: list[float]) -> list[tuple[int, int, int | None, float]]:
    found, row = [], 1
    while row < len(equity):
        peak = row - 1
        if equity[row] >= equity[peak]:
            row += 1
            continue
        after = [t for t in range(row, len(equity)) if equity[t] >= equity[peak]]
        end = after[0] if after else len(equity)
        trough = min(range(row, end), key=lambda t: equity[t])
        found.append((peak, trough, after[0] if after else None, 1 - equity[trough] / equity[peak]))
        row = end
    return sorted(found, key=lambda fall: -fall[3])


@pytest.mark.parametrize("seed", range(5))
def test_drawdowns_agree_with_a_walk_along_the_days(seed: int) -> None:
    equity = account(fat_tailed(seed))

    ours = drawdowns(equity)

    theirs = slow_drawdowns(equity.tolist())
    assert [(d.peak, d.trough, d.recovery) for d in ours] == [fall[:3] for fall in theirs]
    assert [d.depth for d in ours] == pytest.approx([fall[3] for fall in theirs])
    assert drawdowns(equity, most=3) == ours[:3]


@pytest.mark.parametrize(("unit", "found"), [("ME", monthly_returns), ("YE", yearly_returns)])
def test_periods_agree_with_pandas(unit: str, found: object) -> None:
    equity = account(fat_tailed(2, 299))

    ours = found(days(300), equity)  # type: ignore[operator]

    last = pd.Series(equity, index=pd.DatetimeIndex(days(300))).resample(unit).last()
    np.testing.assert_allclose(list(ours.values()), last.pct_change().fillna(last.iloc[0] / equity[0] - 1))


def test_a_month_of_the_first_row_alone_is_left_out() -> None:
    times = np.array(["2024-01-31", "2024-02-01"], dtype="datetime64[D]")

    assert monthly_returns(times, np.array([1.0, 2.0])) == {np.datetime64("2024-02"): 1.0}


def test_an_account_that_stands_still_has_no_ratios() -> None:
    found = performance(np.full(10, 5.0))

    assert found.volatility == 0
    assert found.max_drawdown == 0
    for name in ("sharpe", "sortino", "calmar", "omega", "tail_ratio", "skewness", "kurtosis"):
        assert math.isnan(getattr(found, name)), name


def test_a_constant_return_is_no_infinite_sharpe() -> None:
    # The deviation of these returns is what rounding leaves, not zero.
    equity = 1e7 * 1.0003 ** np.arange(500)

    assert math.isnan(performance(equity).sharpe)
    assert math.isnan(compare(days(500), 2 * equity, equity).information_ratio)


def test_a_record_of_the_start_alone_says_nothing() -> None:
    found = performance(np.array([5.0]))

    assert found.days == 0
    assert found.total_return == 0
    assert all(math.isnan(value) for value in astuple(found)[2:9])


def test_a_benchmark_beside_itself_is_no_different() -> None:
    equity = account(fat_tailed(3, 299))

    found = compare(days(300), equity, equity)

    assert (found.excess_return, found.tracking_error, found.days_ahead, found.months_ahead) == (0, 0, 0, 0)
    assert found.beta == pytest.approx(1)
    assert found.alpha == pytest.approx(0, abs=1e-12)
    assert (found.up_capture, found.down_capture) == (1, 1)
    assert math.isnan(found.information_ratio)
    assert math.isnan(found.excess_t)


def test_a_total_loss_is_a_return_of_minus_one() -> None:
    found = performance(np.array([10.0, 5.0, 0.0]))

    assert (found.total_return, found.annual_return, found.max_drawdown) == (-1, -1, 1)


@pytest.mark.parametrize("equity", [[1.0, math.nan, 2.0], [1.0, 0.0, 2.0], [1.0, -1.0, 2.0]])
def test_values_without_a_return_are_refused(equity: list[float]) -> None:
    with pytest.raises(InvalidRequest, match=r"finite|worth more than nothing.*row 1"):
        performance(np.array(equity))


def test_returns_with_gaps_or_of_other_days_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="1 that are not"):
        sharpe(np.array([0.1, math.nan]))
    with pytest.raises(InvalidRequest, match="same days, had 499 and 500"):
        rolling_beta(related(1)[0][1:], related(1)[1], 20)


def test_windows_and_levels_are_checked() -> None:
    with pytest.raises(InvalidRequest, match="at least 2 returns, was 1"):
        rolling_sharpe(fat_tailed(1), 1)
    with pytest.raises(InvalidRequest, match="between 0 and 1"):
        value_at_risk(fat_tailed(1), 5)
    with pytest.raises(InvalidRequest, match="between 0 and 1"):
        expected_shortfall(fat_tailed(1), 0.0)


def test_a_window_longer_than_the_record_is_never_full() -> None:
    assert np.isnan(rolling_sharpe(fat_tailed(1, 10), 20)).all()
    assert len(rolling_sharpe(fat_tailed(1, 10), 20)) == 10
