"""Writing again after a deadlock, of which a database server undoes the loser."""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from quantflux.core.errors import StoreUnavailable

REPEATS = 3
_PAUSE = 0.02  # seconds before the first repeat, at most; doubled for each further one

P = ParamSpec("P")
T = TypeVar("T")


class Deadlock(StoreUnavailable):
    """Two transactions waited for each other, and the server undid this one, whole."""


def again_after_deadlock(write: Callable[P, T]) -> Callable[P, T]:
    """Make a function run again, at most three times, when its transaction lost a deadlock.

    For what many callers do at once and nobody could tell why it failed: log-ins, refreshes, log-outs. What waited too
    long for a lock is not tried again, as that would keep its caller waiting three times as long. Nor are changes that
    few people make now and then, such as those of an administrator: they answer 503, and nothing was done. Runners of
    jobs repeat by themselves.

    Parameters
    ----------
    write : callable
        What it does outside its one transaction, before the commit, must be harmless when done again.

    Examples
    --------
    >>> losses = [Deadlock("lost"), Deadlock("lost")]
    >>> @again_after_deadlock
    ... def write() -> str:
    ...     if losses:
    ...         raise losses.pop()
    ...     return "written"
    >>> write()
    'written'
    """

    @functools.wraps(write)
    def repeated(*args: P.args, **kwargs: P.kwargs) -> T:
        for repeat in range(REPEATS):
            try:
                return write(*args, **kwargs)
            except Deadlock:
                time.sleep(random.uniform(0, _PAUSE * 2**repeat))  # noqa: S311 (spreads writers, guards nothing)
        return write(*args, **kwargs)

    return repeated
