"""Quantile portfolios against a slow second account, and by hand."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from quantflux.factors import Market, research_panel
from quantflux.factors.evaluation.portfolios import Dealing, Portfolios, hold_quantiles
from quantflux.rules import Commission
from tests.factors.markets import hand_panel, market_of, random_panel

COMMISSION = Commission(rate=0.001)


def free(price: np.ndarray, lag: int = 0) -> Dealing:
    every, nothing = np.ones(price.shape, dtype=bool), np.zeros(len(price))
    return Dealing(price, every, every, nothing, nothing, lag)


def account(dealing: Dealing, labels: np.ndarray, quantiles: int, days: int) -> list[np.ndarray]:
    """The rules of the module in dictionaries, quantile by quantile: returns, costs, bought."""
    rows, names = labels.shape
    sums = [np.zeros((rows, quantiles)) for _ in range(4)]
    for quantile in range(quantiles):
        for sleeve in range(days):
            holdings: dict[int, float] = {}  # shares
            last: dict[int, float] = {}  # price that a holding was last seen at
            cash, first = 1.0, dealing.lag + sleeve
            for row in range(first, rows):
                before = cash + sum(shares * last[n] for n, shares in holdings.items())
                for n in holdings:
                    if not np.isnan(dealing.price[row, n]):
                        last[n] = dealing.price[row, n]
                worth = cash + sum(shares * last[n] for n, shares in holdings.items())
                if holdings:
                    sums[0][row, quantile] += worth / before - 1
                    sums[3][row, quantile] += 1
                if (row - first) % days:
                    continue
                wanted = {n for n in range(names) if labels[row - dealing.lag, n] == quantile}
                stuck = {
                    n
                    for n in holdings
                    if not dealing.sellable[row, n] or (n in wanted and not dealing.buyable[row, n])
                }
                free_names = {n for n in wanted - stuck if dealing.buyable[row, n]}
                money = worth - sum(holdings[n] * last[n] for n in stuck)
                each = money / len(free_names) if free_names else 0.0
                old, new = defaultdict(float), defaultdict(float)
                for n, shares in holdings.items():
                    old[n] = shares * last[n]
                for n in stuck:
                    new[n] = old[n]
                for n in free_names:
                    new[n] = each
                bought = sum(max(new[n] - old[n], 0) for n in {*old, *new})
                sold = sum(max(old[n] - new[n], 0) for n in {*old, *new})
                if row + 1 < rows:
                    cost = bought * dealing.buy_rate[row] + sold * dealing.sell_rate[row]
                    sums[1][row + 1, quantile] += cost / worth
                    sums[2][row + 1, quantile] += bought / worth
                holdings = {n: holdings[n] for n in stuck}
                for n in free_names:
                    holdings[n], last[n] = each / dealing.price[row, n], dealing.price[row, n]
                cash = 0.0 if free_names else money
    alive = np.where(sums[3] > 0, sums[3], np.nan)
    return [part / alive for part in sums[:3]]


def random_market(seed: int) -> Market:
    rng = np.random.default_rng(seed)
    panel = research_panel(random_panel(70, 16, seed=seed))
    return market_of(panel, up=rng.random(panel.shape) < 0.15, down=rng.random(panel.shape) < 0.15)


@pytest.mark.parametrize(("seed", "quantiles", "days"), [(1, 3, 4), (2, 2, 1), (3, 4, 7)])
def test_portfolios_agree_with_a_slow_account(seed: int, quantiles: int, days: int) -> None:
    market = random_market(seed)
    labels = np.random.default_rng(seed).integers(-1, quantiles, market.chosen.shape).astype(np.int8)
    labels[30:33] = -1  # days without a signal: sleeves go to cash
    for dealing in (Dealing.tradable(market, COMMISSION), Dealing.on_paper(market)):
        ours = hold_quantiles(dealing, labels, quantiles, days)

        returns, costs, bought = account(dealing, labels, quantiles, days)

        np.testing.assert_allclose(ours.returns, returns, rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(ours.costs, costs, rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(ours.bought, bought, rtol=1e-10, atol=1e-14)
        assert np.isfinite(returns[10:29]).all()


def test_weights_drift_between_renewals() -> None:
    price = np.array([[1.0, 1.0], [2.0, 1.0], [4.0, 1.0]])

    book = hold_quantiles(free(price), np.zeros((3, 2), dtype=np.int8), 1, days=2)

    # The first sleeve holds both through: 1 to 1.5 to 2.5. The second starts a day later: 1 to 1.5.
    assert np.isnan(book.returns[0, 0])
    assert book.returns[1, 0] == pytest.approx(0.5)
    assert book.returns[2, 0] == pytest.approx((2.5 / 1.5 - 1 + 0.5) / 2)


def test_a_name_that_stays_is_not_bought_again() -> None:
    price = np.full((4, 2), 5.0)

    book = hold_quantiles(free(price), np.zeros((4, 2), dtype=np.int8), 1, days=1)

    assert book.bought[:, 0].tolist()[1:] == [1.0, 0.0, 0.0]


def test_costs_are_the_rates_of_the_day_on_what_changes_hands() -> None:
    price = np.full((4, 2), 5.0)
    labels = np.array([[0, -1], [-1, 0], [-1, 0], [-1, 0]], dtype=np.int8)  # from one name to the other
    every = np.ones(price.shape, dtype=bool)
    dealing = Dealing(price, every, every, np.full(4, 0.01), np.array([0.0, 0.02, 0.03, 0.04]), lag=0)

    book = hold_quantiles(dealing, labels, 1, days=1)

    np.testing.assert_allclose(book.costs[1:, 0], [0.01, 0.01 + 0.02, 0.0])


def test_a_locked_name_stays_and_keeps_earning() -> None:
    panel = hand_panel([[10.0, 10.0, 10.0]] * 2 + [[9.0, 10.0, 10.0]] + [[8.0, 10.0, 10.0]] * 3)
    down = np.zeros((6, 3), dtype=bool)
    down[2, 0] = True
    labels = np.array([[0, -1, -1]] + [[-1, 0, 0]] * 5, dtype=np.int8)

    book = hold_quantiles(
        Dealing.tradable(market_of(panel, down=down), Commission(0.0, 0.0)), labels, 1, days=1
    )

    # Bought at the open of day 1 at 10, to be sold at that of day 2, where it is locked at 9; sold on day 3 at 8.
    np.testing.assert_allclose(book.returns[2:, 0], [9 / 10 - 1, 8 / 9 - 1, 0.0, 0.0])
    np.testing.assert_allclose(book.bought[2:, 0], [1.0, 0.0, 1.0, 0.0])


def test_what_opens_limit_up_is_kept_but_not_bought() -> None:
    panel = hand_panel([[10.0, 10.0]] * 5)
    up = np.zeros((5, 2), dtype=bool)
    up[2, 0] = up[3, 1] = True
    labels = np.array([[0, -1], [0, -1], [-1, 0], [-1, 0], [-1, 0]], dtype=np.int8)

    book = hold_quantiles(Dealing.tradable(market_of(panel, up=up), Commission(0.0, 0.0)), labels, 1, days=1)

    # Day 2 wants the name it holds, which is locked: nothing is sold. Day 3 wants one that is locked: cash.
    np.testing.assert_array_equal(book.bought[:, 0], [np.nan, np.nan, 1.0, 0.0, np.nan])


def test_duties_and_fees_are_those_of_the_day() -> None:
    market = market_of(random_panel(5, 3))  # in 2024

    dealing = Dealing.tradable(market, COMMISSION)

    np.testing.assert_allclose(dealing.buy_rate, 0.001 + 0.00001)
    np.testing.assert_allclose(dealing.sell_rate, 0.001 + 0.00001 + 0.0005)
    assert not Dealing.on_paper(market).sell_rate.any()


def test_curves_and_spreads_by_hand() -> None:
    book = Portfolios(
        returns=np.array([[np.nan, np.nan], [0.1, 0.3], [0.0, 0.1]]),
        costs=np.array([[np.nan, np.nan], [0.01, 0.02], [0.0, 0.01]]),
        bought=np.array([[np.nan, np.nan], [1.0, 1.0], [0.0, 0.5]]),
    )

    np.testing.assert_allclose(book.curves[-1], [1.1, 1.43])
    np.testing.assert_allclose(book.long_short, [np.nan, 0.2, 0.1])
    np.testing.assert_allclose(book.long_short_net, [np.nan, 0.17, 0.09])
    np.testing.assert_allclose(book.excess_net, [np.nan, 0.3 - 0.02 - 0.2, 0.1 - 0.01 - 0.05])
    assert book.break_even == pytest.approx(0.3 / (2 * 2.5))


def test_a_price_that_is_missing_can_be_neither_bought_nor_sold() -> None:
    panel = hand_panel([[10.0]] * 4, opening=[[10.0], [np.nan], [10.0], [10.0]])  # closes without an open

    dealing = Dealing.tradable(market_of(panel), COMMISSION)

    assert dealing.buyable[:, 0].tolist() == dealing.sellable[:, 0].tolist() == [True, False, True, True]
