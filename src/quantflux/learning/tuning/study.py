"""Keeps the trials of a search in a SQLite file and asks Optuna what to try next.

What is tried next depends on the seed and on the trials that were finished, on nothing else: the sampler is made anew
for each trial, seeded by how many there are. So a search that was interrupted goes on as if it had not been.
"""

from __future__ import annotations

import json
import sqlite3
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from quantflux.core.errors import InvalidRequest, StoreCorrupt, StoreUnavailable
from quantflux.core.folder_lock import folder_lock
from quantflux.learning.tuning.results import Trial
from quantflux.learning.tuning.spaces import Options, Range, Space, written

RANDOM_TRIALS = 10
"""Drawn at random before any is chosen by what was learnt."""

UNPRUNED_TRIALS = 5
"""That must have come as far as a trial before it may be given up for being worse than half of them."""

UNPRUNED_ROUNDS = 50
"""Of boosting, before which nothing is given up: small steps begin slowly."""

ROUNDS_APART = 10
"""Rounds between looks at a model that is being fitted."""

_STEPS_A_FOLD = 1_000_000  # rounds of a fold lie before its end, and its end before the next fold
_OF_LOSS = ("objective", "grades")
_STATES = {TrialState.COMPLETE: "done", TrialState.PRUNED: "pruned"}


class Study:
    """Trials that are kept.

    Parameters
    ----------
    study : optuna.Study
    space : Space
    seed : int
    """

    def __init__(self, study: optuna.Study, space: Space, seed: int) -> None:
        self._study, self._space, self._seed = study, space, seed
        self._distributions = {name: _distribution(each) for name, each in space.searched.items()}
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            study.tell(trial.number, state=TrialState.FAIL)  # its process has ended

    def trials(self) -> tuple[Trial, ...]:
        """Return the trials that came to an end."""
        ended = self._study.get_trials(deepcopy=False, states=tuple(_STATES))
        return tuple(self._trial(number, each) for number, each in enumerate(ended))

    @contextmanager
    def next(self, first: Mapping[str, Any] | None) -> Iterator[Attempt]:
        """Give parameters to try; `first`, if there is one, before all others.

        The trial is kept when it was finished or given up; with an error it does not count.
        """
        done = len(self._study.get_trials(deepcopy=False, states=tuple(_STATES)))
        self._study.sampler = optuna.samplers.TPESampler(
            seed=int(np.random.SeedSequence([self._seed, done]).generate_state(1)[0]),
            n_startup_trials=RANDOM_TRIALS,
            multivariate=True,
        )
        waiting = self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        if first is not None and not done and not waiting:
            self._study.enqueue_trial(
                {
                    name: written(first[name]) if self._option(name) else first[name]
                    for name in self._distributions
                }
            )
        trial = self._study.ask(self._distributions)
        attempt = Attempt(trial, self._parameters(trial.params), self._others(trial.params))
        try:
            yield attempt
        except BaseException:
            self._study.tell(trial, state=TrialState.FAIL)
            raise
        trial.set_user_attr("told", json.dumps(attempt.told))
        if attempt.pruned:
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, attempt.score)

    def remember(self, name: str, value: Any) -> None:
        """Keep something beside the trials."""
        self._study.set_user_attr(name, value)

    def remembered(self, name: str) -> Any:
        """Return what was kept by that name; None if nothing was."""
        return self._study.user_attrs.get(name)

    def _others(self, drawn: Mapping[str, Any]) -> Mapping[int, list[float]]:
        """Return the values of finished trials by step: those of rounds only where the loss is the same one."""
        found = defaultdict[int, list[float]](list)
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            alike = _loss(trial.params) == _loss(drawn)
            for step, value in trial.intermediate_values.items():
                if alike or _ends_fold(step):
                    found[step].append(value)
        return found

    def _option(self, name: str) -> bool:
        return isinstance(self._space.searched[name], Options)

    def _parameters(self, drawn: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: json.loads(drawn[name]) if self._option(name) else drawn[name]
            for name in self._distributions
        }

    def _trial(self, number: int, kept: FrozenTrial) -> Trial:
        told = json.loads(kept.user_attrs["told"])
        folds = tuple(told["folds"])
        return Trial(
            number,
            self._parameters(kept.params),
            _STATES[kept.state],
            statistics.fmean(folds) if folds else float("nan"),
            folds,
            tuple(told["rounds"]),
            told["seconds"],
        )


class Attempt:
    """A trial under way: takes scores, and says whether it is worth going on.

    A trial is given up when it is worse than half of the trials that came as far: by the best score so far on the days
    to stop by, at the same round of the same fold, among trials with the same loss; or by the mean score of the same
    number of folds.

    Parameters
    ----------
    trial : optuna.Trial
    parameters : mapping
    others : mapping of int to list of float
        Values of finished trials by step.
    """

    def __init__(
        self, trial: optuna.Trial, parameters: Mapping[str, Any], others: Mapping[int, list[float]]
    ) -> None:
        self.parameters = parameters
        self.pruned = False
        self.folds: list[float] = []
        self.rounds: list[int] = []
        self.seconds = 0.0
        self._trial, self._others = trial, others
        self._best = float("-inf")

    @property
    def score(self) -> float:
        """Mean score of the folds so far."""
        return statistics.fmean(self.folds)

    @property
    def told(self) -> dict[str, Any]:
        """What is kept beside the score."""
        return {"folds": self.folds, "rounds": self.rounds, "seconds": self.seconds}

    def after_round(self, done: int, score: float) -> bool:
        """Take the score of a round on the days to stop by, larger being better; say whether to give up."""
        self._best = max(self._best, score)
        if done % ROUNDS_APART:
            return False
        return self._poor(len(self.folds) * _STEPS_A_FOLD + done, self._best, done >= UNPRUNED_ROUNDS)

    def after_fold(self, score: float, rounds: int) -> bool:
        """Take the score of a fold; say whether to give up."""
        self.folds.append(score)
        self.rounds.append(rounds)
        self._best = float("-inf")
        return self._poor(len(self.folds) * _STEPS_A_FOLD - 1, self.score, may=True)

    def _poor(self, step: int, value: float, may: bool) -> bool:
        if not np.isfinite(value):
            return False
        self._trial.report(value, step)
        others = self._others.get(step, [])
        return may and len(others) >= UNPRUNED_TRIALS and value < statistics.median(others)


def _loss(drawn: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what decides how a round is scored: a squared error says nothing beside an absolute one."""
    return tuple(drawn.get(name) for name in _OF_LOSS)


def _ends_fold(step: int) -> bool:
    """Say whether a step is the end of a fold, which every trial has scored by its rank correlation."""
    return (step + 1) % _STEPS_A_FOLD == 0


@contextmanager
def opened(path: Path | None, name: str, space: Space, seed: int) -> Iterator[Study]:
    """Open a study by name, made if there is none.

    Parameters
    ----------
    path : Path or None
        The SQLite file, which may hold other studies; None keeps the trials in memory.

    Raises
    ------
    StoreCorrupt
        If the file is no SQLite database.
    InvalidRequest
        If it cannot be written.
    StoreUnavailable
        If another process is at this study.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if path is None:
        made = optuna.create_study(study_name=name, direction="maximize")
        yield Study(made, space, seed)
        return
    _check_file(path)
    with folder_lock(path.with_name(f"{path.name}-locks") / name, wait=False) as ours:
        if not ours:
            raise StoreUnavailable(f"another process is at the search {name} in {path}; wait for its end")
        storage = optuna.storages.RDBStorage(
            "sqlite://", engine_kwargs={"creator": lambda: _connection(path)}
        )
        try:
            made = optuna.create_study(
                storage=storage, study_name=name, direction="maximize", load_if_exists=True
            )
            yield Study(made, space, seed)
        finally:
            storage.remove_session()
            storage.engine.dispose()


def _connection(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=30.0)
    # Every look at a model is a write. Without waiting for the disk a power cut may lose the last trials, not the file.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _check_file(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise InvalidRequest(f"{path} cannot be opened to keep trials in: {error}") from error
        raise StoreCorrupt(f"{path} is no file of trials: {error}", str(path)) from error
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be made: {error.strerror}") from error


def _distribution(each: Range | Options) -> BaseDistribution:
    if isinstance(each, Options):
        return CategoricalDistribution(each.texts)
    if each.whole:
        return IntDistribution(int(each.low), int(each.high), log=each.log)
    return FloatDistribution(each.low, each.high, log=each.log)
