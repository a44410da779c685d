"""Times rivals in turn, so that a machine that slows down slows all of them."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

SLOW = 5.0
"""Seconds: a rival whose first call takes this long gets one more, and both count."""

VERY_SLOW = 30.0
"""Seconds: a rival whose first call takes this long is called once."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of repeated calls.

    Attributes
    ----------
    median, p99 : float
        Seconds. With fewer than 100 calls the P99 is close to the slowest one.
    calls : int
    """

    median: float
    p99: float
    calls: int


def time_rivals(
    rivals: Mapping[str, Callable[[], Any]], *, seconds: float = 2.0, fewest: int = 5, most: int = 400
) -> dict[str, Timing]:
    """Call every rival once to warm up, then all of them in turn, and return each one's timing.

    Parameters
    ----------
    seconds : float
        A rival gets no further calls once its own calls have taken this long, but at least `fewest`.
    """
    taken: dict[str, list[float]] = {}
    waiting = set()
    for name, call in rivals.items():
        first = _timed(call)
        taken[name] = [first] if first >= SLOW else []
        if SLOW <= first < VERY_SLOW:
            taken[name].append(_timed(call))
        if first < SLOW:
            waiting.add(name)
    while waiting:
        for name in [n for n in rivals if n in waiting]:
            taken[name].append(_timed(rivals[name]))
            count = len(taken[name])
            if count >= most or (count >= fewest and sum(taken[name]) >= seconds):
                waiting.discard(name)
    return {
        name: Timing(float(np.median(times)), float(np.percentile(times, 99)), len(times))
        for name, times in taken.items()
    }


def _timed(call: Callable[[], Any]) -> float:
    gc.collect(0)
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
