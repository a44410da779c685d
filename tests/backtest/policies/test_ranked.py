"""Holding the best names, against pandas and by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantflux.backtest.decisions import Decisions
from quantflux.backtest.policies import TopRanked, Weighting
from quantflux.core.errors import InvalidRequest
from tests.backtest.venues import NAN, venue_of


def random_score(seed: int, rows: int = 30, names: int = 40) -> np.ndarray:
    rng = np.random.default_rng(seed)
    score = np.round(rng.random((rows, names)), 2)  # with ties
    score[rng.random(score.shape) < 0.3] = NAN
    return score


def weights_of(decisions: Decisions, names: int) -> np.ndarray:
    dense = np.zeros((len(decisions), names))
    place = np.repeat(np.arange(len(decisions)), np.diff(decisions.offsets))
    dense[place, decisions.columns] = decisions.values
    return dense


def slow_picks(score: np.ndarray, wanted: int, buffer: int) -> list[set[int]]:
    """The rule in words, row after row."""
    held: list[int] = []
    out = []
    for row in score:
        ranked = [i for i in np.lexsort((np.arange(len(row)), -row)) if not np.isnan(row[i])]
        count = min(wanted, len(ranked))
        stay = [i for i in ranked[: count + buffer] if i in held][:count] if buffer else []
        held = stay + [i for i in ranked if i not in stay][: count - len(stay)]
        out.append(set(held))
    return out


@pytest.mark.parametrize("buffer", [0, 3, 50])
def test_names_that_were_picked_stay_within_the_buffer(buffer: int) -> None:
    score = random_score(1)

    rows, columns, counts = TopRanked(score, np.arange(30), top=6, buffer=buffer).picked()

    found = [set(part.tolist()) for part in np.split(columns, np.cumsum(counts)[:-1])]
    assert rows.tolist() == list(range(30))
    assert found == slow_picks(score, 6, buffer)


def test_a_share_is_that_of_the_names_with_a_score() -> None:
    score = random_score(2)

    _, columns, counts = TopRanked(score, np.arange(30), share=0.2).picked()

    for row, part in enumerate(np.split(columns, np.cumsum(counts)[:-1])):
        known = int((~np.isnan(score[row])).sum())
        best = pd.Series(score[row]).nlargest(round(0.2 * known), keep="first")
        assert set(part) == set(best.index)


def test_rows_with_few_scores_decide_nothing() -> None:
    score = np.full((3, 20), NAN)
    score[0], score[1, :9] = np.arange(20), 1.0

    assert TopRanked(score, np.arange(3), top=5, least=10).picked()[0].tolist() == [0]
    assert TopRanked(score, np.arange(3), top=5).picked()[2].tolist() == [5, 5]


def test_weights_are_equal_or_follow_the_score_or_a_size() -> None:
    score = np.array([[0.5, 0.2, 0.1, 0.9, NAN]])
    size = np.array([[1.0, 1.0, 1.0, 3.0, 9.0]])
    venue = venue_of([[1.0] * 5])

    equal, scored, sized = (
        weights_of(TopRanked(score, np.array([0]), top=3, weighting=w, sizes=s).decisions(venue), 5)[0]
        for w, s in ((Weighting.EQUAL, None), (Weighting.SCORE, None), (Weighting.SIZE, size))
    )

    np.testing.assert_allclose(equal, [1 / 3, 1 / 3, 0, 1 / 3, 0])
    np.testing.assert_allclose(
        scored, [0.3, 0, 0, 0.7, 0]
    )  # above the least one picked, which is worth nothing
    np.testing.assert_allclose(sized, [0.2, 0.2, 0, 0.6, 0])


def test_equal_scores_are_weighted_alike() -> None:
    policy = TopRanked(np.ones((1, 4)), np.array([0]), top=2, weighting=Weighting.SCORE)

    assert weights_of(policy.decisions(venue_of([[1.0] * 4])), 4).tolist() == [[0.5, 0.5, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give one of the two"),
        ({"top": 1, "share": 0.5}, "give one of the two"),
        ({"top": 0}, "top must be 1 or more"),
        ({"share": 1.5}, "above 0 and at most 1"),
        ({"top": 1, "buffer": -1}, "buffer is 0 or more"),
        ({"top": 1, "weighting": Weighting.SIZE}, "sizes are needed"),
        ({"top": 1, "weighting": Weighting.SIZE, "sizes": np.ones((2, 2))}, "shape of the score"),
    ],
)
def test_impossible_requests_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        TopRanked(np.ones((1, 3)), np.array([0]), **arguments)  # type: ignore[arg-type]


def test_numbers_beyond_all_names_mean_all_of_them() -> None:
    endless = 2**70

    policy = TopRanked(np.array([[1.0, 3.0, 2.0]]), np.array([0]), top=endless, buffer=endless)

    assert policy.picked()[1].tolist() == [1, 2, 0]
    least = TopRanked(np.array([[1.0, 3.0, 2.0]]), np.array([0]), top=1, least=endless)
    assert least.picked()[2].tolist() == []


@pytest.mark.parametrize("rows", [[-1], [0, 2], [-2, 1]])
def test_rows_that_the_score_has_not_are_refused(rows: list[int]) -> None:
    """Row -1 would be the last one of the future."""
    with pytest.raises(InvalidRequest, match="rows 0 to 1"):
        TopRanked(np.ones((2, 3)), np.array(rows), top=1).picked()


@pytest.mark.parametrize("best", [np.inf, -np.inf])
def test_endless_scores_have_an_order_but_no_weight(best: float) -> None:
    score = np.array([[best, 2.0, 1.0]])

    equal = TopRanked(score, np.array([0]), top=3)
    by_score = TopRanked(score, np.array([0]), top=3, weighting=Weighting.SCORE)

    assert equal.picked()[1].tolist() == ([0, 1, 2] if best > 0 else [1, 2, 0])
    with pytest.raises(InvalidRequest, match="infinite on row 0"):
        by_score.decisions(venue_of([[1.0] * 3]))


def test_a_score_of_another_market_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="venue's shape"):
        TopRanked(np.ones((1, 3)), np.array([0]), top=1).decisions(venue_of([[1.0]]))
