"""Bias statistics: near 1 for right models, off by the right amount for wrong ones, and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.risk import RiskModel
from quantflux.portfolio.risk.bias import (
    NORMAL_Q,
    BiasTest,
    bias_test,
    market_portfolio,
    random_portfolios,
    style_portfolios,
)
from quantflux.portfolio.risk.factor_model import CovarianceRule, FactorModel
from tests.portfolio.risk.histories import names
from tests.portfolio.risk.markets import simulated_market


def constant_model(count: int, variance: float) -> RiskModel:
    return RiskModel(tuple(names(count)), dense=variance * np.eye(count))


def test_a_right_model_scores_one_and_a_wrong_one_its_error() -> None:
    returns = np.random.default_rng(0).normal(0, 0.02, (4000, 30))
    everyone = random_portfolios(np.ones((4000, 30), bool), 5, 10)
    rows = range(0, 3990, 5)

    right, low, high = (
        bias_test(
            lambda _, v=variance: constant_model(30, v),  # type: ignore[misc]
            names(30),
            returns,
            everyone,
            rows,
            horizon=5,
        )
        for variance in (4e-4, 1e-4, 16e-4)
    )

    # of 798 independent outcomes the deviation of the statistic is 2.5 %
    np.testing.assert_allclose(right.statistics(), 1, atol=0.1)
    np.testing.assert_allclose(low.statistics(), 2 * right.statistics(), rtol=1e-9)
    np.testing.assert_allclose(right.q(), NORMAL_Q, atol=0.25)
    assert (right.q() < low.q()).all() and (right.q() < high.q()).all()
    assert right.mean_deviation(12).mean() == pytest.approx(0.17, abs=0.02)


def test_the_constant_of_q_is_the_mean_over_normal_outcomes() -> None:
    z = np.random.default_rng(1).normal(size=2_000_000)

    assert np.mean(z**2 - np.log(z**2)) == pytest.approx(NORMAL_Q, abs=0.01)


def test_statistics_by_hand() -> None:
    made = BiasTest(
        ("a",), np.arange(3), 1, np.array([[0.01], [0.02], [0.01]]), np.array([[0.01], [-0.02], [0.03]])
    )

    # standardised 1, -1, 3: mean 1, squares 0 + 4 + 4 over 2
    assert made.statistics() == pytest.approx([2.0])
    # 1 - 0, 1 - 0, 9 - ln 9
    assert made.q() == pytest.approx([(11 - np.log(9)) / 3])
    np.testing.assert_allclose(made.rolling(2)[:, 0], [np.nan, np.sqrt(2), np.sqrt(8)])
    assert made.mean_deviation(2) == pytest.approx([(np.sqrt(2) + np.sqrt(8)) / 2 - 1])
    assert made.band() == pytest.approx((1 - np.sqrt(2 / 3), 1 + np.sqrt(2 / 3)))


def test_forecasts_scale_with_the_horizon_and_outcomes_are_summed_from_the_next_day() -> None:
    returns = np.arange(20.0).reshape(10, 2) / 100
    returns[4, 0] = np.nan
    weights = np.array([[0.25, 0.75]])

    made = bias_test(
        lambda _: constant_model(2, 4e-4), names(2), returns, lambda _: weights, [2, 5], horizon=3
    )

    # rows 3, 4, 5: 0.06, nan, 0.10 and 0.07, 0.09, 0.11
    assert made.outcomes[0, 0] == pytest.approx(0.25 * 0.16 + 0.75 * 0.27)
    assert made.forecasts[0, 0] == pytest.approx(np.sqrt(3 * 4e-4 * (0.25**2 + 0.75**2)))


def test_a_model_in_another_order_and_of_fewer_names_is_understood() -> None:
    returns = np.random.default_rng(2).normal(0, 0.01, (30, 3))
    whole = np.diag([1e-4, 4e-4, 9e-4])
    symbols = names(3)
    model = RiskModel((symbols[2], symbols[0]), dense=whole[np.ix_([2, 0], [2, 0])])
    weights = np.array([[1.0, 0.0, -2.0]])

    made = bias_test(lambda _: model, symbols, returns, lambda _: weights, [0, 10], horizon=1)

    assert made.forecasts[0, 0] == pytest.approx(np.sqrt(1e-4 + 4 * 9e-4))
    with pytest.raises(InvalidRequest, match=r"row 0 does not know 600001\.SH"):
        bias_test(lambda _: model, symbols, returns, lambda _: np.ones((1, 3)), [0, 10], horizon=1)


@pytest.mark.parametrize("rows", [[0], [0, 3], [0, 96], []])
def test_overlapping_or_unfinished_decisions_are_refused(rows: list[int]) -> None:
    with pytest.raises(InvalidRequest, match="at least 5 apart, the last at most 94"):
        bias_test(
            lambda _: constant_model(2, 1e-4),
            names(2),
            np.zeros((100, 2)),
            lambda _: np.ones((1, 2)),
            rows,
            horizon=5,
        )
    with pytest.raises(InvalidRequest, match="window must be 2 to 3"):
        BiasTest(("a",), np.arange(3), 1, np.ones((3, 1)), np.ones((3, 1))).rolling(4)


def test_random_portfolios_are_drawn_from_the_universe_and_can_be_repeated() -> None:
    universe = np.zeros((4, 50), bool)
    universe[:, 10:30] = True
    universe[3, 12:] = False

    drawn = random_portfolios(universe, 6, 8, seed=1)

    weights = drawn(0)
    assert weights.shape == (6, 50) and (weights[:, ~universe[0]] == 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert (np.count_nonzero(weights, axis=1) == 8).all() and np.array_equal(weights, drawn(0))
    assert not np.array_equal(weights, drawn(1)) and np.count_nonzero(drawn(3)[0]) == 2


def test_style_portfolios_hold_the_fifths_by_hand() -> None:
    style = np.array([[1.0, 2, 3, 4, 5, 6, 7, 8, 9, 10, np.nan, 99]])
    universe = np.ones((1, 12), bool)
    universe[0, 11] = False
    cap = np.arange(1.0, 13.0)[None]

    weights = style_portfolios(lambda _: style, universe, cap)(0)

    assert weights[0, [0, 1]] == pytest.approx([-1 / 3, -2 / 3])
    assert weights[0, [8, 9]] == pytest.approx([9 / 19, 10 / 19])
    assert np.count_nonzero(weights) == 4
    assert market_portfolio(universe, cap)(0)[0, :2] == pytest.approx([1 / 66, 2 / 66])


def test_the_factor_model_of_a_known_market_is_unbiased() -> None:
    market = simulated_market(1260, 200, seed=12)
    inputs = market.inputs
    fitted = FactorModel.fit(inputs, CovarianceRule(simulations=0))
    rows = range(240, 1240, 10)
    styles = style_portfolios(
        lambda row: inputs.styles.read(slice(row, row + 1))[:, 0], inputs.universe, inputs.capitalisation
    )
    randoms = random_portfolios(inputs.universe, 20, 30)
    whole = market_portfolio(inputs.universe, inputs.capitalisation)

    made = bias_test(
        fitted.at_row,
        inputs.symbols.tolist(),
        inputs.returns,
        lambda row: np.vstack([randoms(row), styles(row), whole(row)]),
        rows,
        horizon=10,
    )

    # 100 outcomes: the deviation of a statistic is 7 %; portfolios share the market, so their mean has about as much
    assert made.statistics()[:20].mean() == pytest.approx(1, abs=0.15)
    assert np.abs(made.statistics() - 1).max() < 0.3
    assert made.q()[:20].mean() == pytest.approx(NORMAL_Q, abs=0.4)
