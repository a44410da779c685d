"""Forward returns as one can earn them."""

from __future__ import annotations

import numpy as np
import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.factors import Industries, forward_returns, paper_returns
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


def test_a_suspended_name_can_be_neither_bought_nor_sold() -> None:
    panel = hand_panel(
        close=[[10.0], [10.0], [12.0], [NAN], [NAN], [6.0]],
        opening=[[10.0], [10.0], [11.0], [NAN], [NAN], [7.0]],
    )

    ahead = forward_returns(market_of(panel), 2)[:, 0]

    assert ahead[0] == pytest.approx(7.0 / 10 - 1)  # suspended at the exit: sold when it trades again
    assert ahead[1] == pytest.approx(7.0 / 11 - 1)
    assert np.isnan(ahead[2])  # suspended at the entry


def test_what_opens_at_its_lower_limit_is_sold_at_the_next_open_that_is_not() -> None:
    panel = hand_panel(close=[[10.0], [10.0], [9.0], [8.1], [7.5], [7.6]])
    down = np.zeros((6, 1), dtype=bool)
    down[[2, 3], 0] = True

    ahead = forward_returns(market_of(panel, down=down), 1)[:, 0]

    assert ahead[0] == pytest.approx(7.5 / 10 - 1)
    assert ahead[1] == pytest.approx(7.5 / 9 - 1)  # one can buy what nobody wants


def test_nobody_escapes_by_being_delisted() -> None:
    panel = hand_panel([[10.0, 10.0], [10.0, 10.0], [4.0, 10.0], [NAN, 10.0], [NAN, 10.0]])

    assert forward_returns(market_of(panel), 3)[0, 0] == pytest.approx(-0.6)


def test_the_exit_agrees_with_a_search() -> None:
    panel = random_panel(60, 12, seed=4)
    rng = np.random.default_rng(7)
    market = market_of(panel, down=rng.random(panel.shape) < 0.2)

    for row in range(60):
        for name in range(12):
            later = [t for t in range(row, 60) if market.sellable[t, name]]
            expected = market.at_open[later[0] if later else 59, name]
            assert market.proceeds[row, name] == pytest.approx(expected, nan_ok=True)


def test_paper_returns_trade_at_the_signal() -> None:
    panel = hand_panel(close=[[10.0], [11.0], [NAN], [13.0]])

    np.testing.assert_allclose(paper_returns(market_of(panel), 1)[:, 0], [0.1, 0.0, NAN, NAN])


def test_a_horizon_beyond_the_data_is_all_unknown() -> None:
    market = market_of(hand_panel([[1.0], [2.0]]))

    assert np.isnan(forward_returns(market, 9)).all()
    assert np.isnan(paper_returns(market, 9)).all()


def test_a_horizon_of_no_days_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="at least 1 day"):
        forward_returns(market_of(hand_panel([[1.0]])), 0)


def test_industries_lie_on_days_and_names() -> None:
    fixed = Industries.of(["a", "b", ""])
    moving = Industries(np.array([[0, 1, -1], [1, 1, 0]]), ("a", "b"))

    assert fixed.laid_on((2, 3)).tolist() == [[0, 1, -1]] * 2
    assert moving.laid_on((2, 3)).tolist() == moving.codes.tolist()
    with pytest.raises(InvalidRequest, match=r"\(4,\) \(symbols\) or \(2, 4\)"):
        fixed.laid_on((2, 4))
