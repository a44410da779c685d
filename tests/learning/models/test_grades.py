"""Grades of a day's labels, against pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd

from quantflux.learning.models.grades import grades_in_day


def test_grades_are_ranks_of_the_day_in_equal_steps() -> None:
    random = np.random.default_rng(0)
    row = np.sort(random.integers(0, 9, 300))
    label = np.round(random.normal(size=300), 1)  # with ties

    ranks = pd.Series(label).groupby(row).rank("min").to_numpy() - 1
    sizes = pd.Series(label).groupby(row).transform("size").to_numpy()

    np.testing.assert_array_equal(grades_in_day(label, row, 5), np.floor(ranks * 5 / sizes))


def test_a_day_of_one_name_has_the_lowest_grade() -> None:
    assert grades_in_day(np.array([3.0]), np.array([7]), 4).tolist() == [0]
