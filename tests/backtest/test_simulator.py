"""Each rule and reason of the simulator, worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from quantflux.backtest.decisions import Decisions, Kind
from quantflux.backtest.execution import Execution, Fill, Rule
from quantflux.backtest.orders import Reason, Targets
from quantflux.backtest.policies import OrderList
from quantflux.backtest.run import Run
from quantflux.backtest.simulator import simulate
from quantflux.core.errors import InvalidRequest
from quantflux.rules import Commission, LotRule
from tests.backtest.venues import FREE, NAN, events_of, venue_of


def hold(weights: list[list[float]], rows: list[int]) -> Targets:
    return Targets(np.array(rows), np.array(weights))


def orders(*entries: tuple[int, int, float] | tuple[int, int, float, float]) -> OrderList:
    """Orders from (row, column, shares[, limit])."""
    row, column, shares, limit = zip(*((*entry, NAN)[:4] for entry in entries), strict=True)
    return OrderList(np.array(row), np.array(column), np.array(shares), np.array(limit))


def reasons(run: Run) -> list[tuple[int, str]]:
    return [(int(row), Reason(reason).name) for row, reason in zip(run.log.row, run.log.reason, strict=True)]


# What is filled where


def test_weights_decided_at_a_close_are_bought_at_the_next_open() -> None:
    venue = venue_of([[9.0], [12.0], [15.0]], opens=[[9.0], [10.0], [13.0]])

    run = simulate(venue, hold([[0.5]], [0]), FREE, 1_000.0)

    assert run.log.filled.tolist() == [50.0]
    assert run.log.price.tolist() == [10.0]
    assert run.equity.tolist() == [1_000.0, 1_100.0, 1_250.0]
    assert run.cash.tolist() == [1_000.0, 500.0, 500.0]
    assert run.weights_at(2).tolist() == [750 / 1_250]
    assert run.holdings.at(-1)[1].tolist() == run.holdings.at(2)[1].tolist() == [50.0]


@pytest.mark.parametrize(("fill", "price"), [(Fill.OPEN, 10.0), (Fill.CLOSE, 12.0), (Fill.VWAP, 11.0)])
def test_orders_are_filled_at_the_price_asked_for(fill: Fill, price: float) -> None:
    rows = [[10.0], [10.0]]
    venue = venue_of(
        [[12.0], [12.0]], opens=rows, high=[[12.0]] * 2, low=rows, volume=1_000.0, amount=[[11_000.0]] * 2
    )

    run = simulate(venue, orders((1, 0, 50.0)), Execution.ideal(fill), 1_000.0)

    assert run.log.price.tolist() == [price]


def test_there_is_no_vwap_without_amounts() -> None:
    with pytest.raises(InvalidRequest, match="no amounts"):
        simulate(venue_of([[1.0]] * 2), hold([[1.0]], [0]), Execution(fill=Fill.VWAP))


def test_what_is_not_wanted_any_more_is_sold_and_pays_for_the_rest() -> None:
    run = simulate(venue_of([[10.0, 20.0]] * 4), hold([[1.0, 0.0], [0.0, 1.0]], [0, 1]), FREE, 1_000.0)

    assert run.log.filled.tolist() == [100.0, -100.0, 50.0]
    assert run.cash.tolist() == [1_000.0, 0.0, 0.0, 0.0]


def test_a_weight_of_nan_leaves_a_holding_as_it_is() -> None:
    venue = venue_of([[10.0, 10.0], [10.0, 10.0], [20.0, 10.0], [20.0, 10.0]])

    run = simulate(venue, hold([[0.5, 0.5], [NAN, 0.2]], [0, 2]), FREE, 1_000.0)

    assert run.holdings.at(3)[1].tolist() == [50.0, 30.0]  # a fifth of 1,500 yuan; the first was left alone


# Limits


@pytest.mark.parametrize(
    ("opens", "filled"), [(11.0, 0.0), (10.99, 100.0)], ids=["at the limit", "a tick below"]
)
def test_a_name_that_opens_limit_up_cannot_be_bought(opens: float, filled: float) -> None:
    venue = venue_of([[10.0]] * 2, opens=[[10.0], [opens]], up=[[11.0]] * 2, down=[[9.0]] * 2)

    run = simulate(venue, orders((1, 0, 100.0)), FREE.under({Rule.LIMITS}), 10_000.0)

    assert run.log.filled.tolist() == [filled]
    assert reasons(run) == [(1, "LIMIT_UP" if filled == 0 else "FILLED")]


def test_at_the_close_it_is_the_close_that_counts() -> None:
    venue = venue_of([[10.0], [10.5], [11.5]], opens=[[10.0], [11.0], [11.0]], up=[[11.0], [11.0], [11.5]])
    execution = Execution(fill=Fill.CLOSE).under({Rule.LIMITS})

    run = simulate(venue, orders((1, 0, 100.0), (2, 0, 100.0)), execution, 10_000.0)

    assert reasons(run) == [(1, "FILLED"), (2, "LIMIT_UP")]


def test_a_vwap_is_refused_on_a_board_of_one_price_or_at_the_limit() -> None:
    venue = venue_of(
        [[11.0, 11.0, 11.0]] * 2,
        opens=[[10.5, 11.0, 11.0]] * 2,
        high=[[11.0, 11.0, 11.0]] * 2,
        low=[[10.5, 11.0, 10.99]] * 2,
        volume=100.0,
        amount=[[1_090.0, 1_100.0, 1_100.0]] * 2,
        up=[[11.0, 11.0, 11.0]] * 2,
    )
    execution = Execution(fill=Fill.VWAP).under({Rule.LIMITS})

    run = simulate(venue, orders((1, 0, 10.0), (1, 1, 10.0), (1, 2, 10.0)), execution, 10_000.0)

    assert [name for _, name in reasons(run)] == ["FILLED", "LIMIT_UP", "LIMIT_UP"]


def test_a_sale_at_the_lower_limit_waits_and_is_told_once() -> None:
    venue = venue_of([[10.0], [10.0], [9.0], [8.1], [8.0]], down=[[9.0], [9.0], [9.0], [8.1], [7.29]])

    run = simulate(venue, hold([[1.0], [0.0]], [0, 1]), FREE.under({Rule.LIMITS}), 1_000.0)

    assert reasons(run) == [(1, "FILLED"), (2, "LIMIT_DOWN"), (4, "FILLED")]
    assert run.cash[-1] == 800.0


def test_a_purchase_at_the_upper_limit_is_given_up() -> None:
    venue = venue_of([[11.0], [11.0], [10.0], [10.0]], up=[[11.0]] * 4)

    run = simulate(venue, hold([[1.0]], [0]), FREE.under({Rule.LIMITS}), 1_000.0)

    assert reasons(run) == [(1, "LIMIT_UP")]
    assert (run.equity == 1_000.0).all()


def test_slippage_does_not_carry_a_price_beyond_its_limit() -> None:
    venue = venue_of([[10.9], [10.9], [9.1]], up=[[11.0]] * 3, down=[[9.0]] * 3)
    execution = Execution(slippage=0.05).under({Rule.LIMITS, Rule.SLIPPAGE})

    run = simulate(venue, orders((1, 0, 100.0), (2, 0, -100.0)), execution, 10_000.0)

    assert run.log.price.tolist() == [11.0, 9.0]
    np.testing.assert_allclose(run.log.slippage, [10.0, 10.0])


# Names that do not trade


def test_a_suspended_name_is_not_bought_and_not_sold() -> None:
    venue = venue_of([[10.0, 10.0], [10.0, NAN], [NAN, NAN], [NAN, 7.0], [7.0, 7.0]])

    run = simulate(venue, hold([[0.5, 0.5], [0.0, 0.0]], [0, 1]), FREE.under({Rule.SUSPENSION}), 1_000.0)

    assert reasons(run) == [(1, "FILLED"), (1, "SUSPENDED"), (2, "SUSPENDED"), (4, "FILLED")]
    assert run.positions.tolist() == [0.0, 500.0, 500.0, 500.0, 0.0]  # at its last price


def test_without_that_rule_it_changes_hands_at_its_last_price() -> None:
    venue = venue_of([[10.0], [10.0], [NAN], [NAN]], events=events_of(4, 1, (2, 0, 1.0, 0.0)))

    run = simulate(venue, orders((2, 0, 10.0), (3, 0, -10.0)), FREE, 1_000.0)

    assert run.log.price.tolist() == [9.0, 9.0]  # ex the dividend


def test_a_name_that_is_not_listed_is_refused() -> None:
    venue = venue_of([[NAN, 5.0], [NAN, NAN], [10.0, NAN]], last_row=[2, 0])

    run = simulate(venue, orders((1, 0, 100.0), (1, 1, 100.0), (2, 0, 100.0)), FREE, 10_000.0)

    assert reasons(run) == [(1, "NOT_LISTED"), (1, "NOT_LISTED"), (2, "FILLED")]


def test_weights_of_a_name_without_any_price_cannot_be_told_in_shares() -> None:
    run = simulate(venue_of([[NAN], [NAN], [10.0]]), hold([[1.0]], [0]), Execution(), 1_000.0)

    assert reasons(run) == [(1, "NOT_LISTED")]
    assert math.isnan(run.log.wanted[0])


@pytest.mark.parametrize(("recovery", "cash"), [(1.0, 800.0), (0.25, 200.0)])
def test_who_holds_a_name_that_leaves_is_paid_out_at_its_last_price(recovery: float, cash: float) -> None:
    venue = venue_of([[10.0], [10.0], [8.0], [NAN], [NAN]], last_row=[3])

    run = simulate(venue, hold([[1.0]], [0]), Execution(recovery=recovery).under(()), 1_000.0)

    assert reasons(run) == [(1, "FILLED"), (3, "DELISTED")]
    assert run.positions.tolist() == [0.0, 1_000.0, 800.0, 0.0, 0.0]
    assert run.cash[-1] == cash
    assert len(run.log.cut()) == 0


# T+1


def test_what_was_bought_today_is_sold_tomorrow() -> None:
    venue = venue_of([[10.0]] * 5, day=[0, 0, 0, 1, 1])

    run = simulate(
        venue,
        orders((0, 0, 100.0), (1, 0, 100.0), (2, 0, -150.0), (3, 0, -150.0)),
        FREE.under({Rule.SETTLEMENT}),
        10_000.0,
    )

    assert reasons(run) == [(0, "FILLED"), (1, "FILLED"), (2, "SETTLEMENT"), (3, "FILLED")]
    assert run.log.filled.tolist() == [100.0, 100.0, 0.0, -150.0]


def test_what_was_held_before_can_be_sold_beside_it() -> None:
    venue = venue_of([[10.0]] * 3, day=[0, 1, 1])

    run = simulate(
        venue, orders((0, 0, 100.0), (1, 0, 300.0), (2, 0, -400.0)), FREE.under({Rule.SETTLEMENT}), 10_000.0
    )

    assert run.log.filled.tolist() == [100.0, 300.0, -100.0]
    assert reasons(run)[-1] == (2, "SETTLEMENT")


def test_names_of_the_same_day_can_be_sold_at_once() -> None:
    venue = venue_of([[10.0]] * 2, day=[0, 0], settlement=0)

    run = simulate(venue, orders((0, 0, 100.0), (1, 0, -100.0)), FREE.under({Rule.SETTLEMENT}), 10_000.0)

    assert run.log.filled.tolist() == [100.0, -100.0]


def test_bonus_shares_wait_with_the_shares_that_they_came_from() -> None:
    venue = venue_of([[10.0]] * 3, settlement=2, events=events_of(3, 1, (1, 0, 0.0, 0.5)))

    run = simulate(
        venue, orders((0, 0, 100.0), (1, 0, -150.0), (2, 0, -150.0)), FREE.under({Rule.SETTLEMENT}), 10_000.0
    )

    assert run.log.filled.tolist() == [100.0, 0.0, -150.0]
    assert run.holdings.at(1)[1].tolist() == [150.0]


# Lots


def test_purchases_are_whole_lots() -> None:
    venue = venue_of([[10.0, 10.0, 1000.0]] * 3)

    run = simulate(venue, hold([[0.255, 0.3, 0.4]], [0]), FREE.under({Rule.LOTS}), 10_000.0)

    assert run.log.wanted.tolist() == [4.0, 200.0, 300.0]
    assert run.log.filled.tolist() == [0.0, 200.0, 300.0]
    assert [name for _, name in reasons(run)] == ["LOT", "FILLED", "FILLED"]


def test_star_names_are_bought_from_two_hundred_on_by_one() -> None:
    venue = venue_of([[10.0, 10.0]] * 2, lots=LotRule(np.full(2, 200.0), np.full(2, 1.0)))

    run = simulate(venue, orders((1, 0, 199.0), (1, 1, 201.0)), FREE.under({Rule.LOTS}), 10_000.0)

    assert run.log.filled.tolist() == [0.0, 201.0]
    assert [name for _, name in reasons(run)] == ["LOT", "FILLED"]


def test_a_change_of_less_than_a_lot_is_no_order() -> None:
    venue = venue_of([[10.0, 10.0], [10.0, 10.0], [10.2, 10.0], [10.2, 10.0]])

    run = simulate(venue, hold([[0.5, 0.5], [0.5, 0.5]], [0, 2]), FREE.under({Rule.LOTS}), 10_000.0)

    assert len(run.log) == 2


def test_part_of_a_holding_is_sold_in_whole_lots() -> None:
    venue = venue_of([[10.0]] * 4)

    run = simulate(
        venue, orders((1, 0, 500.0), (2, 0, -250.0), (3, 0, -60.0)), FREE.under({Rule.LOTS}), 10_000.0
    )

    assert run.log.filled.tolist() == [500.0, -200.0, 0.0]
    assert [name for _, name in reasons(run)] == ["FILLED", "LOT", "LOT"]


def test_odd_shares_are_sold_with_the_rest() -> None:
    venue = venue_of([[10.0]] * 4, events=events_of(4, 1, (2, 0, 0.0, 0.1)))

    run = simulate(venue, hold([[1.0], [0.0]], [0, 2]), FREE.under({Rule.LOTS}), 1_000.0)

    assert run.log.filled.tolist() == pytest.approx([100.0, -110.0])
    assert run.holdings.counts.tolist() == [0, 1, 1, 0]


# Volume


def test_all_orders_of_a_name_share_a_part_of_the_volume() -> None:
    venue = venue_of([[10.0]] * 2, volume=1_000.0)
    execution = Execution(participation=0.25).under({Rule.VOLUME})

    run = simulate(venue, orders((1, 0, 200.0), (1, 0, 100.0), (1, 0, 10.0)), execution, 10_000.0)

    assert run.log.filled.tolist() == [200.0, 50.0, 0.0]
    assert [name for _, name in reasons(run)] == ["FILLED", "VOLUME", "VOLUME"]


def test_the_rest_of_a_sale_goes_on_the_next_day_and_that_of_a_purchase_lapses() -> None:
    venue = venue_of([[10.0]] * 6, volume=1_000.0)
    execution = Execution(participation=0.06).under({Rule.VOLUME, Rule.LOTS})
    buys = orders((0, 0, 0.0 + 200.0))

    bought = simulate(venue, buys, execution, 10_000.0)
    execution = Execution(participation=0.1).under({Rule.VOLUME, Rule.LOTS})
    sold = simulate(
        venue,
        Decisions(
            np.array([-1, 0, 1]),
            np.array([Kind.ORDERS, Kind.ORDERS, Kind.REPLACE]),
            np.array([0, 1, 2, 3]),
            np.zeros(3, dtype=np.int64),
            np.array([200.0, 200.0, 0.0]),
            np.full(3, NAN),
        ),
        execution,
        10_000.0,
    )

    assert reasons(bought) == [(0, "VOLUME")]
    assert bought.log.filled.tolist() == [0.0]  # 60 shares are less than a lot
    assert sold.log.filled.tolist() == [100.0, 100.0, -100.0, -100.0]
    assert reasons(sold) == [(0, "VOLUME"), (1, "VOLUME"), (2, "VOLUME"), (3, "FILLED")]


def test_a_volume_that_is_not_known_is_none() -> None:
    venue = venue_of([[10.0]] * 2, volume=NAN)

    run = simulate(venue, orders((1, 0, 100.0)), FREE.under({Rule.VOLUME}), 10_000.0)

    assert reasons(run) == [(1, "VOLUME")]


# Cash


def test_weights_short_of_cash_are_scaled_down_together() -> None:
    venue = venue_of([[10.0, 10.0], [10.0, 10.0]], opens=[[10.0, 10.0], [8.0, 8.0]])
    execution = Execution(fill=Fill.CLOSE).under(())

    run = simulate(venue, hold([[0.75, 0.25]], [0]), execution, 800.0)  # 75 and 25 shares at 8, filled at 10

    assert run.log.filled.tolist() == pytest.approx([60.0, 20.0])
    assert [name for _, name in reasons(run)] == ["CASH", "CASH"]
    assert run.cash[-1] == pytest.approx(0.0, abs=1e-8)
    assert run.cash.min() >= 0


def test_an_order_list_gets_cash_in_its_order() -> None:
    venue = venue_of([[10.0, 10.0, 10.0]] * 2)

    run = simulate(
        venue, orders((1, 2, 300.0), (1, 0, 500.0), (1, 1, 100.0)), FREE.under({Rule.LOTS}), 5_500.0
    )

    assert run.log.column.tolist() == [2, 0, 1]
    assert run.log.filled.tolist() == [300.0, 200.0, 0.0]
    assert [name for _, name in reasons(run)] == ["FILLED", "CASH", "CASH"]


def test_a_sale_pays_for_a_purchase_on_the_same_row() -> None:
    venue = venue_of([[10.0, 10.0]] * 3)

    run = simulate(venue, orders((1, 0, 100.0), (2, 1, 100.0), (2, 0, -100.0)), FREE, 1_000.0)

    assert run.log.filled.tolist() == [100.0, -100.0, 100.0]


def test_a_sale_that_would_cost_more_than_it_brings_is_refused_without_cash() -> None:
    venue = venue_of([[10.0], [10.0], [0.01]])
    execution = Execution(commission=Commission(0.0, 5.0)).under({Rule.FEES})

    run = simulate(venue, orders((1, 0, 99.5), (2, 0, -99.5)), execution, 1_000.0)

    assert reasons(run) == [(1, "FILLED"), (2, "CASH")]
    assert run.cash[-1] == 0.0


def test_what_is_not_held_cannot_be_sold() -> None:
    venue = venue_of([[10.0, 10.0]] * 3)

    run = simulate(venue, orders((1, 0, 100.0), (2, 0, -150.0), (2, 1, -50.0)), FREE, 10_000.0)

    assert run.log.filled.tolist() == [100.0, -100.0, 0.0]
    assert [name for _, name in reasons(run)] == ["FILLED", "NOT_HELD", "NOT_HELD"]


# Orders with a limit


@pytest.mark.parametrize(
    ("limit", "price"),
    [(10.2, 10.0), (10.0, 10.0), (9.9, 9.9), (9.5, NAN), (9.4, NAN)],
    ids=["above the open", "at the open", "reached", "touched", "not reached"],
)
def test_a_limited_purchase_waits_for_its_price(limit: float, price: float) -> None:
    venue = venue_of([[9.8]] * 2, opens=[[10.0]] * 2, high=[[10.1]] * 2, low=[[9.5]] * 2)
    execution = Execution(slippage=0.01).under(())

    run = simulate(venue, orders((1, 0, 100.0, limit)), execution, 10_000.0)

    np.testing.assert_array_equal(run.log.price, [price])
    assert reasons(run) == [(1, "PRICE" if math.isnan(price) else "FILLED")]


def test_a_limited_sale_waits_for_its_price() -> None:
    venue = venue_of([[9.8]] * 4, opens=[[10.0]] * 4, high=[[10.3]] * 4, low=[[9.5]] * 4)

    run = simulate(
        venue,
        orders((0, 0, 90.0), (1, 0, -30.0, 10.2), (2, 0, -30.0, 9.9), (3, 0, -30.0, 10.3)),
        FREE,
        10_000.0,
    )

    np.testing.assert_array_equal(run.log.price, [10.0, 10.2, 10.0, NAN])


def test_slippage_does_not_carry_a_price_beyond_the_limit_of_the_order() -> None:
    venue = venue_of([[10.0]] * 2)
    execution = Execution(slippage=0.05).under({Rule.SLIPPAGE})

    run = simulate(venue, orders((1, 0, 100.0, 10.1)), execution, 10_000.0)

    assert run.log.price.tolist() == [10.1]


def test_a_board_that_opens_fills_an_order_at_the_limit() -> None:
    venue = venue_of([[10.8]] * 2, opens=[[11.0]] * 2, high=[[11.0]] * 2, low=[[10.7]] * 2, up=[[11.0]] * 2)

    run = simulate(venue, orders((1, 0, 100.0, 11.0)), FREE.under({Rule.LIMITS}), 10_000.0)

    assert run.log.price.tolist() == [11.0]


def test_an_order_beyond_the_days_limit_is_one_at_it() -> None:
    board = venue_of([[11.0]] * 2, up=[[11.0]] * 2)
    opened = venue_of([[11.0]] * 2, low=[[10.9]] * 2, up=[[11.0]] * 2)

    refused, filled = (
        simulate(venue, orders((1, 0, 100.0, 11.5)), FREE.under({Rule.LIMITS}), 10_000.0)
        for venue in (board, opened)
    )

    assert reasons(refused) == [(1, "LIMIT_UP")]
    assert filled.log.price.tolist() == [11.0]


# Costs


def test_fees_are_those_of_the_day() -> None:
    venue = venue_of([[10.0], [10.0], [12.0]], fees=0.001)
    execution = Execution(commission=Commission(0.0003, 5.0)).under({Rule.FEES})

    run = simulate(venue, orders((1, 0, 1_000.0), (2, 0, -2_000.0)), execution, 20_000.0)

    assert run.log.commission.tolist() == pytest.approx([5.0, 5.0])  # 3 and 3.60 are less than the minimum
    assert run.log.stamp_duty.tolist() == pytest.approx([0.0, 12.0])
    assert run.cash.tolist() == pytest.approx([20_000.0, 9_995.0, 21_978.0])
    assert run.fees.tolist() == pytest.approx([0.0, 5.0, 17.0])
    assert run.traded.tolist() == pytest.approx([0.0, 10_000.0, 12_000.0])
    assert run.returns.tolist() == pytest.approx([19_995 / 20_000 - 1, 21_978 / 19_995 - 1])
    assert run.log.filled_only().column.tolist() == [0, 0]
    assert run.log.counts()[Reason.NOT_HELD] == 1


def test_the_least_commission_is_charged_once_an_order_and_day() -> None:
    venue = venue_of([[10.0]] * 4, day=[0, 0, 0, 1], volume=1_000.0)
    execution = Execution(participation=0.5, commission=Commission(0.0025, 20.0)).under(
        {Rule.FEES, Rule.VOLUME}
    )

    run = simulate(venue, orders((0, 0, 1_400.0)), execution, 20_000.0)

    assert run.log.filled.tolist() == [500.0, 500.0, 400.0]
    assert run.log.commission.tolist() == pytest.approx([20.0, 5.0, 10.0])  # 0.25 % of 14,000 in all


def test_impact_grows_with_the_root_of_the_part_of_the_volume() -> None:
    venue = venue_of([[10.0]] * 3, high=[[10.5]] * 3, low=[[10.0]] * 3, volume=10_000.0)
    execution = Execution(slippage=0.001, impact=0.8).under({Rule.SLIPPAGE})

    run = simulate(venue, orders((2, 0, 100.0)), execution, 10_000.0)

    deviation = math.log(1.05) / math.sqrt(4 * math.log(2))
    assert run.log.price[0] == pytest.approx(10 * (1 + 0.001 + 0.8 * deviation * math.sqrt(0.01)))


# Dividends


def test_dividends_are_credited_and_new_shares_added_before_trading() -> None:
    venue = venue_of([[10.0], [10.0], [6.5], [6.5]], events=events_of(4, 1, (2, 0, 0.5, 0.5)))

    run = simulate(venue, hold([[1.0]], [0]), FREE, 1_000.0)

    assert run.dividends.tolist() == [0.0, 0.0, 50.0, 0.0]
    assert run.holdings.at(2)[1].tolist() == [150.0]
    assert run.equity.tolist() == [1_000.0, 1_000.0, 1_025.0, 1_025.0]


def test_growth_keeps_the_value_of_a_suspended_name() -> None:
    events = events_of(4, 1, (2, 0, 0.0, 0.25))
    venue = venue_of([[10.0], [10.0], [NAN], [8.0]], events=events)

    run = simulate(venue, hold([[1.0]], [0]), FREE, 1_000.0)

    assert run.equity.tolist() == pytest.approx([1_000.0] * 4)


def test_a_sale_that_waits_grows_with_the_shares() -> None:
    venue = venue_of([[10.0], [10.0], [NAN], [5.0]], events=events_of(4, 1, (3, 0, 0.0, 1.0)))

    run = simulate(venue, hold([[1.0], [0.4]], [0, 1]), FREE.under({Rule.SUSPENSION}), 1_000.0)

    assert run.log.wanted.tolist() == pytest.approx([100.0, -60.0, -120.0])
    assert run.holdings.at(3)[1].tolist() == pytest.approx([80.0])


@pytest.mark.parametrize(("sold_on", "rate"), [(10, 0.2), (60, 0.1), (300, 0.0)])
def test_tax_is_due_at_the_sale_by_the_time_held(sold_on: int, rate: float) -> None:
    """Rows are business days from 2024-01-01: bought on row 1, so 9, 59 and 299 rows are 13, 83 and 419 days."""
    venue = venue_of([[10.0]] * 320, events=events_of(320, 1, (5, 0, 0.5, 0.0)))

    run = simulate(
        venue, orders((1, 0, 100.0), (sold_on, 0, -100.0)), FREE.under({Rule.DIVIDEND_TAX}), 1_000.0
    )

    assert run.dividends.sum() == 50.0
    assert run.dividend_tax[sold_on] == pytest.approx(50.0 * rate)
    assert run.cash[-1] == pytest.approx(1_050.0 - 50.0 * rate)


def test_what_was_bought_first_is_sold_first() -> None:
    """100 shares held for over a month, 100 bought a week ago: half of the older ones, then those and half the rest."""
    venue = venue_of([[10.0]] * 60, events=events_of(60, 1, (45, 0, 1.0, 0.0)))

    run = simulate(
        venue,
        orders((1, 0, 100.0), (41, 0, 100.0), (46, 0, -50.0), (47, 0, -100.0)),
        FREE.under({Rule.DIVIDEND_TAX}),
        10_000.0,
    )

    assert run.dividend_tax[46] == pytest.approx(50 * 0.1)
    assert run.dividend_tax[47] == pytest.approx(50 * 0.1 + 50 * 0.2)


def test_shares_bought_after_the_dividend_owe_nothing() -> None:
    venue = venue_of([[10.0]] * 5, events=events_of(5, 1, (1, 0, 1.0, 0.0)))

    run = simulate(venue, orders((1, 0, 100.0), (2, 0, -100.0)), FREE.under({Rule.DIVIDEND_TAX}), 10_000.0)

    assert run.dividends.sum() == run.dividend_tax.sum() == 0


# Signals


def test_a_signal_opens_what_is_not_held_and_closes_what_is() -> None:
    venue = venue_of([[10.0, 10.0], [10.0, 10.0], [20.0, 10.0], [20.0, 10.0], [20.0, 10.0]])
    signals = Decisions.of(
        np.array([0, 1, 3]),
        Kind.SIGNALS,
        [1, 2, 2],
        np.array([0, 0, 1, 0, 1]),
        np.array([0.5, 0.5, 0.5, 0.0, 0.5]),
    )

    run = simulate(venue, signals, FREE, 1_000.0)

    # The second name gets half of the account at the open of its day, 20 x 50 + 500; it has but 500.
    assert run.log.column.tolist() == [0, 1, 0]
    assert run.log.filled.tolist() == pytest.approx([50.0, 50.0, -50.0])


def test_no_more_positions_are_opened_than_the_weight_leaves_room_for() -> None:
    venue = venue_of([[10.0, 10.0, 10.0]] * 4)
    signals = Decisions.of(
        np.array([0, 1]), Kind.SIGNALS, [2, 2], np.array([0, 1, 0, 2]), np.array([0.5, 0.5, 0.0, 0.5])
    )
    full = Decisions.of(
        np.array([0, 1]), Kind.SIGNALS, [2, 1], np.array([0, 1, 2]), np.array([0.5, 0.5, 0.5])
    )

    swapped, refused = (simulate(venue, plan, FREE, 1_000.0) for plan in (signals, full))

    assert swapped.holdings.at(3)[0].tolist() == [1, 2]
    assert reasons(refused)[-1] == (2, "CASH")


# What is asked for


def test_nothing_to_do_is_refused() -> None:
    venue = venue_of([[1.0]] * 2)
    with pytest.raises(InvalidRequest, match="no decision"):
        simulate(venue, Targets(np.zeros(0, dtype=int), np.zeros((0, 1))))
    with pytest.raises(InvalidRequest, match="capital must be positive"):
        simulate(venue, hold([[1.0]], [0]), capital=0.0)
    with pytest.raises(InvalidRequest, match="the venue has 1 names, the targets have 2"):
        simulate(venue, hold([[0.5, 0.5]], [0]))
    with pytest.raises(InvalidRequest, match="2 rows, a decision is for row 2"):
        simulate(venue, hold([[1.0]], [2]))
    with pytest.raises(InvalidRequest, match="1 names, a decision is for place 3"):
        simulate(venue, orders((1, 3, 100.0)))


@pytest.mark.parametrize("weights", [[[0.6, 0.6]], [[-0.1, 0.5]]])
def test_credit_and_short_sales_are_refused(weights: list[list[float]]) -> None:
    with pytest.raises(InvalidRequest, match="add up to at most 1"):
        hold(weights, [0])


@pytest.mark.parametrize(
    "changed", [{"participation": 0.0}, {"slippage": -0.1}, {"impact": NAN}, {"recovery": 1.1}]
)
def test_executions_out_of_range_are_refused(changed: dict[str, float]) -> None:
    with pytest.raises(InvalidRequest, match=next(iter(changed))):
        Execution(**changed)  # type: ignore[arg-type]
