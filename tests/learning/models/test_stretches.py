"""Cells that are drawn to stand for a sample."""

from __future__ import annotations

import numpy as np

from quantflux.learning.models.stretches import drawn
from tests.learning.models.cells import market


def test_a_draw_is_even_over_the_days_and_the_names_of_a_sample() -> None:
    sample = market(days=400, names=50).on(np.arange(20, 390))

    cells = drawn(sample, 1000)

    assert (
        len(cells) == 1000
        and np.isin(cells.places, sample.places).all()
        and (np.diff(cells.places) > 0).all()
    )
    days, counts = np.unique(cells.row, return_counts=True)
    # 128 of 370 days, each with its share of the 1,000 cells.
    assert len(days) == 128 and days[0] == 20 and days[-1] == 389 and np.diff(days).max() <= 4
    assert counts.min() >= 6 and counts.max() <= 10
    assert len(np.unique(cells.column)) > 45


def test_a_draw_takes_as_many_days_as_it_needs() -> None:
    sample = market(days=400, names=5).on(np.arange(400))

    cells = drawn(sample, 1500)

    assert 1400 < len(cells) <= 1500 and len(np.unique(cells.row)) > 280


def test_a_small_sample_is_drawn_whole() -> None:
    sample = market(days=30, names=5).on(np.arange(30))

    assert drawn(sample, len(sample)) is sample


def test_seeds_draw_different_cells_and_the_same_seed_the_same() -> None:
    sample = market(days=400, names=50).on(np.arange(400))

    one, again, other = (drawn(sample, 1000, seed) for seed in (1, 1, 2))

    np.testing.assert_array_equal(one.places, again.places)
    assert not np.array_equal(one.places, other.places)
    assert len(one) == 1000 and (np.diff(one.places) > 0).all() and np.isin(one.places, sample.places).all()
    assert len(np.unique(one.row)) == 128 and abs(float(one.row.mean()) - 199.5) < 40
