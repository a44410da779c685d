"""Costs, turnover and exposure of runs written down by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from quantflux.backtest.metrics import (
    Costs,
    account_rows,
    costs_of,
    exposure,
    turnover,
    yearly_costs,
    yearly_rate,
)
from quantflux.backtest.orders import Reason
from quantflux.core.errors import InvalidRequest
from quantflux.factors.universe import Industries
from tests.backtest.accounts import run_of

TIMES = np.array(["2023-12-28", "2023-12-29", "2024-01-02", "2024-01-03"], dtype="datetime64[D]")
VALUE = np.array([[0, 0, 0], [600, 0, 0], [600, 200, 0], [0, 300, 100]], dtype=np.float64)
CASH = np.array([1000.0, 400.0, 200.0, 600.0])
ORDERS = [
    (1, 0, 60.0, 60.0, 10.0, Reason.FILLED, 5.0),
    (2, 1, 20.0, 20.0, 10.0, Reason.FILLED, 5.0),
    (3, 0, -60.0, -60.0, 10.0, Reason.FILLED, 5.0),
]


def test_costs_add_up_by_kind_and_year() -> None:
    run = run_of(TIMES, CASH, VALUE, ORDERS, dividend_tax=np.array([0, 0, 0, 7.0]))

    assert costs_of(run) == Costs(15, 6, 1.5, 3, 7)
    assert costs_of(run).total == 32.5
    assert yearly_costs(run) == {
        np.datetime64("2023"): Costs(5, 2, 0.5, 1, 0),
        np.datetime64("2024"): Costs(10, 4, 1, 2, 7),
    }


def test_years_before_the_first_decision_are_left_out() -> None:
    assert list(yearly_costs(run_of(TIMES, CASH, VALUE, ORDERS[1:], first=2))) == [np.datetime64("2024")]


def test_turnover_is_half_of_what_was_traded_over_the_mean_account() -> None:
    run = run_of(TIMES, CASH, VALUE, ORDERS)

    # 600 + 200 + 600 traded; the account is worth 1000 throughout; 3 days of 244.
    assert turnover(run, run.equity) == pytest.approx(700 / 1000 / (3 / 244))
    assert math.isnan(yearly_rate(1.0, run.equity[:1]))


def test_exposure_worked_by_hand() -> None:
    run = run_of(TIMES, CASH, VALUE)

    found = exposure(run, np.array([0, 2, 3]), Industries.of(["bank", "steel", ""]))

    assert found.invested.tolist() == pytest.approx([0, 0.8, 0.4])
    assert (found.invested + found.cash).tolist() == pytest.approx([1, 1, 1])
    assert found.names.tolist() == [0, 2, 2]
    assert found.largest.tolist() == pytest.approx([0, 0.6, 0.3])
    assert found.effective.tolist() == pytest.approx([0, 0.8**2 / (0.36 + 0.04), 0.16 / 0.10])
    assert found.industries is not None
    np.testing.assert_allclose(found.industries, [[0, 0, 0], [0.6, 0.2, 0], [0, 0.3, 0.1]])
    assert found.industry_names == ("bank", "steel")


def test_equal_positions_have_as_many_effective_names() -> None:
    run = run_of(TIMES[:2], np.array([100.0, 0.0]), np.array([[0.0] * 4, [25.0] * 4]))

    assert exposure(run, np.array([1])).effective.tolist() == pytest.approx([4])
    assert exposure(run, np.array([1])).industries is None


def test_industries_of_other_names_are_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"must have shape \(3,\)"):
        exposure(run_of(TIMES, CASH, VALUE), np.array([0]), Industries.of(["bank"]))


def test_an_account_is_measured_from_its_first_decision_at_closes() -> None:
    minutes = np.array(
        ["2024-01-02T14:59", "2024-01-02T15:00", "2024-01-03T09:31", "2024-01-03T15:00"],
        dtype="datetime64[m]",
    )

    assert account_rows(minutes, 0).tolist() == [0, 1, 3]
    assert account_rows(minutes, 1).tolist() == [1, 3]
    assert account_rows(TIMES, 1).tolist() == [1, 2, 3]
