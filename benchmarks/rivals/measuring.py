"""Measures rivals that run in processes of their own, in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from benchmarks.rivals.rival import Rival, Run
from benchmarks.timing import SLOW, VERY_SLOW

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Measured:
    """Repeated runs of one rival: medians, and the highest peak.

    Attributes
    ----------
    parallel : int
        Threads or processes that computed.
    parts : dict
        Seconds by part of the task, where the driver tells them.
    """

    label: str
    parallel: int
    seconds: float
    cpu: float
    peak: int
    calls: int
    parts: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, rival: Rival, runs: Sequence[Run]) -> Measured:
        """Sum up runs."""
        return cls(
            rival.label,
            max(rival.threads, rival.workers),
            float(np.median([r.seconds for r in runs])),
            float(np.median([r.cpu for r in runs])),
            max(r.peak for r in runs),
            len(runs),
            {part: float(np.median([r.parts[part] for r in runs])) for part in runs[0].parts},
        )


def measure_in_turn(rivals: Sequence[Rival], say: Say, *, calls: int = 5) -> list[Measured]:
    """Run every rival once to warm up, then all of them in turn.

    The rules are those of `timing.time_rivals`, on the seconds that a rival itself reports: a warm-up of `SLOW` seconds
    counts and is followed by one more run, one of `VERY_SLOW` seconds is all.
    """
    taken: dict[str, list[Run]] = {}
    left: dict[str, int] = {}
    for rival in rivals:
        first = rival.compute()
        say(f"{rival.label}: {first.seconds:.2f} s by the clock, {first.cpu:.2f} s of processors")
        taken[rival.label] = [first] if first.seconds >= SLOW else []
        left[rival.label] = calls if first.seconds < SLOW else 1 if first.seconds < VERY_SLOW else 0
        rival.drop()
    while any(left.values()):
        for rival in rivals:
            if left[rival.label]:
                taken[rival.label].append(rival.compute())
                rival.drop()
                left[rival.label] -= 1
    return [Measured.of(rival, taken[rival.label]) for rival in rivals]


def measure_each_run(rivals: Sequence[Rival], say: Say, runs: int) -> list[Measured]:
    """Run all rivals in turn, every run counted: for tasks that warm up within a run.

    The peak of memory is the first run's: what a process still holds of earlier runs is not the task's.
    """
    taken: dict[str, list[Run]] = {rival.label: [] for rival in rivals}
    for number in range(1, runs + 1):
        for rival in rivals:
            run = rival.compute()
            say(f"{rival.label}, run {number}: {run.seconds:.2f} s, {run.cpu:.2f} s of processors")
            taken[rival.label].append(run)
            rival.drop()
    return [
        replace(Measured.of(rival, each), peak=each[0].peak)
        for rival, each in zip(rivals, taken.values(), strict=True)
    ]
