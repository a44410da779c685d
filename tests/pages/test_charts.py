"""Numbers and curves as charts want them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from quantflux.pages.charts import numbers, rolling_mean


def test_rolling_means_skip_gaps() -> None:
    values = np.array([1.0, np.nan, 3.0, 5.0, np.nan, np.nan])

    assert numbers(rolling_mean(values, 3, 2)) == [None, None, 2.0, 4.0, 4.0, None]


def test_rolling_means_agree_with_pandas() -> None:
    rng = np.random.default_rng(2)
    values = np.where(rng.random(200) < 0.3, np.nan, rng.normal(size=200))

    expected = pd.Series(values).rolling(20, min_periods=10).mean()

    np.testing.assert_allclose(rolling_mean(values, 20, 10), expected, atol=1e-12)


def test_what_is_not_finite_is_left_out() -> None:
    assert numbers([0.123456, float("inf"), float("nan")], digits=2) == [0.12, None, None]
