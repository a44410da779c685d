"""Tries every parameter set of a run file, in processes, and says how much of the best result is luck.

1. `parameter_sets` makes the sets, and `Preparation` all that they need of the data, each array once.
2. The arrays are written into a folder that every process maps (`sharing.py`).
3. Each set is simulated and measured in some process (`_measured`); one that fails is told, the others stay.
4. The deflated Sharpe ratio of each set allows for the number of sets, and for how far their ratios lie apart.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan, nan
from pathlib import Path
from typing import Any

import numpy as np

from quantflux.backtest.arena import Arena
from quantflux.backtest.metrics import (
    Performance,
    account_rows,
    costs_of,
    daily_returns,
    deflated_sharpe,
    performance,
    sharpe,
    turnover,
    yearly_rate,
)
from quantflux.backtest.runs.plans import execution_of, plan_of
from quantflux.backtest.runs.preparation import Prepared
from quantflux.backtest.simulator import simulate
from quantflux.backtest.sweeps.grid import ParameterSet
from quantflux.backtest.sweeps.sharing import ArrayFolder, unpack
from quantflux.backtest.sweeps.workers import Outcome, outcome_of, run_tasks
from quantflux.core.errors import InvalidRequest
from quantflux.factors.evaluation import TRADING_DAYS

Progress = Callable[[int, int], None]

NOT_RUN = "not run"
"""The problem of a set that was left when the sweep was stopped."""

_ALONE = 3.0
"""Seconds of work that are not worth another process."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What one set came to, from the close of its first decision on.

    Attributes
    ----------
    times : array of datetime64[D], shape (R,)
    equity : array of float64, shape (R,)
        Yuan.
    performance : Performance
    turnover, cost_drag : float
        By the year; see `Study`.
    bytes : int
        Most memory that the process held of its own, so far.
    """

    times: np.ndarray
    equity: np.ndarray
    performance: Performance
    turnover: float
    cost_drag: float
    bytes: int


@dataclass(frozen=True)
class SetResult:
    """A set and what became of it.

    Attributes
    ----------
    number : int
        Place in the sweep, from 1.
    values : dict of str to object
        What the keys were set to.
    measured : Measured or None
        None if it failed or was not run.
    problem : str
        Why it failed, or `NOT_RUN`.
    deflated : float
        Deflated Sharpe ratio: the probability that the true one is above zero, given that the best of all sets was
        picked. NaN without a result.
    """

    number: int
    values: dict[str, Any]
    measured: Measured | None
    problem: str = ""
    deflated: float = float("nan")


@dataclass(frozen=True)
class Sweep:
    """What a sweep found.

    Attributes
    ----------
    name : str
    keys : tuple of str
        What was varied.
    results : tuple of SetResult
        The highest Sharpe ratio first, then those that failed; equal ones in the order of the sweep.
    shared_bytes : int
        Of the arrays that processes share, held once; 0 where everything ran in one.
    process_bytes : int
        Most that a process held of its own.
    processes : int
    """

    name: str
    keys: tuple[str, ...]
    results: tuple[SetResult, ...]
    shared_bytes: int
    process_bytes: int
    processes: int

    @property
    def done(self) -> tuple[SetResult, ...]:
        """The sets with a result."""
        return tuple(each for each in self.results if each.measured is not None)

    @property
    def failed(self) -> tuple[SetResult, ...]:
        """The sets without."""
        return tuple(each for each in self.results if each.measured is None)


def run_sweep(
    name: str,
    sets: Sequence[ParameterSet],
    prepared: Sequence[Prepared],
    *,
    processes: int | None = None,
    folder: Path | None = None,
    progress: Progress = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Sweep:
    """Run parameter sets.

    Parameters
    ----------
    name : str
    sets : sequence of ParameterSet
    prepared : sequence of Prepared
        The same, with what each needs.
    processes : int, optional
        How many at most; 1 runs everything in this process. Unless given, what takes more than three seconds in this
        one is left to as many as there are processors: starting them takes about as long.
    folder : Path, optional
        Where the arrays are put for as long as it runs; that of the system unless given.
    progress : callable
        Told how many sets are done, of how many.
    cancelled : callable
        Asked often; what is done by then is kept.

    Returns
    -------
    Sweep
        The same whatever the number of processes.
    """
    if not sets or (processes is not None and processes < 1):
        raise InvalidRequest(
            f"a sweep needs a set and a process, had {len(sets)} sets and {processes} processes"
        )
    progress(0, len(sets))
    outcomes = _alone(prepared, processes, progress, cancelled)
    done, shared_bytes, count = len(outcomes), 0, 1
    if done < len(sets) and not cancelled():
        count = min(processes or os.cpu_count() or 1, len(sets) - done)
        rest, shared_bytes = _together(
            prepared[done:],
            count,
            folder,
            lambda ready, _: progress(done + ready, len(sets)),
            cancelled,
        )
        outcomes += rest
    outcomes += [None] * (len(sets) - len(outcomes))
    found = [
        SetResult(each.number, dict(each.values), None, NOT_RUN)
        if outcome is None
        else SetResult(each.number, dict(each.values), outcome.value, outcome.problem)
        for each, outcome in zip(sets, outcomes, strict=True)
    ]
    # Where there were several, this one does not count: it has read the data and computed the factors.
    last = outcomes[done:] if count > 1 else outcomes
    held = [each.value.bytes for each in last if each is not None and each.value is not None]
    return Sweep(name, tuple(sets[0].values), _ranked(found), shared_bytes, max(held, default=0), count)


def _alone(
    prepared: Sequence[Prepared], processes: int | None, progress: Progress, cancelled: Callable[[], bool]
) -> list[Outcome | None]:
    """Measure the first sets in this process: all, or those of three seconds, or none if several are asked for."""
    outcomes: list[Outcome | None] = []
    begun = time.monotonic()
    for each in prepared:
        enough = processes is not None or time.monotonic() - begun > _ALONE
        if cancelled() or (enough and processes != 1):
            break
        outcomes.append(outcome_of(measure, each))
        progress(len(outcomes), len(prepared))
    return outcomes


def _together(
    prepared: Sequence[Prepared],
    count: int,
    folder: Path | None,
    progress: Progress,
    cancelled: Callable[[], bool],
) -> tuple[list[Outcome | None], int]:
    """Measure sets in processes, and return the bytes of the arrays that these share as well."""
    with tempfile.TemporaryDirectory(prefix="sweep-", dir=folder) as place:
        arrays = ArrayFolder(Path(place))
        # An arena travels once to each process and not with each set: its small arrays add up.
        arenas = {id(each.arena): arrays.pack(each.arena) for each in prepared}
        tasks = [(id(each.arena), arrays.pack(_without_arena(each))) for each in prepared]
        outcomes = run_tasks(
            tasks, _measuring, (place, arenas), processes=count, progress=progress, cancelled=cancelled
        )
        return outcomes, arrays.bytes


def _measuring(shared: tuple[str, Mapping[int, bytes]]) -> Callable[[tuple[int, bytes]], Measured]:
    """Open the arenas in a process of its own, and return what measures a set there."""
    place, packed = Path(shared[0]), shared[1]
    arenas: dict[int, Arena] = {}

    def work(task: tuple[int, bytes]) -> Measured:
        key, rest = task
        if key not in arenas:
            arenas[key] = unpack(packed[key], place)
        return measure(Prepared(arena=arenas[key], **unpack(rest, place)))

    return work


def _without_arena(prepared: Prepared) -> dict[str, Any]:
    return {name: value for name, value in vars(prepared).items() if name != "arena"}


def measure(prepared: Prepared) -> Measured:
    """Simulate a run, and return what a sweep's table shows of it."""
    run_file = prepared.run
    run = simulate(
        prepared.arena.venue, plan_of(prepared), execution_of(run_file.execution), run_file.capital
    )
    rows = account_rows(run.times, run.first)
    equity = np.asarray(run.equity[rows])
    return Measured(
        times=run.times[rows].astype("datetime64[D]"),
        equity=equity,
        performance=performance(equity),
        turnover=turnover(run, equity),
        cost_drag=yearly_rate(costs_of(run).total, equity),
        bytes=own_bytes(),
    )


def _ranked(found: Sequence[SetResult]) -> tuple[SetResult, ...]:
    """Return the results with their deflated ratios, best first."""
    daily = {each.number: daily_returns(each.measured.equity) for each in found if each.measured is not None}
    ratios = [sharpe(returns) / TRADING_DAYS**0.5 for returns in daily.values()]
    known = [ratio for ratio in ratios if not isnan(ratio)]
    variance = float(np.var(known, ddof=1)) if len(known) > 1 else None
    deflated = {number: deflated_sharpe(returns, len(daily), variance) for number, returns in daily.items()}
    told = [replace(each, deflated=deflated.get(each.number, nan)) for each in found]
    return tuple(sorted(told, key=_place))


def _place(result: SetResult) -> tuple[int, float, int]:
    """Say where a result stands: ratios from above, then those that have none, then the failures."""
    if result.measured is None:
        return 2, 0.0, result.number
    ratio = result.measured.performance.sharpe
    return (1, 0.0, result.number) if isnan(ratio) else (0, -ratio, result.number)


def own_bytes() -> int:
    """Return the most memory that this process held, without the files that it maps; 0 where that is not told."""
    try:
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
    except OSError:
        return 0
    told = {
        name: int(rest.split()[0])
        for name, _, rest in (line.partition(":") for line in lines)
        if name in _TOLD
    }
    return 1024 * max(told.get("VmHWM", 0) - told.get("RssFile", 0), 0)


_TOLD = ("VmHWM", "RssFile")
