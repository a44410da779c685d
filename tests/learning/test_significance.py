"""How often chance is taken for knowledge: as often as was said, whatever overlaps and however many were tried."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from quantflux.core.errors import InvalidRequest
from quantflux.learning.evaluation import Significance, significance_of

DRAWS = 1500


def series(days: int, overlap: int, draws: int, seed: int) -> np.ndarray:
    """Sums of `overlap` neighbouring draws: what daily figures look like whose days overlap, at the worst."""
    drawn = np.random.default_rng(seed).normal(size=(draws, days + overlap - 1))
    return np.asarray(np.lib.stride_tricks.sliding_window_view(drawn, overlap, axis=1).sum(axis=2))


def within(found: int, draws: int, level: float) -> bool:
    """Whether so many of so many could be draws at a level: 1 in 10,000 would not be."""
    low, high = stats.binom.interval(0.9999, draws, level)
    return bool(low <= found <= high)


@pytest.mark.parametrize(("days", "overlap"), [(60, 1), (250, 1), (120, 5), (500, 5), (500, 20)])
def test_what_is_not_there_is_found_as_often_as_said(days: int, overlap: int) -> None:
    chances = [significance_of(values, overlap).above for values in series(days, overlap, DRAWS, 1)]

    for level in (0.01, 0.05):
        assert within(sum(chance <= level for chance in chances), DRAWS, level * 1.25), level


def test_the_usual_t_value_would_find_it_too_often() -> None:
    found = [significance_of(values, 5).t_value for values in series(250, 5, DRAWS, 2)]

    assert sum(t > stats.norm.isf(0.01) for t in found) > 1.4 * 0.01 * DRAWS


def test_the_best_of_many_has_to_be_better() -> None:
    tries = 8
    best = [
        max(significance_of(values).t_value for values in series(120, 1, tries, seed)) for seed in range(300)
    ]

    fooled = sum(Significance(120, 0.0, t, 4).above <= 0.05 for t in best)
    allowed = sum(Significance(120, 0.0, t, 4, trials=tries).above <= 0.05 for t in best)

    assert fooled > 70
    assert within(allowed, 300, 0.05)


def test_the_needed_t_value_is_where_the_probability_is_the_level() -> None:
    for trials in (1, 20):
        needed = Significance(250, 0.0, 0.0, 20, trials).needed(0.01)

        assert Significance(250, 0.0, needed, 20, trials).above == pytest.approx(0.01, rel=1e-9)
        assert Significance(250, 0.0, -needed, 20, trials).below == pytest.approx(0.01, rel=1e-9)


def test_without_autocovariances_of_a_long_series_it_is_the_normal_one() -> None:
    assert Significance(10**6, 0.0, 0.0, 0).needed(0.01) == pytest.approx(stats.norm.isf(0.01), abs=1e-4)


def test_published_critical_values_are_met() -> None:
    """Kiefer and Vogelsang (2005), table 1, Bartlett's kernel: a polynomial in the bandwidth."""
    for bandwidth in (0.02, 0.06, 0.12):
        found = Significance(1000, 0.0, 0.0, round(1000 * bandwidth) - 1)

        assert found.needed(0.01) == pytest.approx(
            2.3263 + 4.1618 * bandwidth + 0.5368 * bandwidth**2, rel=0.02
        )
        assert found.needed(0.05) == pytest.approx(
            1.6449 + 2.1859 * bandwidth + 0.3142 * bandwidth**2, rel=0.02
        )


def test_too_little_is_not_guessed_at() -> None:
    found = significance_of(np.array([0.1, np.nan, 0.2]))

    assert found.count == 2
    assert np.isnan([found.t_value, found.above, found.needed(0.01)]).all()
    with pytest.raises(InvalidRequest, match="at least 1"):
        significance_of(np.zeros(9), horizon=0)
