"""Backtests on the data of an installation: from a run file to a study, a sweep, a comparison, a replay."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path

import numpy as np

from quantflux.backtest.ladder import price_rules
from quantflux.backtest.run import Run
from quantflux.backtest.runs.benchmarking import benchmark_of, industries_of
from quantflux.backtest.runs.files import run_of_values
from quantflux.backtest.runs.plans import execution_of, plan_of
from quantflux.backtest.runs.preparation import Preparation, Prepared
from quantflux.backtest.runs.record import (
    Replay,
    RunRecord,
    array_digest,
    code_state,
    compared,
    content_digest,
)
from quantflux.backtest.runs.run_file import RunFile
from quantflux.backtest.runs.trials import Trial, TrialLedger
from quantflux.backtest.simulator import simulate
from quantflux.backtest.study import Study, Trials, study_of
from quantflux.backtest.sweeps.grid import parameter_sets
from quantflux.backtest.sweeps.sweep import Sweep, run_sweep
from quantflux.core.clock import Clock
from quantflux.data.access import DataAccessLayer
from quantflux.factors.registry import FactorRegistry
from quantflux.factors.stored import Hooks

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Backtest:
    """A run that was carried out.

    Attributes
    ----------
    run_file : RunFile
    study : Study
    record : RunRecord
    """

    run_file: RunFile
    study: Study
    record: RunRecord


class Backtester:
    """Carries out run files.

    Parameters
    ----------
    data : DataAccessLayer
    registry : FactorRegistry
        Knows the factors that run files name.
    folder : Path
        Where the ledger of trials is kept, and the arrays of a sweep while it runs.
    clock : Clock
    max_memory : int, optional
        Most bytes that the process may hold while it computes factors.

    Examples
    --------
    >>> from quantflux.config import Settings
    >>> from quantflux.platform import Platform
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, Platform.open(Settings(data_dir=folder)) as platform:
    ...     platform.backtests.trials()
    0
    """

    def __init__(
        self,
        data: DataAccessLayer,
        registry: FactorRegistry,
        folder: Path,
        clock: Clock,
        *,
        max_memory: int | None = None,
    ) -> None:
        self.folder = folder
        self._data, self._registry, self._clock, self._max_memory = data, registry, clock, max_memory
        self._ledger = TrialLedger(folder / "trials.db")

    def trials(self) -> int:
        """Return how many different strategies were tried on these data."""
        return self._ledger.count()

    def run(self, run: RunFile, *, ladder: bool = True, hooks: Hooks | None = None) -> Backtest:
        """Carry out a run, and write it down as a trial.

        Parameters
        ----------
        run : RunFile
        ladder : bool
            Whether to price each rule of the market, which simulates the run once for each.
        hooks : Hooks, optional
            Told how the computing of factors goes.

        Raises
        ------
        NotFound
            If there are no data, or a name in the run file is unknown.
        InvalidRequest
            If the run file asks for something that makes no sense on these data.
        """
        return self.compare([run], ladder=ladder, hooks=hooks)[0]

    def compare(
        self,
        runs: Sequence[RunFile],
        *,
        ladder: bool = True,
        hooks: Hooks | None = None,
        progress: Progress = lambda done, total: None,
    ) -> tuple[Backtest, ...]:
        """Carry out several runs, reading the data once, and write them down as trials; see `run`."""
        prepared = self._preparation().prepare(runs, hooks)
        digests = [content_digest(each.run.content()) for each in prepared]
        tried = self._ledger.count(also=digests)
        done = []
        for number, each in enumerate(prepared):
            progress(number, len(prepared))
            done.append(self._carried_out(each, Trials(tried), ladder=ladder))
        progress(len(prepared), len(prepared))
        self._write_down([(each.run_file, each.study.equity, each.study.performance.sharpe) for each in done])
        return tuple(done)

    def sweep(
        self,
        run: RunFile,
        *,
        processes: int | None = None,
        hooks: Hooks | None = None,
        progress: Progress = lambda done, total: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Sweep:
        """Try every parameter set of a run's sweep, and write each down as a trial; see `run_sweep`."""
        sets = parameter_sets(run)
        prepared = self._preparation().prepare([each.run for each in sets], hooks)
        self.folder.mkdir(parents=True, exist_ok=True)
        found = run_sweep(
            run.name,
            sets,
            prepared,
            processes=processes,
            folder=self.folder,
            progress=progress,
            cancelled=cancelled,
        )
        runs = {each.number: each.run for each in sets}
        self._write_down(
            [
                (runs[each.number], each.measured.equity, each.measured.performance.sharpe)
                for each in found.results
                if each.measured is not None
            ]
        )
        return found

    def replay(self, record: RunRecord, hooks: Hooks | None = None) -> Replay:
        """Do a recorded run again, and say what differs; it is no new trial.

        Parameters
        ----------
        record : RunRecord
        hooks : Hooks, optional

        Raises
        ------
        InvalidRequest
            If the run can no longer be carried out.
        """
        run = run_of_values(record.content, f"the record of {record.name}", Path(record.folder))
        (prepared,) = self._preparation().prepare([run], hooks)
        again = self._carried_out(prepared, Trials(), ladder=False)
        return compared(record, again.record)

    def _preparation(self) -> Preparation:
        return Preparation(self._data, self._registry, max_memory=self._max_memory)

    def _carried_out(self, prepared: Prepared, trials: Trials, *, ladder: bool) -> Backtest:
        run_file, venue = prepared.run, prepared.arena.venue
        execution, capital = execution_of(run_file.execution), run_file.capital
        run = simulate(venue, plan_of(prepared), execution, capital)
        rules = price_rules(venue, plan_of(prepared), execution, capital, real=run) if ladder else None
        benchmarks = benchmark_of(self._data, prepared, run)
        found = study_of(
            run,
            venue,
            name=run_file.name,
            benchmarks=benchmarks,
            industries=industries_of(self._data, prepared.arena),
            trials=trials,
            ladder=rules,
        )
        return Backtest(run_file, found, self._record(prepared, found, benchmarks))

    def _record(self, prepared: Prepared, study: Study, benchmarks: Mapping[str, np.ndarray]) -> RunRecord:
        run_file = prepared.run
        return RunRecord(
            name=run_file.name,
            made=self._now(),
            content=run_file.content(),
            folder=str(run_file.folder),
            seed=run_file.seed,
            code=code_state(),
            data=prepared.versions,
            expressions=prepared.expressions,
            files=prepared.files,
            arrays=_digests(study.run) | {f"benchmark.{k}": array_digest(v) for k, v in benchmarks.items()},
            metrics=_figures(study),
        )

    def _write_down(self, done: Sequence[tuple[RunFile, np.ndarray, float]]) -> None:
        trials = [
            Trial(content_digest(run.content()), run.name, sharpe if isfinite(sharpe) else None, len(equity))
            for run, equity, sharpe in done
        ]
        if trials:
            self._ledger.add(trials, self._now())

    def _now(self) -> str:
        return self._clock.now().isoformat(timespec="seconds")


def _digests(run: Run) -> dict[str, str]:
    """Return the SHA-256 of everything that a simulation gave."""
    arrays = {name: getattr(run, name) for name in ("times", "symbols", "cash", "positions")}
    arrays |= {name: getattr(run, name) for name in ("dividends", "dividend_tax")}
    arrays |= {f"holdings.{name}": value for name, value in vars(run.holdings).items()}
    arrays |= {f"orders.{name}": value for name, value in vars(run.log).items()}
    return {name: array_digest(values) for name, values in arrays.items()}


def _figures(study: Study) -> dict[str, float | None]:
    """Return key figures as JSON holds them."""
    told = {name: float(value) for name, value in asdict(study.performance).items()}
    told |= {
        "turnover": study.turnover,
        "cost_drag": study.cost_drag,
        "final_equity": float(study.equity[-1]),
    }
    return {name: value if isfinite(value) else None for name, value in told.items()}
