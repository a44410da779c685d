from __future__ import annotations

import json
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.learning.registry import Reference, canaries_of, feature_hash, reference_of
from quantflux.learning.registry.training import plain
from quantflux.learning.samples import Sample
from tests.learning.registry import trained


def test_deciles_and_shares_are_those_of_pandas() -> None:
    random = np.random.default_rng(1)
    values = random.normal(size=(500, 2)).astype(np.float32)
    values[:, 1] = random.integers(0, 4, 500)  # with many repeated values
    values[random.random(values.shape) < 0.2] = np.nan
    frame = pd.DataFrame(values.astype(np.float64))

    told = Reference.of(values)

    np.testing.assert_allclose(told.deciles.T, frame.quantile(np.linspace(0, 1, 11)), rtol=1e-12)
    np.testing.assert_allclose(told.missing, frame.isna().mean())
    for place in (0, 1):
        edges = told.deciles[place].copy()
        edges[-1] = np.inf
        known = frame[place].dropna()
        for part in range(10):
            share = ((known >= edges[part]) & (known < edges[part + 1])).mean()
            assert told.shares[place, part] == pytest.approx(share)


def test_a_feature_that_was_never_known_has_no_deciles() -> None:
    told = Reference.of(np.array([[np.nan], [np.inf]]))

    assert np.isnan(told.deciles).all() and np.isnan(told.shares).all()
    assert told.missing.tolist() == [1.0]


def test_a_reference_comes_back_to_the_bit() -> None:
    told = reference_of(trained.sample())
    unknown = Reference.of(np.array([[np.nan, 0.1], [np.nan, 0.3]]))

    for each in (told, unknown):
        back = Reference.from_dict(json.loads(json.dumps(each.to_dict(), allow_nan=False)))
        assert back.deciles.tobytes() == each.deciles.tobytes()
        assert back.shares.tobytes() == each.shares.tobytes()
        assert back.missing.tobytes() == each.missing.tobytes()


def test_the_cells_drawn_lie_evenly_along_the_sample() -> None:
    sample = trained.sample()
    whole, drawn = reference_of(sample), reference_of(sample, cells=400)

    assert np.abs(drawn.deciles[:, 1:-1] - whole.deciles[:, 1:-1]).max() < 0.25


def test_canaries_are_whole_cells_of_the_sample() -> None:
    rows = canaries_of(trained.sample())
    all_rows = {row.tobytes() for row in trained.sample().features()}

    assert rows.shape == (16, 3) and rows.dtype == np.float32
    assert np.isfinite(rows).all()
    assert all(row.tobytes() in all_rows for row in rows)


def test_there_is_no_model_of_nothing() -> None:
    with pytest.raises(InvalidRequest, match="the sample has no cell"):
        canaries_of(Sample(trained.sample().dataset, np.zeros(0, np.int64)))


@pytest.mark.parametrize(
    "other",
    [
        {"a": "1", "b": "3"},  # computed otherwise
        {"b": "2", "a": "1"},  # in another order
        {"a": "1"},
        {"a": "1", "c": "2"},
        {"a": "1\n1:b=2"},  # one whose digest looks like two features
    ],
)
def test_other_features_have_another_hash(other: dict[str, str]) -> None:
    assert feature_hash(other) != feature_hash({"a": "1", "b": "2"})


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (np.float32(0.5), 0.5),
        (np.array([1.0, np.inf]), [1.0, None]),
        (date(2024, 1, 2), "2024-01-02"),
        (np.datetime64("2024-01-02"), "2024-01-02"),
        ((True, None, "x"), [True, None, "x"]),
    ],
)
def test_figures_become_plain(value: Any, kept: Any) -> None:
    assert plain(value) == kept


@pytest.mark.parametrize(
    ("value", "says"),
    [({"a": {1: 2}}, "figures.a has the key 1"), ([object()], r"figures\[0\] is of type object")],
)
def test_figures_that_cannot_be_kept(value: Any, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        plain(value)
