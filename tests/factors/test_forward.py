"""Forward returns as one can earn them."""

from __future__ import annotations

import numpy as np
import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.factors import forward_returns, holding_returns, paper_returns
from tests.factors.markets import hand_panel, market_of, random_panel

NAN = float("nan")


def test_entry_and_exit_by_hand() -> None:
    panel = hand_panel(close=[[10.0], [11.0], [12.0], [13.0]], opening=[[9.0], [10.0], [12.5], [12.0]])

    one, two = (forward_returns(market_of(panel), h)[:, 0] for h in (1, 2))

    np.testing.assert_allclose(one, [12.5 / 10 - 1, 12 / 12.5 - 1, NAN, NAN])
    np.testing.assert_allclose(two, [12 / 10 - 1, NAN, NAN, NAN])


def test_what_opens_at_its_upper_limit_cannot_be_bought() -> None:
    panel = hand_panel([[10.0, 10.0]] * 4)
    up = np.zeros((4, 2), dtype=bool)
    up[1, 0] = True

    ahead = forward_returns(market_of(panel, up=up), 1)

    assert np.isnan(ahead[0]).tolist() == [True, False]
    assert ahead[1].tolist() == [0.0, 0.0]  # selling out of a locked name is no entry


def test_a_suspended_name_cannot_be_bought_but_keeps_its_value() -> None:
    panel = hand_panel(
        close=[[10.0], [10.0], [12.0], [NAN], [NAN], [6.0]],
        opening=[[10.0], [10.0], [11.0], [NAN], [NAN], [7.0]],
    )

    ahead = forward_returns(market_of(panel), 2)[:, 0]

    assert ahead[0] == pytest.approx(12.0 / 10 - 1)  # suspended at the exit: its last close
    assert ahead[1] == pytest.approx(12.0 / 11 - 1)
    assert np.isnan(ahead[2])  # suspended at the entry


def test_nobody_escapes_by_being_delisted() -> None:
    panel = hand_panel([[10.0, 10.0], [10.0, 10.0], [4.0, 10.0], [NAN, 10.0], [NAN, 10.0]])

    assert forward_returns(market_of(panel), 3)[0, 0] == pytest.approx(-0.6)


def test_paper_returns_trade_at_the_signal() -> None:
    panel = hand_panel(close=[[10.0], [11.0], [NAN], [13.0]])

    np.testing.assert_allclose(paper_returns(market_of(panel), 1)[:, 0], [0.1, 0.0, NAN, NAN])


def test_holding_returns_chain_to_the_whole() -> None:
    market = market_of(random_panel(40, 5, seed=6))
    daily = holding_returns(market)

    chained = np.prod(1 + daily[3:8, 2]) - 1

    assert chained == pytest.approx(market.at_open[7, 2] / market.at_open[2, 2] - 1)


def test_a_horizon_of_no_days_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="at least 1 day"):
        forward_returns(market_of(hand_panel([[1.0]])), 0)
