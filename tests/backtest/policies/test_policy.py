"""Policies of one's own: what they are shown, what they may return, and that the future is out of reach."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from quantflux.backtest.execution import Execution
from quantflux.backtest.orders import Targets
from quantflux.backtest.policies import Orders, Policy, View, Weights
from quantflux.backtest.policies.contract import Wanted
from quantflux.backtest.simulator import simulate
from quantflux.core.errors import InvalidRequest, NotFound
from tests.backtest.venues import FREE, NAN, events_of, random_venue, venue_of


@dataclass
class Asked:
    """Returns what it is told to, and keeps what it was shown."""

    answers: dict[int, Wanted]
    shown: list[View] = field(default_factory=list)

    def rows(self, times: np.ndarray) -> np.ndarray:
        return np.array(sorted(self.answers))

    def decide(self, view: View) -> Wanted:
        self.shown.append(view)
        return self.answers[view.row]


def reachable(array: np.ndarray) -> list[np.ndarray]:
    """An array and all that it is a view of."""
    found = [array]
    while isinstance(found[-1].base, np.ndarray):
        found.append(found[-1].base)
    return found


def test_the_future_is_out_of_reach() -> None:
    """A spy looks at everything it is handed, and at the memory behind it, on the day that it is handed it."""
    venue = random_venue(3)
    secret = np.random.default_rng(1).random(venue.shape) + 1.0
    known = {name: getattr(venue, name) for name in ("open", "high", "low", "close", "volume", "amount")}
    seen: list[int] = []

    class Spy:
        def rows(self, times: np.ndarray) -> np.ndarray:
            return np.arange(len(times) - 1)

        def decide(self, view: View) -> None:
            for name, source in (known | {"secret": secret}).items():
                np.testing.assert_array_equal(view[name], source[: view.row + 1])
                for array in reachable(view[name]):
                    future = array[view.row + 1 :]
                    assert not np.isin(future, source[view.row + 1 :][source[view.row + 1 :] > 0]).any()
            np.testing.assert_array_equal(view.open, venue.open[view.row + 1])
            assert all(len(array) <= view.shares.size for array in reachable(view.open))
            assert len(view.times) == view.row + 1
            seen.append(view.row)

    with pytest.raises(InvalidRequest, match="no decision"):
        simulate(venue, Spy(), fields={"secret": secret})

    assert seen == list(range(len(venue) - 1))


def test_what_it_is_shown_cannot_be_written_to() -> None:
    policy = Asked({1: np.array([1.0])})

    simulate(venue_of([[10.0]] * 4), policy, FREE, 1_000.0)

    view = policy.shown[0]
    for array in (view["close"], view.open, view.shares, view.weights, view.times):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[0]
    with pytest.raises(AttributeError):
        view.cash = 1e9  # type: ignore[misc]


def test_it_is_shown_its_account_at_todays_open_with_todays_dividends() -> None:
    venue = venue_of(
        [[10.0, 5.0], [10.0, 5.0], [12.0, 5.0], [12.0, 5.0]],
        opens=[[10.0, 5.0], [10.0, 5.0], [11.0, 5.0], [11.0, 5.0]],
        events=events_of(4, 2, (2, 0, 1.0, 0.0)),
    )
    policy = Asked({0: np.array([0.5, 0.0]), 1: None})

    simulate(venue, policy, FREE, 1_000.0)

    view = policy.shown[1]
    assert view.cash == 550.0
    assert view.shares.tolist() == [50.0, 0.0]
    assert view.worth == 1_100.0
    assert view.weights.tolist() == [0.5, 0.0]
    assert set(view) == {"open", "high", "low", "close", "volume"}
    assert len(view) == 5
    with pytest.raises(NotFound, match="not shown 'adjusted'; it is shown: open"):
        view["adjusted"]


def test_deciding_as_it_goes_does_the_same_as_knowing_it_all() -> None:
    venue = random_venue(5)
    rng = np.random.default_rng(5)
    rows = np.arange(0, len(venue) - 1, 3)
    weights = rng.random((len(rows), venue.shape[1]))
    weights /= weights.sum(axis=1, keepdims=True)

    whole = simulate(venue, Targets(rows, weights), Execution(), 90_000.0)
    asked = simulate(venue, Asked(dict(zip(rows.tolist(), weights, strict=True))), Execution(), 90_000.0)

    assert asked.equity.tobytes() == whole.equity.tobytes()
    assert asked.log.filled.tobytes() == whole.log.filled.tobytes()
    assert asked.first == whole.first == 0


def test_it_may_return_weights_orders_or_nothing() -> None:
    venue = venue_of([[10.0, 10.0]] * 6)
    policy = Asked(
        {
            0: Weights(np.array([1]), np.array([0.5])),
            1: Orders(np.array([0, 1]), np.array([20.0, -10.0])),
            2: None,
            3: Orders(np.array([0]), np.array([-5.0]), np.array([11.0])),
            4: np.array([NAN, 0.0]),
        }
    )

    run = simulate(venue, policy, FREE, 1_000.0)

    assert isinstance(policy, Policy)
    assert run.log.filled.tolist() == [50.0, -10.0, 20.0, 0.0, -40.0]
    assert run.holdings.at(5)[0].tolist() == [0]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("buy", "returned str"),
        (np.ones(3), r"shape \(1,\)"),
        (np.array(["all"]), "are numbers"),
        (np.array([None]), "are numbers"),
        (Weights(np.array([0.0]), np.array([0.5])), "whole numbers of columns"),
        (Orders(np.array([0]), np.array(["100"])), "a number for each"),
        (np.array([1.5]), "^Asked, at the close of 2024-01-02: "),
        (np.array([np.inf]), "finite"),
        (np.array([-0.1]), "0 or more"),
        (np.array([1.5]), "add up to 1 at most"),
        (Weights(np.array([0, 0]), np.array([0.1, 0.1])), "twice"),
        (Orders(np.array([0]), np.array([1.0, 2.0])), "one length"),
        (Orders(np.array([7]), np.array([1.0])), "place 7"),
    ],
)
def test_what_it_may_not_return_is_told(answer: Wanted, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        simulate(venue_of([[10.0]] * 3), Asked({1: answer}), FREE, 1_000.0)


def test_an_error_of_its_own_says_when_it_came() -> None:
    class Broken(Asked):
        def decide(self, view: View) -> Wanted:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        simulate(venue_of([[10.0]] * 3), Broken({1: None}), FREE, 1_000.0)

    assert caught.value.__notes__ == ["while Broken decided at the close of 2024-01-02"]


@pytest.mark.parametrize(
    "rows", [[2, 1], [1, 1], [-1], [9], [0.5, 1.0], [True, False], "daily", ["1"], [[0, 1]], [None]]
)
def test_rows_out_of_order_or_range_are_refused(rows: Any) -> None:
    class Astray(Asked):
        def rows(self, times: np.ndarray) -> np.ndarray:
            return np.array(rows)

    with pytest.raises(InvalidRequest, match="Astray may ask for whole rows"):
        simulate(venue_of([[10.0]] * 3), Astray({}), FREE, 1_000.0)


def test_fields_of_another_shape_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="venue's shape"):
        simulate(venue_of([[10.0]] * 3), Asked({0: None}), FREE, 1_000.0, fields={"score": np.ones((1, 1))})
