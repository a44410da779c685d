"""What was refused, by reason: worked by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from quantflux.backtest.orders import Reason
from quantflux.backtest.refusals import Refusals, refusals_of
from tests.backtest.accounts import NAN, run_of

TIMES = np.datetime64("2024-01-02") + np.arange(4)
CLOSE = np.array([[10.0, NAN], [11.0, 5.0], [NAN, 6.0], [NAN, NAN]])
ORDERS = [
    (1, 0, 100.0, 0.0, NAN, Reason.LIMIT_UP, 0.0),
    (2, 0, -300.0, 0.0, NAN, Reason.SUSPENDED, 0.0),
    (2, 1, 500.0, 200.0, 5.5, Reason.VOLUME, 0.0),
    (2, 1, -500.0, -100.0, 5.5, Reason.VOLUME, 0.0),
    (3, 1, 100.0, 100.0, 6.0, Reason.FILLED, 0.0),
    (3, 0, 400.0, 0.0, NAN, Reason.SUSPENDED, 0.0),
    (3, 0, -100.0, -100.0, 9.0, Reason.DELISTED, 0.0),
    (0, 1, 100.0, 0.0, NAN, Reason.NOT_LISTED, 0.0),
]


def refusals() -> dict[Reason, Refusals]:
    run = run_of(TIMES, np.full(4, 1e6), np.zeros((4, 2)), ORDERS)
    return {one.reason: one for one in refusals_of(run, SimpleNamespace(close=CLOSE))}  # type: ignore[arg-type]


def test_orders_are_counted_and_valued_by_reason() -> None:
    assert refusals() == {
        # The last close of the suspended name is 11: 300 to sell and 400 to buy.
        Reason.SUSPENDED: Refusals(Reason.SUSPENDED, 1, 1, 2, 0, pytest.approx(4400), pytest.approx(3300)),
        # At the price of the fill.
        Reason.VOLUME: Refusals(
            Reason.VOLUME, 1, 1, 0, 2, pytest.approx(300 * 5.5), pytest.approx(400 * 5.5)
        ),
        Reason.LIMIT_UP: Refusals(Reason.LIMIT_UP, 1, 0, 1, 0, pytest.approx(1100), 0),
        # There is no price yet to value it at.
        Reason.NOT_LISTED: Refusals(Reason.NOT_LISTED, 1, 0, 1, 0, 0, 0),
    }


def test_the_most_yuan_come_first() -> None:
    assert list(refusals()) == [Reason.SUSPENDED, Reason.VOLUME, Reason.LIMIT_UP, Reason.NOT_LISTED]
    assert refusals()[Reason.VOLUME].orders == 2


def test_a_run_that_got_all_it_wanted_has_none() -> None:
    run = run_of(TIMES, np.full(4, 1e6), np.zeros((4, 2)), [ORDERS[4]])

    assert refusals_of(run, SimpleNamespace(close=CLOSE)) == ()  # type: ignore[arg-type]
