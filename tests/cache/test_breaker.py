"""A breaker opens at once, tries seldom, and closes when the trial went well."""

from __future__ import annotations

from quantflux.cache.breaker import Breaker
from quantflux.core.clock import FixedClock


def test_trials_come_at_doubling_pauses_up_to_the_longest(clock: FixedClock) -> None:
    breaker = Breaker(clock, pause=1.0, longest_pause=4.0)
    breaker.failed()
    trials = []
    for tenth in range(1, 201):
        clock.advance(0.1)
        if breaker.take_trial():
            trials.append(round(tenth / 10, 1))

    # 1 s after the failure, then 2 s, then 4 s each.
    assert [round(t) for t in trials] == [1, 3, 7, 11, 15, 19]


def test_failures_while_open_do_not_put_the_trial_off(clock: FixedClock) -> None:
    breaker = Breaker(clock, pause=1.0)
    breaker.failed()
    clock.advance(0.9)
    breaker.failed()
    clock.advance(0.2)

    assert breaker.take_trial()


def test_the_pause_is_short_again_only_after_a_good_while(clock: FixedClock) -> None:
    breaker = Breaker(clock, pause=1.0, longest_pause=8.0)
    breaker.failed()
    for _ in range(3):
        clock.advance(10.0)
        assert breaker.take_trial()
    breaker.succeeded()
    assert breaker.closed and not breaker.take_trial()

    clock.advance(7.9)
    breaker.failed()
    clock.advance(7.9)
    assert not breaker.take_trial()
    clock.advance(0.1)
    assert breaker.take_trial()
    breaker.succeeded()

    clock.advance(8.0)
    breaker.failed()
    clock.advance(1.0)
    assert breaker.take_trial()
