"""Events stay where shares trade, in order, each cell once."""

from __future__ import annotations

import numpy as np
import pytest

from quantflux.core.corporate_actions import CorporateActions
from quantflux.core.errors import InvalidRequest


def events(*rows: tuple[int, int, float, float, float, float]) -> CorporateActions:
    row, column, *numbers = zip(*rows, strict=True)
    return CorporateActions.of(
        np.array(row), np.array(column), *(np.array(values, dtype=np.float64) for values in numbers)
    )


def test_events_are_sorted_by_row_and_column() -> None:
    actions = events((2, 0, 0.1, 0, 0, 0), (0, 1, 0.2, 0, 0, 0), (0, 0, 0.3, 0, 0, 0))

    assert actions.row.tolist() == [0, 0, 2]
    assert actions.column.tolist() == [0, 1, 0]
    assert actions.cash.tolist() == [0.3, 0.2, 0.1]
    assert actions.offsets(4).tolist() == [0, 2, 2, 3, 3]


def test_unsorted_or_repeated_cells_are_refused() -> None:
    zero = np.zeros(2)
    for row, column in (([1, 0], [0, 0]), ([0, 0], [1, 0]), ([0, 0], [1, 1])):
        with pytest.raises(InvalidRequest, match="sorted by row and column, each cell once"):
            CorporateActions(np.array(row), np.array(column), zero, zero, zero, zero)


def test_arrays_of_unequal_length_are_refused() -> None:
    at, zero = np.array([0]), np.zeros(1)
    with pytest.raises(InvalidRequest, match="one length"):
        CorporateActions(at, at, np.zeros(2), zero, zero, zero)


def test_events_of_a_suspension_meet_on_the_day_trading_resumes() -> None:
    # 100 shares: +50 (1.5 held), then 1 yuan on each of the 150, then 150 more. So 1.5 yuan and 2 new shares a share.
    actions = events(
        (1, 0, 0, 0.5, 0, 0),
        (2, 0, 1.0, 0, 0, 0),
        (3, 0, 0, 1.0, 0, 0),
        (1, 1, 0.7, 0, 0, 0),
    )
    traded = np.array([[1, 1], [0, 1], [0, 1], [0, 1], [1, 1]], dtype=bool)

    moved = actions.on_traded_rows(traded)

    assert moved.row.tolist() == [1, 4]
    assert moved.column.tolist() == [1, 0]
    assert moved.cash.tolist() == [0.7, 1.5]
    assert moved.shares.tolist() == [0.0, 2.0]
    again = moved.on_traded_rows(traded)
    assert again.row.tolist() == moved.row.tolist()


def test_rights_that_meet_cost_together_what_each_cost() -> None:
    # A split into two, then three rights for ten shares at 4 yuan: on 2 shares that is 0.6 rights for 2.40 yuan.
    both = events((0, 0, 0, 1.0, 0.1, 5.0), (0, 0, 0, 0, 0.3, 4.0))

    assert both.rights_shares[0] == pytest.approx(0.1 + 0.6)
    assert both.rights_shares[0] * both.rights_price[0] == pytest.approx(0.5 + 2.4)


def test_an_event_after_the_last_trade_stays() -> None:
    actions = events((1, 0, 0.5, 0, 0, 0))

    assert actions.on_traded_rows(np.array([[True], [False], [False]])).row.tolist() == [1]


def test_giving_events_does_not_change_them() -> None:
    cell, cash = np.array([0, 0]), np.array([1.0, 2.0])
    zero = np.zeros(2)

    CorporateActions.of(cell, cell, cash, zero, zero, zero)

    assert cash.tolist() == [1.0, 2.0] and zero.tolist() == [0.0, 0.0]
