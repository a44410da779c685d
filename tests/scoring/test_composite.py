"""Weighted sums of z-scores, means of predictions, ranks: beside pandas and by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.scoring.composite import blend, composite, percentiles
from quantflux.scoring.scores import dense_ranks
from quantflux.scoring.selection import best

EVERYBODY = np.ones((1, 4), dtype=bool)


def test_contributions_add_up_to_the_score() -> None:
    rng = np.random.default_rng(1)
    z = rng.normal(size=(5, 7, 20))
    z[rng.random(z.shape) < 0.3] = np.nan
    weights = rng.normal(size=(7, 5))

    made = composite(z, weights, np.ones((7, 20), dtype=bool), 0.4)

    scored = ~np.isnan(made.scores)
    assert scored.any() and not scored.all()
    np.testing.assert_allclose(made.contributions.sum(axis=0)[scored], made.scores[scored])
    expected = np.einsum("ftn,tf->tn", np.nan_to_num(z), weights)
    np.testing.assert_allclose(made.scores[scored], expected[scored])
    assert np.isnan(made.contributions[:, ~scored]).all()


def test_a_name_needs_its_share_of_the_factors() -> None:
    z = np.array([[[1.0, np.nan, np.nan, 1.0]], [[1.0, 1.0, np.nan, np.nan]], [[1.0, np.nan, np.nan, 1.0]]])
    chosen = np.array([[True, True, True, False]])

    half = composite(z, np.full((1, 3), 1 / 3), chosen, 0.5)
    third = composite(z, np.full((1, 3), 1 / 3), chosen, 1 / 3)

    np.testing.assert_allclose(half.scores, [[1.0, np.nan, np.nan, np.nan]])
    np.testing.assert_allclose(third.scores, [[1.0, 1 / 3, np.nan, np.nan]])
    assert third.known.tolist() == [[3, 1, 0, 2]]


def test_a_factor_without_weight_need_not_be_known() -> None:
    z = np.array([[[np.nan] * 4], [[1.0, 2.0, 3.0, 4.0]]])

    made = composite(z, np.array([[0.0, 1.0]]), EVERYBODY, 1.0)

    np.testing.assert_allclose(made.scores, [[1.0, 2.0, 3.0, 4.0]])


def test_days_without_weights_have_no_scores() -> None:
    made = composite(np.ones((2, 1, 4)), np.full((1, 2), np.nan), EVERYBODY)

    assert np.isnan(made.scores).all()
    with pytest.raises(InvalidRequest, match=r"weights must have shape \(1, 2\)"):
        composite(np.ones((2, 1, 4)), np.ones((2, 1)), EVERYBODY)


def test_models_are_averaged_over_those_that_know_a_name() -> None:
    said = np.array([[[0.01, 0.02, np.nan, 0.04]], [[0.03, np.nan, np.nan, -0.04]]])

    made = blend(said, np.array([0.25, 0.75]), EVERYBODY)

    np.testing.assert_allclose(made.scores, [[0.025, 0.02, np.nan, -0.02]])
    np.testing.assert_allclose(made.contributions[:, 0, 0], [0.0025, 0.0225])
    assert made.known.tolist() == [[2, 1, 0, 2]]


def test_ranks_are_averaged_among_the_names_chosen() -> None:
    rng = np.random.default_rng(3)
    said = np.round(rng.normal(size=(3, 1, 20)), 1)
    said[rng.random(said.shape) < 0.2] = np.nan
    chosen = rng.random((1, 20)) < 0.8

    made = blend(said, np.ones(3), chosen, by_rank=True)

    frame = pd.DataFrame(np.where(chosen[0][:, None], said[:, 0].T, np.nan))
    np.testing.assert_allclose(made.scores[0], frame.rank(pct=True).mean(axis=1).to_numpy())


def test_ranks_are_those_of_pandas() -> None:
    scores = np.array([0.3, np.nan, 0.1, 0.3, -2.0, 0.1])
    series = pd.Series(scores)

    dense = series.rank(method="dense", ascending=False).fillna(0)
    np.testing.assert_array_equal(dense_ranks(scores), dense.to_numpy())
    np.testing.assert_allclose(percentiles(scores[None])[0], series.rank(pct=True).to_numpy())


def test_the_best_are_taken_in_order_and_ties_by_symbol() -> None:
    scores = np.array([1.0, 3.0, np.nan, 3.0, 2.0])
    among = np.array([True, True, True, True, False])

    places, kept_out = best(scores, among, ["x"] * 5, 10)

    assert places.tolist() == [1, 3, 0] and kept_out == 0


def test_many_equal_scores_stay_in_the_order_of_symbols() -> None:
    scores = np.repeat([0.5, 2.0, 0.5, 2.0], 30)

    places, _ = best(scores, np.ones(120, dtype=bool), ["x"] * 120, 90)

    assert places.tolist() == [*range(30, 60), *range(90, 120), *range(30)]


@pytest.mark.parametrize("cap", [1, 2, 3])
def test_caps_take_the_best_of_each_industry(cap: int) -> None:
    rng = np.random.default_rng(cap)
    scores, groups = rng.normal(size=60), [f"i{g}" for g in rng.integers(0, 9, 60)]

    places, kept_out = best(scores, np.ones(60, dtype=bool), groups, 12, cap)

    frame = pd.DataFrame({"score": scores, "group": groups}).sort_values("score", ascending=False)
    expected = frame[frame.groupby("group").cumcount() < cap].head(12)
    assert places.tolist() == expected.index.tolist()
    # Names are looked at until twelve are found: those passed over belong to a full industry.
    looked_at = (scores >= expected["score"].min()).sum() if len(expected) == 12 else 60
    assert kept_out == looked_at - len(expected)
