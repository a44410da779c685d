"""Champion and challenger: the better one is promoted, one that is no better seldom, and the reason is told."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from quantflux.core.errors import InvalidRequest
from quantflux.learning.monitoring import Recommendation, contest_of, paired_rank_ics
from tests.learning.small_market import HORIZON, knowing, market, outcomes
from tests.learning.test_health import figures


def pair(days: int, gap: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two models that mostly agree, so that much of their bad days is common."""
    common = figures(days, 0.05, seed)
    return common + 0.3 * figures(days, 0.0, seed + 1), common + 0.3 * figures(days, gap / 0.3, seed + 2)


def test_a_better_challenger_is_promoted_and_a_worse_one_is_not() -> None:
    better, worse = contest_of(*pair(500, 0.03, 1), HORIZON), contest_of(*pair(500, -0.03, 1), HORIZON)

    assert better.recommendation is Recommendation.PROMOTE
    assert "it is better" in better.reason.en
    assert worse.recommendation is Recommendation.KEEP
    assert "it is worse" in worse.reason.en
    assert better.challenger - better.champion == pytest.approx(better.difference.mean)


def test_one_that_is_no_better_is_promoted_as_seldom_as_was_said() -> None:
    made = [contest_of(*pair(300, 0.0, 10 * seed), HORIZON) for seed in range(300)]

    promoted = sum(each.recommendation is Recommendation.PROMOTE for each in made)
    low, high = stats.binom.interval(0.9999, 300, 0.06)
    assert low <= promoted <= high
    covered = sum(each.low <= 0 <= each.high for each in made)
    assert covered >= 0.85 * 300


def test_what_is_common_to_both_does_not_blur_the_difference() -> None:
    champion, challenger = pair(500, 0.02, 5)

    found = contest_of(champion, challenger, HORIZON)

    assert found.recommendation is Recommendation.PROMOTE
    alone = stats.ttest_ind(challenger, champion)
    assert abs(alone.statistic) < found.difference.needed(0.05)


def test_a_difference_that_is_not_worth_it_keeps_the_champion() -> None:
    champion = figures(2000, 0.05, 1)

    found = contest_of(champion, champion + 0.001 + 0.02 * figures(2000, 0.0, 2), HORIZON)

    assert found.recommendation is Recommendation.KEEP
    assert found.difference.above < 0.01
    assert found.high < 0.005
    assert "not worth a change" in found.reason.en


def test_too_close_or_too_few_days_are_undecided() -> None:
    close, few = contest_of(*pair(120, 0.012, 3), HORIZON), contest_of(*pair(59, 0.1, 3), HORIZON)

    assert close.recommendation is few.recommendation is Recommendation.UNDECIDED
    assert "too close to tell" in close.reason.en
    assert "59 days, fewer than 60" in few.reason.en
    same = figures(100, 0.05, 1)
    assert contest_of(same, same, HORIZON).recommendation is Recommendation.UNDECIDED
    assert contest_of(np.full(5, np.nan), np.zeros(5), 1).difference.count == 0


def test_both_are_judged_on_the_names_that_both_have_scored() -> None:
    data = market()
    first, second = knowing(data, 1), knowing(data, 2, part=0.3)
    first[:, :5] = np.nan
    second[:, 35:] = np.nan

    one, two = paired_rank_ics(first, second, data.market, HORIZON)

    labels = outcomes(data)[300]
    both = data.market.chosen[300] & ~np.isnan(labels) & ~np.isnan(first[300]) & ~np.isnan(second[300])
    assert one[300] == pytest.approx(stats.spearmanr(first[300, both], labels[both]).statistic)
    assert two[300] == pytest.approx(stats.spearmanr(second[300, both], labels[both]).statistic)
    assert contest_of(one, two, HORIZON).recommendation is Recommendation.PROMOTE


def test_other_days_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="same days"):
        contest_of(np.zeros(4), np.zeros(5), 1)
