"""Lists of orders: by hand, and as an account that must balance."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.rebalance import Barrier, Barriers, RebalanceList, rebalance
from quantflux.rules import Commission, FeeRates

DAY = date(2024, 6, 28)
SYMBOLS = ("600519.SH", "000001.SZ", "300750.SZ", "688981.SH", "920001.BJ")
RATES = FeeRates(np.zeros(1), np.full(1, 0.0005), np.full(1, 0.00001), np.full(1, 0.00001), Commission())


def barriers(**stopped: list[int]) -> Barriers:
    made = {name: np.zeros(5, dtype=bool) for name in ("suspended", "limit_up", "limit_down", "restricted")}
    for name, columns in stopped.items():
        made[name][columns] = True
    return Barriers(**made)


def listed(held: list[float], target: list[float], **more: object) -> RebalanceList:
    prices = np.array([100.0, 10.0, 200.0, 50.0, 20.0])
    given_ = {"cash": 1_000_000.0, "fees": RATES} | more
    return rebalance(SYMBOLS, np.array(held), np.array(target), prices, day=DAY, **given_)  # type: ignore[arg-type]


def test_sales_come_first_each_with_its_fees() -> None:
    made = listed([300, 0, 100, 0, 0], [100, 2000, 0, 250, 0])

    told = [(o.side, o.symbol, abs(o.shares), o.amount) for o in made.orders]
    assert told == [
        ("sell", "600519.SH", 200, 20_000),
        ("sell", "300750.SZ", 100, 20_000),
        ("buy", "000001.SZ", 2000, 20_000),
        ("buy", "688981.SH", 250, 12_500),
    ]
    # By hand: 0.025 % is 5.00 and 3.125, the least is 5; duty 0.05 % of sales; transfer 0.001 %.
    assert [round(o.commission, 3) for o in made.orders] == [5, 5, 5, 5]
    assert [round(o.stamp_duty, 3) for o in made.orders] == [10, 10, 0, 0]
    assert [round(o.transfer_fee, 3) for o in made.orders] == [0.2, 0.2, 0.2, 0.125]
    assert made.fees == pytest.approx(20 + 20 + 0.725)
    assert made.cash_after == pytest.approx(1_000_000 + 40_000 - 32_500 - 40.725)
    assert made.turnover == pytest.approx(40_000 / 1_050_000)
    assert made.fees_bp == pytest.approx(1e4 * 40.725 / 1_050_000)
    assert made.after.tolist() == [100, 2000, 0, 250, 0] and not made.refusals


def test_what_cannot_be_traded_is_refused_with_its_reason() -> None:
    stops = barriers(suspended=[0], limit_up=[1, 2], limit_down=[3], restricted=[4])

    made = listed([300, 0, 500, 400, 0], [100, 2000, 0, 0, 100], barriers=stops)

    assert [(o.symbol, o.shares) for o in made.orders] == [
        ("300750.SZ", -500)
    ]  # limit-up stops purchases only
    assert [(r.symbol, r.wanted, r.barrier) for r in made.refusals] == [
        ("600519.SH", -200, Barrier.SUSPENDED),
        ("000001.SZ", 2000, Barrier.LIMIT_UP),
        ("688981.SH", -400, Barrier.LIMIT_DOWN),
        ("920001.BJ", 100, Barrier.RESTRICTED),
    ]
    assert str(made.refusals[0]) == "600519.SH: sell 200: suspended, cannot be traded"
    assert made.after.tolist() == [300, 0, 0, 400, 0]


def test_orders_are_whole_lots_or_all_that_is_held() -> None:
    made = listed([137, 137, 0, 0, 0], [0, 50, 150, 150, 150])

    assert [(o.symbol, o.shares) for o in made.orders] == [
        ("600519.SH", -137),
        ("300750.SZ", 100),
        ("920001.BJ", 150),
    ]
    assert [str(r) for r in made.refusals] == [
        "000001.SZ: sell 87: less than the smallest lot",
        "300750.SZ: buy 150 (only 100): less than the smallest lot",
        "688981.SH: buy 150: less than the smallest lot",
    ]


def test_purchases_beyond_the_cash_are_cut_from_the_smallest_up() -> None:
    made = listed([0, 0, 0, 0, 0], [100, 3000, 0, 0, 300], cash=41_000.0)

    # 10,000 + 30,000 + 6,000 with fees is 46,015.8: the 6,000 go down to 900 worth, in shares of 20 yuan: below a lot.
    assert [(o.symbol, o.shares) for o in made.orders] == [("000001.SZ", 3000), ("600519.SH", 100)]
    assert [(r.symbol, r.ordered, r.barrier) for r in made.refusals] == [("920001.BJ", 0, Barrier.CASH)]
    assert made.cash_after == pytest.approx(41_000 - 40_000 - 7.5 - 5 - 0.4)


def test_a_cut_keeps_what_can_be_paid() -> None:
    made = listed([0, 0, 0, 0, 0], [0, 0, 0, 0, 1000], cash=10_005.0)

    # 499 shares cost 9,980 + 5 + 0.0998; 500 would cost 10,005.10.
    assert [(r.ordered, r.barrier) for r in made.refusals] == [(499, Barrier.CASH)]
    assert made.after[4] == 499 and made.cash_after == pytest.approx(19.9002)


def test_a_sale_that_is_barred_leaves_no_money_for_purchases() -> None:
    made = listed([500, 0, 0, 0, 0], [0, 5000, 0, 0, 0], cash=0.0, barriers=barriers(limit_down=[0]))

    assert made.orders == () and made.cash_after == 0
    assert [(r.symbol, r.barrier) for r in made.refusals] == [
        ("600519.SH", Barrier.LIMIT_DOWN),
        ("000001.SZ", Barrier.CASH),
    ]


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cash=st.sampled_from([0.0, 9_000.0, 500_000.0]))
def test_the_account_balances_and_is_never_overdrawn(seed: int, cash: float) -> None:
    rng = np.random.default_rng(seed)
    held = np.where(rng.random(5) < 0.6, rng.integers(0, 900, 5), 0).astype(float)
    target = np.where(rng.random(5) < 0.6, rng.integers(0, 900, 5), 0).astype(float)
    prices = np.round(np.exp(rng.normal(2.5, 1.0, 5)), 2)
    stops = Barriers(*(rng.random(5) < 0.15 for _ in range(4)))

    made = rebalance(SYMBOLS, held, target, prices, cash, DAY, fees=RATES, barriers=stops)

    assert made.cash_after >= -1e-6
    change = {o.symbol: o.shares for o in made.orders}
    assert [held[i] + change.get(s, 0) for i, s in enumerate(SYMBOLS)] == made.after.tolist()
    signed = sum(o.shares * o.price for o in made.orders)
    assert made.cash_after == pytest.approx(cash - signed - made.fees)
    missed = {r.symbol for r in made.refusals}
    assert {s for i, s in enumerate(SYMBOLS) if made.after[i] != target[i]} == missed
    sides = [o.side for o in made.orders]
    assert sides == sorted(sides, reverse=True)  # "sell" before "buy"


def test_the_list_is_a_table() -> None:
    table = listed([300, 0, 0, 0, 0], [100, 2000, 0, 0, 0]).to_table()

    assert table.to_pylist()[0] == {
        "side": "sell",
        "symbol": "600519.SH",
        "shares": 200,
        "price": 100.0,
        "amount": 20_000.0,
        "commission": 5.0,
        "stamp_duty": 10.0,
        "transfer_fee": 0.2,
    }


def test_the_fees_are_those_of_the_day() -> None:
    before, after = (
        rebalance(["600519.SH"], np.array([100.0]), np.zeros(1), np.array([1000.0]), 0.0, day)
        for day in (date(2023, 8, 25), date(2023, 8, 28))
    )

    assert (before.orders[0].stamp_duty, after.orders[0].stamp_duty) == (100.0, 50.0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"held": np.array([0.5, 0.0])}, "held must be whole numbers of shares"),
        (
            {"target": np.array([-1.0, 0.0])},
            "target must be whole numbers of shares from 0, the least was -1",
        ),
        ({"prices": np.array([np.nan, 1.0])}, "a price above 0 is needed for A"),
        ({"cash": -5.0}, "cash must be yuan from 0"),
        ({"target": np.zeros(3)}, r"target of 2 symbols must have shape \(2,\), had \(3,\)"),
    ],
)
def test_impossible_lists_are_refused(change: dict[str, object], said: str) -> None:
    asked = {
        "held": np.array([100.0, 0.0]),
        "target": np.zeros(2),
        "prices": np.ones(2),
        "cash": 0.0,
    } | change

    with pytest.raises(InvalidRequest, match=said):
        rebalance(["A", "B"], day=DAY, **asked)  # type: ignore[arg-type]
