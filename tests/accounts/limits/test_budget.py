from __future__ import annotations

import math

import pytest

from quantflux.accounts.limits import Budget
from quantflux.core.errors import InvalidRequest, LimitReached


def test_one_request_above_the_most_is_refused_whatever_is_left(clock):
    budget = Budget(60, 3600, clock)

    with pytest.raises(InvalidRequest, match=r"61 s of computing; one may take at most 60 s"):
        budget.spend("user:7", 61)
    assert budget.left("user:7") == 3600


def test_the_hours_sum_is_refused_with_the_time_to_wait_and_nothing_is_counted(clock):
    budget = Budget(60, 100, clock)
    budget.spend("user:7", 60)

    with pytest.raises(LimitReached, match="50 s of computing, and 40 s are left of the 100 s") as refused:
        budget.spend("user:7", 50)
    assert budget.left("user:7") == 40
    budget.spend("user:8", 60)
    clock.advance(refused.value.retry_after - 1)
    with pytest.raises(LimitReached):
        budget.spend("user:7", 50)
    clock.advance(1.01)
    budget.spend("user:7", 50)


def test_small_work_adds_up_and_none_is_free(clock):
    budget = Budget(60, 10, clock)
    for _ in range(1000):
        budget.spend("user:7", 0.001)  # a hundredth of a second is the least that is counted
    budget.spend("user:7", 0.0)

    assert budget.left("user:7") == 0
    with pytest.raises(LimitReached):
        budget.spend("user:7", 0.001)


@pytest.mark.parametrize("seconds", [-1.0, math.nan, math.inf])
def test_an_estimate_is_a_number_of_seconds(clock, seconds):
    with pytest.raises(InvalidRequest, match="number of seconds"):
        Budget(60, 100, clock).spend("user:7", seconds)


def test_other_limits_hold_at_once(clock):
    budget = Budget(60, 100, clock)
    budget.spend("user:7", 60)
    budget.apply(10, 70)

    assert budget.left("user:7") == 10
    with pytest.raises(InvalidRequest, match="at most 10 s"):
        budget.spend("user:7", 11)
