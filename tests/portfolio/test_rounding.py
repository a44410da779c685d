"""Whole lots: held against the exact optimum, and never more than there is money for."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from quantflux.core.errors import InvalidRequest
from quantflux.portfolio.lot_sizes import Reachable
from quantflux.portfolio.order_fees import order_fees
from quantflux.portfolio.risk.model import RiskModel
from quantflux.portfolio.rounding import LotPortfolio, to_lots
from quantflux.rules import Commission, FeeRates, lots_of

RATES = FeeRates(np.zeros(1), np.full(1, 0.0005), np.full(1, 0.00001), np.full(1, 0.00001), Commission())
SYMBOLS = (
    "600519.SH",
    "000001.SZ",
    "300750.SZ",
    "688981.SH",
    "920001.BJ",
    "601318.SH",
    "000651.SZ",
    "688111.SH",
)


def choices_of(symbol: str, held: float, most: float) -> list[float]:
    """Every number of shares that one order can make of a holding, by the rules in words."""
    least, step = {"688": (200, 1), "920": (100, 1)}.get(symbol[:3], (100, 100))
    bought = [held + n for n in range(least, int(max(most - held, 0)) + 1, step)]
    sold = [held - n for n in range(least, int(held) + 1, step)]
    return sorted({held, 0.0, *bought, *sold})


def exact(
    symbols: tuple[str, ...], wanted: np.ndarray, prices: np.ndarray, cash: float, held: np.ndarray
) -> float:
    """The least sum of squares, by a mixed integer program: for each name one of its choices, within the cash."""
    value = cash + float(held @ prices)
    cost: list[float] = []
    paid: list[float] = []
    owner: list[int] = []
    for i, symbol in enumerate(symbols):
        ideal = wanted[i] * value / prices[i]
        for shares in choices_of(symbol, held[i], ideal + 200):
            amount = (shares - held[i]) * prices[i]
            cost.append((shares * prices[i] / value - wanted[i]) ** 2)
            paid.append(amount + float(order_fees(np.array([amount]), RATES).total[0]))
            owner.append(i)
    one_each = (np.array(owner)[None, :] == np.arange(len(symbols))[:, None]).astype(float)
    scale = 1e6
    found = milp(
        np.array(cost) * scale,
        integrality=np.ones(len(cost)),
        bounds=Bounds(0, 1),
        constraints=[
            LinearConstraint(one_each, 1, 1),
            LinearConstraint(np.array(paid) / value, -np.inf, cash / value),
        ],
        options={"mip_rel_gap": 0.0},
    )
    assert found.success, found.message
    return float(found.fun) / scale


def objective(made: LotPortfolio) -> float:
    return float(((made.weights - made.wanted) ** 2).sum())


@pytest.mark.parametrize("seed", range(8))
def test_without_a_risk_model_it_is_as_good_as_the_exact_optimum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = 6
    symbols = SYMBOLS[:count]
    prices = np.round(np.exp(rng.normal(3.0, 0.8, count)), 2)
    wanted = rng.dirichlet(np.ones(count))
    held = np.where(rng.random(count) < 0.5, rng.integers(0, 12, count) * 50.0, 0.0)
    cash = 25_000.0

    made = to_lots(symbols, wanted, prices, cash, fees=RATES, held=held)

    best = exact(symbols, wanted, prices, cash, held)
    assert objective(made) >= best - 1e-9
    assert objective(made) <= best * 1.02 + 1e-6


@pytest.mark.parametrize("seed", range(8))
def test_with_a_risk_model_it_is_near_the_best_of_all_combinations(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    symbols = tuple(s for s in SYMBOLS if s[:2] in ("60", "00", "30"))[:5]
    prices = np.round(np.exp(rng.normal(3.5, 0.7, 5)), 2)
    wanted = 0.95 * rng.dirichlet(np.ones(5))
    exposures = rng.normal(1.0, 0.4, (5, 2))
    risk = RiskModel(
        symbols,
        exposures=exposures,
        factor_covariance=np.diag([2e-4, 5e-5]),
        specific=rng.uniform(5e-5, 3e-4, 5),
        factors=("market", "size"),
    )
    cash = 120_000.0

    made = to_lots(symbols, wanted, prices, cash, fees=RATES, risk=risk)

    lots = [range(int(np.ceil(w * cash / p / 100)) + 1) for w, p in zip(wanted, prices, strict=True)]
    best = np.inf
    for combination in itertools.product(*(list(each)[-4:] for each in lots)):
        shares = 100.0 * np.array(combination)
        if (shares * prices).sum() + order_fees(shares * prices, RATES).total.sum() <= cash:
            best = min(best, risk.volatility(shares * prices / cash - wanted))
    assert made.tracking_error == pytest.approx(risk.volatility(made.weights - wanted), rel=1e-9)
    assert best * (1 - 1e-9) <= made.tracking_error <= best * 1.05


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    capital=st.sampled_from([3_000.0, 50_000.0, 2_000_000.0]),
    invested=st.floats(0, 1),
)
def test_what_comes_out_can_be_done_with_what_is_there(seed: int, capital: float, invested: float) -> None:
    rng = np.random.default_rng(seed)
    prices = np.round(np.exp(rng.normal(2.5, 1.2, 8)), 2)
    held = np.where(rng.random(8) < 0.6, rng.integers(0, 700, 8), 0).astype(float)
    wanted = invested * rng.dirichlet(np.full(8, 0.7))
    buyable, sellable = rng.random(8) < 0.8, rng.random(8) < 0.8

    made = to_lots(
        SYMBOLS, wanted, prices, capital, fees=RATES, held=held, buyable=buyable, sellable=sellable
    )

    amounts = (made.shares - held) * prices
    assert made.fees == pytest.approx(order_fees(amounts, RATES).total.sum())
    assert capital - amounts.sum() - made.fees == pytest.approx(made.cash, abs=1e-5)
    assert made.cash >= 0
    assert made.value == pytest.approx(capital + held @ prices)
    for symbol, shares, before, may_buy, may_sell in zip(
        SYMBOLS, made.shares, held, buyable, sellable, strict=True
    ):
        assert shares in choices_of(symbol, before, shares)
        assert may_buy or shares <= before
        assert may_sell or shares >= before


def test_an_odd_lot_is_sold_whole_or_stays() -> None:
    prices = np.array([10.0])

    gone = to_lots(["600519.SH"], np.array([0.0]), prices, 0.0, fees=RATES, held=np.array([137.0]))
    kept = to_lots(["600519.SH"], np.array([1.0]), prices, 0.0, fees=RATES, held=np.array([137.0]))
    half = to_lots(["600519.SH"], np.array([0.2]), prices, 0.0, fees=RATES, held=np.array([137.0]))

    assert gone.shares.tolist() == [0.0] and gone.cash == pytest.approx(1370 - 5 - 1370 * (0.0005 + 0.00001))
    assert kept.shares.tolist() == [137.0] and kept.fees == 0
    assert half.shares.tolist() == [37.0]  # one lot of 100 goes, which is nearer to 27.4 than none or all


def test_a_weight_below_the_smallest_lot_becomes_what_is_nearer() -> None:
    prices = np.array([50.0, 50.0])

    made = to_lots(["688981.SH", "688111.SH"], np.array([0.04, 0.06]), prices, 100_000.0)

    assert made.shares.tolist() == [0.0, 200.0]  # 80 and 120 shares wanted, 200 the least


def test_fees_are_kept_back() -> None:
    free = to_lots(["600519.SH"], np.array([1.0]), np.array([10.0]), 10_000.0)
    charged = to_lots(["600519.SH"], np.array([1.0]), np.array([10.0]), 10_000.0, fees=RATES)

    assert free.shares.tolist() == [1000.0] and free.cash == 0
    assert charged.shares.tolist() == [900.0]
    assert charged.cash == pytest.approx(10_000 - 9_000 - 5 - 0.09)


def test_correlated_names_stand_in_for_each_other() -> None:
    """Of two names that move together the one may have what the other cannot; alone each would be rounded down."""
    symbols, prices = ("600519.SH", "000001.SZ"), np.array([140.0, 140.0])
    wanted = np.array([0.2, 0.2])  # 142.9 shares each: 100 is nearer than 200
    twins = RiskModel(symbols, dense=np.array([[1.0, 0.999], [0.999, 1.0]]) * 4e-4)

    alone = to_lots(symbols, wanted, prices, 100_000.0)
    together = to_lots(symbols, wanted, prices, 100_000.0, risk=twins)

    assert alone.shares.tolist() == [100.0, 100.0]
    assert sorted(together.shares.tolist()) == [100.0, 200.0]
    assert together.annual_tracking_error == pytest.approx(together.tracking_error * np.sqrt(244))


def test_names_without_weight_and_holding_need_no_price_and_stay_at_nothing() -> None:
    made = to_lots(["600519.SH", "000001.SZ"], np.array([1.0, 0.0]), np.array([10.0, np.nan]), 5_000.0)

    assert made.shares.tolist() == [500.0, 0.0]
    assert made.amounts.tolist() == [5000.0, 0.0] and made.drift == 0


def test_everything_sold_leaves_cash() -> None:
    made = to_lots(["600519.SH"], np.array([0.0]), np.array([10.0]), 50.0)

    assert made.shares.tolist() == [0.0] and made.cash == 50.0 and made.drift == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"weights": [0.7, 0.7]}, "add up to at most 1; the least was 0.7, the sum 1.4"),
        ({"weights": [-0.1, 0.7]}, "the least was -0.1"),
        ({"weights": [np.nan, 0.7]}, "weights must be numbers"),
        ({"weights": [0.7]}, r"must have shape \(2,\), had \(1,\)"),
        ({"prices": [10.0, np.nan]}, "a price above 0 is needed for 000001.SZ"),
        ({"held": [-100.0, 0.0]}, "holdings must be shares from 0"),
        ({"cash": -1.0}, "cash must be yuan from 0, was -1.00"),
        ({"cash": 0.0}, "nothing to divide"),
    ],
)
def test_impossible_wishes_are_refused(change: dict[str, object], said: str) -> None:
    given_ = {"weights": [0.5, 0.5], "prices": [10.0, 20.0], "cash": 1000.0, "held": [0.0, 0.0]} | change
    arrays = {key: np.array(value) for key, value in given_.items() if key != "cash"}

    with pytest.raises(InvalidRequest, match=said):
        to_lots(["600519.SH", "000001.SZ"], cash=given_["cash"], **arrays)


def test_many_names_are_rounded_in_time() -> None:
    rng = np.random.default_rng(1)
    count = 800
    symbols = [f"{600000 + i}.SH" for i in range(count)]
    risk = RiskModel(
        tuple(symbols),
        exposures=rng.normal(1, 0.3, (count, 10)),
        factor_covariance=np.eye(10) * 1e-4,
        specific=rng.uniform(1e-4, 5e-4, count),
        factors=tuple("abcdefghij"),
    )
    prices = np.round(np.exp(rng.normal(2.5, 0.8, count)), 2)
    wanted = rng.dirichlet(np.ones(count))

    made = to_lots(symbols, wanted, prices, 50_000_000.0, fees=RATES, risk=risk)

    plain = lots_of(symbols).rounded_down(wanted * 50_000_000.0 / prices) * prices / 50_000_000.0
    assert made.tracking_error < 0.5 * risk.volatility(plain - wanted)


def test_fees_of_one_day_are_asked_for() -> None:
    with pytest.raises(InvalidRequest, match="the rates of one day are needed, were given those of 2"):
        order_fees(np.array([1.0]), FeeRates.free(2))


def test_reachable_numbers_are_those_of_the_rules() -> None:
    yes = np.array([True])
    for symbol in ("600519.SH", "688981.SH", "920001.BJ"):
        for held in (0.0, 70.0, 150.0, 300.0, 430.0):
            there = Reachable(np.array([held]), lots_of([symbol]), yes, yes)
            known = np.array(choices_of(symbol, held, 900.0))
            for wish in np.arange(0.0, 800.0, 17.0):
                below, above = known[known <= wish], known[known >= wish]
                assert there.at_most(np.array([wish]))[0] == below.max()
                assert there.at_least(np.array([wish]))[0] == above.min()


def test_no_lot_oversteps_the_largest_weight() -> None:
    # 5 % of a million are 33.7 lots at 14.85 yuan, of which 34 would break the limit, and no lot at 1,500.
    symbols, prices = ("000001.SZ", "600519.SH"), np.array([14.85, 1500.0])
    wanted = np.array([0.05, 0.05])

    free = to_lots(symbols, wanted, prices, 1e6, fees=RATES)
    capped = to_lots(symbols, wanted, prices, 1e6, fees=RATES, most=wanted)

    assert free.weights[0] > 0.05  # what the limit is for
    assert capped.shares.tolist() == [3300.0, 0.0]


def test_what_is_held_above_the_largest_weight_and_cannot_be_sold_stays() -> None:
    made = to_lots(
        ("000001.SZ", "600519.SH"),
        np.array([0.1, 0.1]),
        np.array([10.0, 10.0]),
        1e5,
        held=np.array([10_000.0, 0.0]),
        most=np.array([0.1, 0.1]),
        sellable=np.array([False, True]),
    )

    assert made.shares.tolist() == [10_000.0, 2_000.0]
