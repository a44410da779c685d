"""Events explain the steps of factors to within rounding, and what they do not explain is named."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest

from quantflux.core.corporate_actions import CorporateActions
from quantflux.core.panel import Panel
from quantflux.data.ex_rights import ShareGrowth, share_growth

NAN = np.nan


def bars(close: list[float], factor: list[float] | None = None) -> Panel:
    """One symbol from 2024-01-01 on."""
    days = np.arange(len(close)) + np.datetime64("2024-01-01")
    fields = {"close": np.array(close)[:, None]}
    if factor is not None:
        fields["adj_factor"] = np.array(factor)[:, None]
    return Panel(days, ["600519.SH"], fields)


def growth(grown: ShareGrowth) -> dict[tuple[int, int], float]:
    """Growth by row and column, where there is any."""
    found = grown.growth
    cells = zip(found.row.tolist(), found.column.tolist(), strict=True)
    return dict(zip(cells, found.shares.tolist(), strict=True))


def event(
    row: int, cash: float = 0, shares: float = 0, rights_shares: float = 0, rights_price: float = 0
) -> CorporateActions:
    at = np.array([row]), np.array([0])
    return CorporateActions(*at, *(np.array([float(x)]) for x in (cash, shares, rights_shares, rights_price)))


# 13.00 yuan; 10 shares give 3 new ones and 5 yuan: (13.00 - 0.50) / 1.3 = 9.615, published as 9.62.
PRICES, TEN_GIVE_THREE = [12.8, 13.0, 9.7], [1.0, 1.0, 13.0 / 9.62]


def test_ten_shares_give_three_and_five_yuan() -> None:
    grown = share_growth(bars(PRICES, TEN_GIVE_THREE), event(2, cash=0.5, shares=0.3))

    assert growth(grown) == {}
    assert (len(grown.actions), len(grown.unexplained), len(grown.unshown)) == (1, 0, 0)
    worth = 1.3 * 9.62 + 0.5
    assert worth == pytest.approx(13.0, abs=0.5 * 0.01 * 1.3 + 1e-9)


def test_without_actions_holdings_grow_by_the_factor_and_the_step_is_named() -> None:
    grown = share_growth(bars(PRICES, TEN_GIVE_THREE), CorporateActions.none())

    assert growth(grown) == {(2, 0): 13.0 / 9.62}
    assert grown.unexplained.row.tolist() == [2]
    assert grown.unexplained.step.tolist() == [13.0 / 9.62]
    assert grown.unexplained.explained.tolist() == [1.0]


def test_of_an_event_half_known_the_other_half_grows() -> None:
    # The new shares are known, the 0.50 yuan are not: reinvested at 9.62 they buy 0.5 / 9.62 shares on top of 1.3.
    grown = share_growth(bars(PRICES, TEN_GIVE_THREE), event(2, shares=0.3))

    assert 1.3 * growth(grown)[2, 0] == pytest.approx(1.3 + 0.5 / 9.62, rel=1e-3)
    assert grown.unexplained.explained.tolist() == pytest.approx([1.3])
    assert len(grown.actions) == 1


def test_an_event_larger_than_its_step_takes_the_difference_back() -> None:
    # Told as 5.00 yuan where 0.50 were paid: cash and growth together must still be worth 13.00.
    factor = [1.0, 1.0, 13.0 / 12.5]
    grown = share_growth(bars([13.0, 13.0, 12.5], factor), event(2, cash=5.0))

    assert growth(grown)[2, 0] * 12.5 + 5.0 == pytest.approx(13.0)
    assert len(grown.unexplained) == 1


def test_an_event_in_a_suspension_counts_when_trading_resumes() -> None:
    close, factor = [13.0, NAN, NAN, 9.7], [1.0, NAN, NAN, 13.0 / 9.62]

    grown = share_growth(bars(close, factor), event(1, cash=0.5, shares=0.3))

    assert grown.actions.row.tolist() == [3]
    assert growth(grown) == {}
    assert len(grown.unexplained) == 0


def test_the_price_before_a_suspension_is_the_one_that_counts() -> None:
    # A vendor that repeats the close through a suspension has the factor step on the ex-date itself.
    grown = share_growth(
        bars([13.0, 13.0, 13.0, 9.7], [1.0, 13.0 / 9.62, 13.0 / 9.62, 13.0 / 9.62]),
        event(1, cash=0.5, shares=0.3),
    )

    assert grown.actions.row.tolist() == [1]
    assert growth(grown) == {}


def test_an_ex_date_off_by_a_day_does_not_pay_twice() -> None:
    grown = share_growth(bars(PRICES, TEN_GIVE_THREE), event(1, cash=0.5, shares=0.3))

    assert len(grown.actions) == 0
    assert grown.unshown.row.tolist() == [1]
    assert grown.unexplained.row.tolist() == [2]
    assert growth(grown) == {(2, 0): 13.0 / 9.62}


def test_a_dividend_too_small_to_move_the_price_is_still_paid() -> None:
    grown = share_growth(bars([5.0, 5.0, 5.0], [2.0, 2.0, 2.0]), event(2, cash=0.003))

    assert grown.actions.cash.tolist() == [0.003]
    assert (len(grown.unexplained), len(grown.unshown)) == (0, 0)


@pytest.mark.parametrize("factor", [None, [NAN, NAN, NAN], [NAN, NAN, 2.0]])
def test_where_no_factor_is_known_nothing_contradicts_an_event(factor: list[float] | None) -> None:
    grown = share_growth(bars(PRICES, factor), event(2, cash=0.5, shares=0.3))

    assert len(grown.actions) == 1
    assert growth(grown) == {}


def test_a_company_with_own_shares_is_thinned_out() -> None:
    # 5 % of the shares are the company's: the exchange takes 2.00 x 0.95 off the price, holders get 2.00 each.
    reference = 50.0 - 2.0 * 0.95
    step = [1.0, 1.0, 50.0 / reference]

    grown = share_growth(bars([50.0, 50.0, reference], step), event(2, cash=2.0))

    assert growth(grown) == {}
    assert len(grown.unexplained) == 0
    # With 20 % the law forbids it, and the step is another event's.
    reference = 50.0 - 2.0 * 0.8
    other = share_growth(bars([50.0, 50.0, reference], [1.0, 1.0, 50.0 / reference]), event(2, cash=2.0))
    assert len(other.unexplained) == 1


# Ten shares may subscribe three at 5.00: (10.00 + 0.3 x 5.00) / 1.3 = 8.846, published as 8.85.
RIGHTS = bars([10.0, 10.0, 8.9], [1.0, 1.0, 10.0 / 8.85])


def test_rights_lapse_unless_they_are_taken_up() -> None:
    offer = event(2, rights_shares=0.3, rights_price=5.0)

    lapsed = share_growth(RIGHTS, offer)
    taken = share_growth(RIGHTS, offer, rights_taken_up=True)

    assert growth(lapsed) == {}
    assert growth(taken)[2, 0] * 8.85 == pytest.approx(10.0, rel=1e-3)
    assert len(lapsed.unexplained) == len(taken.unexplained) == 0


def test_rights_beside_a_dividend_leave_a_holder_as_rich_if_taken_up() -> None:
    # (20.00 - 0.40 + 0.2 x 12.00) / 1.2 = 18.3333, published as 18.33.
    step = [1.0, 1.0, 20.0 / 18.33]
    offer = event(2, cash=0.4, rights_shares=0.2, rights_price=12.0)

    grown = share_growth(bars([20.0, 20.0, 18.0], step), offer, rights_taken_up=True)

    assert growth(grown)[2, 0] * 18.33 + 0.4 == pytest.approx(20.0, rel=1e-3)


def test_a_dividend_above_the_price_is_no_event() -> None:
    grown = share_growth(bars(PRICES, TEN_GIVE_THREE), event(2, cash=50.0))

    assert len(grown.actions) == 0 and len(grown.unshown) == 1
    assert growth(grown)[2, 0] == 13.0 / 9.62


def test_the_same_factor_written_twice_is_no_step() -> None:
    grown = share_growth(bars([5.0, 5.0], [1.234567, 1.2345671]), CorporateActions.none())

    assert growth(grown) == {}


def test_a_smaller_factor_shrinks_holdings_and_is_named() -> None:
    grown = share_growth(bars([5.0, 10.0], [2.0, 1.0]), CorporateActions.none())

    assert growth(grown) == {(1, 0): 0.5}
    assert grown.unexplained.step.tolist() == [0.5]


def published(close: Decimal, cash: Decimal, shares: Decimal) -> Decimal:
    """The reference price as the exchange computes it, in decimals."""
    return ((close - cash) / (1 + shares)).quantize(Decimal("0.01"), ROUND_HALF_UP)


def test_every_published_reference_is_explained_to_within_rounding() -> None:
    rng = np.random.default_rng(5)
    unexplained = 0
    for _ in range(300):
        close = Decimal(int(rng.integers(150, 30_000))) / 100
        cash = (close * Decimal(int(rng.integers(1, 60))) / 1000).quantize(Decimal("0.0001"))
        shares = Decimal(int(rng.choice([0, 0, 0, 1, 3, 5, 10]))) / 10
        reference = published(close, cash, shares)
        factor = round(float(rng.uniform(1, 40)), 3)
        after = round(factor * float(close / reference), 3)  # as vendors keep it: three decimals
        grown = share_growth(
            bars([float(close), float(reference)], [factor, after]),
            event(1, cash=float(cash), shares=float(shares)),
        )
        unexplained += len(grown.unexplained) + len(grown.unshown)
        assert growth(grown) == {}

    assert unexplained == 0


def test_cells_are_judged_on_their_own_axes() -> None:
    days = np.arange(3) + np.datetime64("2024-01-01")
    factor = np.array([[1.0, 1.0], [1.0, 2.0], [13.0 / 9.62, 2.0]])
    close = np.array([[12.8, 20.0], [13.0, 10.0], [9.7, 10.1]])
    panel = Panel(days, ["000001.SZ", "600519.SH"], {"close": close, "adj_factor": factor})

    grown = share_growth(panel, event(2, cash=0.5, shares=0.3))

    assert growth(grown) == {(1, 1): 2.0}
    assert (grown.unexplained.row.tolist(), grown.unexplained.column.tolist()) == ([1], [1])
