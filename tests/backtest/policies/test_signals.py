"""Signals and lists of orders become decisions."""

from __future__ import annotations

import numpy as np
import pytest

from quantflux.backtest.decisions import Decisions, Kind
from quantflux.backtest.orders import Reason
from quantflux.backtest.policies import OrderList, Signals
from quantflux.backtest.simulator import simulate
from quantflux.core.errors import InvalidRequest
from tests.backtest.venues import FREE, NAN, venue_of

ON, OFF = True, False


def entries(decisions: Decisions) -> list[tuple[int, int, float]]:
    rows = np.repeat(decisions.rows, np.diff(decisions.offsets))
    return list(zip(rows.tolist(), decisions.columns.tolist(), decisions.values.tolist(), strict=True))


def test_a_position_is_opened_when_its_signal_appears_and_closed_by_the_other() -> None:
    buy = np.array([[ON, OFF], [ON, ON], [OFF, OFF], [ON, ON], [OFF, OFF]])
    sell = np.array([[OFF, ON], [OFF, OFF], [ON, OFF], [OFF, ON], [OFF, OFF]])

    decisions = Signals(buy, sell, most=4).decisions(venue_of([[1.0, 1.0]] * 5))

    # The first sale of name 1 comes before it was ever bought; on row 3 it is told to buy and to sell.
    assert entries(decisions) == [(0, 0, 0.25), (1, 1, 0.25), (2, 0, 0.0), (3, 0, 0.25), (3, 1, 0.0)]
    assert set(decisions.kinds.tolist()) == {Kind.SIGNALS}


def test_the_last_places_go_by_priority() -> None:
    buy, sell = np.array([[ON] * 3, [OFF] * 3]), np.zeros((2, 3), dtype=bool)
    priority = np.array([[1.0, 3.0, 2.0], [0.0, 0.0, 0.0]])
    venue = venue_of([[10.0] * 3] * 2)

    by_column, by_priority = (
        simulate(venue, Signals(buy, sell, 2, order), FREE, 1_000.0) for order in (None, priority)
    )

    assert by_column.holdings.at(1)[0].tolist() == [0, 1]
    assert by_priority.holdings.at(1)[0].tolist() == [1, 2]
    assert Reason.CASH in by_priority.log.reason


def test_orders_are_decided_the_row_before_and_keep_their_order() -> None:
    orders = OrderList(np.array([2, 0, 2]), np.array([1, 0, 0]), np.array([100.0, 50.0, -50.0]))

    decisions = orders.decisions(venue_of([[1.0, 1.0]] * 3))

    assert entries(decisions) == [(-1, 0, 50.0), (1, 1, 100.0), (1, 0, -50.0)]
    assert np.isnan(decisions.limits).all()


def test_impossible_requests_are_refused() -> None:
    on = np.ones((2, 2), dtype=bool)
    with pytest.raises(InvalidRequest, match="one shape"):
        Signals(on, on[:1])
    with pytest.raises(InvalidRequest, match="most must be 1"):
        Signals(on, on, most=0)
    with pytest.raises(InvalidRequest, match="venue's shape"):
        Signals(on, on).decisions(venue_of([[1.0]]))
    with pytest.raises(InvalidRequest, match="one length"):
        OrderList(np.array([0]), np.array([0, 1]), np.array([1.0]))
    with pytest.raises(InvalidRequest, match="one was for row -6"):
        OrderList(np.array([-5]), np.array([0]), np.array([1.0])).decisions(venue_of([[1.0]]))
    with pytest.raises(InvalidRequest, match="for some shares"):
        OrderList(np.array([0]), np.array([0]), np.array([NAN]))
