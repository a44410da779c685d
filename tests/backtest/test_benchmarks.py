"""Benchmarks against the mean and the weighted mean of returns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from quantflux.backtest.benchmarks import cap_weighted, equal_weighted
from quantflux.backtest.orders import Reason
from quantflux.core.errors import InvalidRequest
from tests.backtest.venues import frozen, venue_of

RNG = np.random.default_rng(4)
CLOSE = 10 * np.exp(np.cumsum(RNG.normal(0, 0.02, (30, 5)), axis=0))
CAP = CLOSE * RNG.uniform(1e6, 1e9, 5)


def test_equal_weights_earn_the_mean_return_between_decisions() -> None:
    venue = venue_of(CLOSE.tolist())
    chosen = np.ones((30, 5), dtype=bool)
    chosen[:, 4] = False

    run = equal_weighted(venue, chosen, np.array([0, 10, 20]))

    value = 10_000_000.0
    for first, last in (
        (1, 11),
        (11, 21),
        (21, 29),
    ):  # traded at the open of the next row, which is its close
        value *= (CLOSE[last, :4] / CLOSE[first, :4]).mean()
        assert run.equity[last] == pytest.approx(value)
    assert run.log.fees.sum() == 0


def test_by_capitalisation_with_constant_shares_it_is_the_index() -> None:
    venue = replace(venue_of(CLOSE.tolist()), capitalisation=frozen(CAP))

    run = cap_weighted(venue, np.ones((30, 5), dtype=bool), np.arange(29))

    index = CAP.sum(axis=1)
    # Weights of yesterday's close meet today's price: the account follows the index a day later.
    assert run.equity[1] == 10_000_000.0
    daily = np.array([(CAP[t] / CAP[t].sum()) @ (CLOSE[t + 2] / CLOSE[t + 1]) for t in range(28)])
    np.testing.assert_allclose(run.equity[2:] / run.equity[1:-1], daily)
    assert run.equity[-1] / run.equity[1] == pytest.approx(index[-1] / index[1], rel=0.02)


def test_a_benchmark_cannot_buy_at_the_limit_either() -> None:
    venue = venue_of([[10.0, 10.0]] * 3, up=[[11.0, 10.0]] * 3)

    run = equal_weighted(venue, np.ones((3, 2), dtype=bool), np.array([0]))

    assert run.holdings.at(2)[0].tolist() == [0]
    assert run.log.cut().reason.tolist() == [Reason.LIMIT_UP]


def test_rows_without_a_chosen_name_decide_nothing() -> None:
    venue = venue_of([[10.0]] * 4)

    assert equal_weighted(venue, np.array([[False], [True], [True], [True]]), np.array([0, 1])).first == 1
    with pytest.raises(InvalidRequest, match="no decision"):
        equal_weighted(venue, np.zeros((4, 1), dtype=bool), np.array([0, 1]))
    with pytest.raises(InvalidRequest, match="no market values"):
        cap_weighted(venue, np.ones((4, 1), dtype=bool), np.array([0]))
