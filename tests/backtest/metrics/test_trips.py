"""Round trips, first in first out: worked by hand, and beside a queue of single shares."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
import pytest

from quantflux.backtest.events import Events
from quantflux.backtest.metrics import RoundTrips, round_trips
from quantflux.backtest.orders import Reason
from tests.backtest.accounts import NAN, Order, log_of


def events_of(days: int, *events: tuple[int, int, float, float]) -> Events:
    """Day, column, cash a share, growth."""
    day, column, cash, growth = (np.array(v) for v in (zip(*events, strict=True) if events else [[]] * 4))
    offsets = np.searchsorted(day, np.arange(days + 1)).astype(np.int64)
    return Events(offsets, column.astype(np.int64), cash.astype(np.float64), growth.astype(np.float64))


def order(row: int, column: int, shares: float, price: float, fee: float = 0.0) -> Order:
    return (row, column, shares, shares, price, Reason.FILLED, fee)


def trips_of(orders: list[Order], events: Events | None = None, days: int = 50) -> RoundTrips:
    return round_trips(log_of(orders), events or events_of(days), np.arange(days))


def test_the_oldest_lot_goes_first_and_fees_are_shared_by_shares() -> None:
    # Each order also pays 2.5 yuan of duties, see `log_of`.
    found = trips_of([order(1, 0, 100, 10.0, 5.0), order(3, 0, 300, 12.0, 5.0), order(8, 0, -200, 15.0, 5.0)])

    assert found.column.tolist() == [0, 0]
    assert found.bought.tolist() == [1, 3]
    assert found.sold.tolist() == [8, 8]
    assert found.shares.tolist() == [100, 100]
    assert found.cost.tolist() == pytest.approx([1007.5, (3600 + 7.5) / 3])
    assert found.proceeds.tolist() == pytest.approx([(3000 - 7.5) / 2] * 2)
    assert found.held.tolist() == [7, 5]
    assert found.profit.tolist() == pytest.approx([1496.25 - 1007.5, 1496.25 - 1202.5])
    assert found.returns[0] == pytest.approx((1496.25 - 1007.5) / 1007.5)
    assert found.hit_rate == 1
    assert math.isnan(found.payoff)
    assert found.mean_held == pytest.approx((7 * 1007.5 + 5 * 1202.5) / (1007.5 + 1202.5))


def test_dividends_and_splits_belong_to_what_was_held_before_the_day() -> None:
    # 1 yuan a share in cash and a share for each share on day 5; bought on that day is bought without them.
    split = events_of(50, (5, 0, 1.0, 2.0))
    found = trips_of([order(1, 0, 100, 10.0), order(5, 0, 100, 5.0), order(9, 0, -300, 6.0)], split)

    assert found.shares.tolist() == [200, 100]
    assert found.income.tolist() == [100, 0]
    assert found.cost.tolist() == pytest.approx([1002.5, 502.5])
    assert found.profit.sum() == pytest.approx(1800 - 2.5 + 100 - 1505)


def test_a_lot_that_is_sold_in_parts_gives_each_its_part_of_the_dividend() -> None:
    paid = events_of(50, (5, 0, 1.0, 1.0))
    found = trips_of([order(1, 0, 400, 10.0), order(6, 0, -100, 10.0), order(7, 0, -300, 10.0)], paid)

    assert found.income.tolist() == [100, 300]
    assert found.cost.tolist() == pytest.approx([1000.625, 3001.875])


def test_names_do_not_mix_and_what_is_held_or_was_refused_is_left_out() -> None:
    refused: Order = (4, 1, -100, 0, NAN, Reason.LIMIT_DOWN, 0.0)
    found = trips_of(
        [order(1, 1, 100, 10.0), order(1, 2, 100, 10.0), refused, order(5, 1, -100, 9.0), order(6, 2, 5, 9.0)]
    )

    assert found.column.tolist() == [1]
    assert found.hit_rate == 0
    assert len(trips_of([])) == 0
    assert math.isnan(trips_of([]).hit_rate)
    assert math.isnan(trips_of([]).mean_held)


def test_sold_and_bought_on_one_row_sells_the_old_lot() -> None:
    found = trips_of([order(1, 0, 100, 10.0), order(4, 0, -100, 11.0), order(4, 0, 200, 11.0)])

    assert found.bought.tolist() == [1]
    assert found.shares.tolist() == [100]


def test_a_payout_on_leaving_the_market_closes_the_trip() -> None:
    gone: Order = (9, 0, -100, -100, 3.0, Reason.DELISTED, 0.0)
    found = trips_of([order(1, 0, 100, 10.0), gone])

    assert found.sold.tolist() == [9]
    assert found.proceeds.tolist() == pytest.approx([297.5])


def test_rows_within_a_day_are_not_days() -> None:
    orders = [order(0, 0, 100, 10.0), order(5, 0, -100, 11.0)]

    found = round_trips(log_of(orders), events_of(2), np.repeat([0, 1], 4))

    assert found.held.tolist() == [1]


@pytest.mark.parametrize("seed", range(4))
def test_random_orders_agree_with_a_queue_of_single_shares(seed: int) -> None:
    rng = np.random.default_rng(seed)
    orders: list[Order] = []
    queues: dict[int, deque[tuple[int, float]]] = {column: deque() for column in range(3)}
    expected: dict[tuple[int, int, int], list[float]] = {}
    for row in range(1, 49):
        column = int(rng.integers(3))
        queue = queues[column]
        shares, price = int(rng.integers(1, 30)), float(rng.uniform(5, 15))
        if queue and rng.random() < 0.5:
            shares = min(shares, len(queue))
            orders.append(order(row, column, -shares, price))
            each = price - 2.5 / shares
            for _ in range(shares):
                bought, cost = queue.popleft()
                total = expected.setdefault((column, bought, row), [0.0, 0.0, 0.0])
                total[0] += 1
                total[1] += cost
                total[2] += each
        else:
            orders.append(order(row, column, shares, price))
            queue.extend([(row, price + 2.5 / shares)] * shares)

    found = trips_of(orders)

    ours = {
        (int(c), int(b), int(s)): [q, cost, got]
        for c, b, s, q, cost, got in zip(
            found.column, found.bought, found.sold, found.shares, found.cost, found.proceeds, strict=True
        )
    }
    assert ours.keys() == expected.keys()
    for key, values in expected.items():
        assert ours[key] == pytest.approx(values)
