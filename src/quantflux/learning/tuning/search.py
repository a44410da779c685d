"""The search itself.

1. The last folds are held back, and the others rid of what touches their tests (`folds`).
2. The model's own parameters are tried first, then what Optuna proposes (`study`); each is fitted to fold after fold
   and judged by the mean rank correlation of a day (`fitting`). What is worse than half of the others as far as it came
   is given up.
3. The best and the model's own parameters are fitted to the folds held back (`_held_out`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from json import dumps
from pathlib import Path
from typing import Any

import numpy as np

from quantflux import __version__
from quantflux.core.errors import Cancelled, InvalidRequest
from quantflux.learning.evaluation import Significance, significance_of
from quantflux.learning.models import Learner, Pruned, complete, learner
from quantflux.learning.samples import Dataset
from quantflux.learning.specification import ModelSpec
from quantflux.learning.splits import splitter_of
from quantflux.learning.tuning.fitting import Fitted, Fitting, MakeLearner
from quantflux.learning.tuning.folds import Part, nested
from quantflux.learning.tuning.luck import luck_of
from quantflux.learning.tuning.results import Trial, TuningResult
from quantflux.learning.tuning.spaces import Space, space_of
from quantflux.learning.tuning.study import Attempt, Study, opened

MOST_TRIALS = 10_000
_HASHED_CELLS = 1_000  # whose features tell one data set from another


@dataclass(frozen=True)
class Hooks:
    """How a long search speaks and listens.

    Attributes
    ----------
    progress : callable
        Told how many trials came to an end, how many there will be, and the best score so far, NaN if there is none.
    folds : callable
        Told how many folds of the trial under way are fitted, and how many there are.
    cancelled : callable
        Asked every round of a model.
    """

    progress: Callable[[int, int, float], None] = lambda done, total, best: None
    folds: Callable[[int, int], None] = lambda done, total: None
    cancelled: Callable[[], bool] = lambda: False


def tune(
    dataset: Dataset,
    spec: ModelSpec,
    *,
    trials: int,
    reach: int,
    held_out: int = 1,
    space: Mapping[str, Any] | None = None,
    study: Path | None = None,
    threads: int | None = None,
    hooks: Hooks | None = None,
    make: MakeLearner | None = None,
) -> TuningResult:
    """Search for the parameters of a model that rank best out of sample.

    Parameters
    ----------
    dataset : Dataset
    spec : ModelSpec
        The seed of the search is the model's.
    trials : int
        How many sets of parameters are tried, those given up early and those of an earlier run of the same search
        among them.
    reach : int
        Rows from a cell's row to the one at whose close its label is usually known.
    held_out : int
        How many of the last folds the search never sees.
    space : mapping, optional
        What is tried, in place of the kind's own ranges; see `space_of`.
    study : Path, optional
        A SQLite file in which trials are kept. The same search goes on where it ended; another model, data set,
        space or release is another search in the same file.
    threads : int, optional
        Of a fit.
    hooks : Hooks, optional
    make : callable, optional
        Makes a learner of parameters; the model's kind unless given.

    Raises
    ------
    InvalidRequest
        If the model, the space or the number of folds does not allow a search.
    Cancelled
        If the hooks said so. Trials that came to an end are kept in the study.
    StoreCorrupt, StoreUnavailable
        If the study's file is none, or another process is at the same search.
    """
    if not 1 <= trials <= MOST_TRIALS:
        raise InvalidRequest(f"{trials} trials cannot be made; valid is from 1 to {MOST_TRIALS:,}")
    if spec.kind == "ensemble":
        raise InvalidRequest(f"{spec.id} is an ensemble; tune its members one by one, as models of their own")
    told, wanted = hooks or Hooks(), space_of(spec.kind, space)
    splitter = splitter_of(spec.split)
    searched, last = nested(dataset, splitter.split(len(dataset.days), reach), reach, held_out)
    fitting = Fitting(spec, make or _maker(spec, threads), splitter.forward, told.cancelled)
    _check_space(fitting, wanted)
    name = f"{spec.id}-{_fingerprint(dataset, spec, wanted, reach, held_out)}"
    with opened(study, name, wanted, spec.seed) as kept:
        found = _search(kept, fitting, wanted, searched, trials, told)
        best = max((trial for trial in found if trial.state == "done"), key=lambda trial: trial.score)
        chosen = {**wanted.fixed, **best.parameters}
        after = _held_out(kept, fitting, last, chosen, reach)
        before = _held_out(kept, fitting, last, {}, reach)
    done = np.array([trial.folds for trial in found if trial.state == "done"])
    return TuningResult(
        spec=spec.with_parameters(chosen),
        best=best,
        trials=found,
        luck=luck_of(done, len(found)),
        held_out=after,
        held_out_before=before,
        folds=len(searched),
    )


def _maker(spec: ModelSpec, threads: int | None) -> MakeLearner:
    classes = spec.label.classes if spec.task == "classification" else 0

    def make(parameters: Mapping[str, Any]) -> Learner:
        return learner(spec.kind, spec.task, parameters, spec.seed, threads=threads, classes=classes)

    return make


def _check_space(fitting: Fitting, space: Space) -> None:
    """Make learners of the ends of all ranges, so that no trial fails after hours for a value that is not valid."""
    fitting.learner(space.fixed)
    for name, each in space.searched.items():
        for value in each.extremes:
            fitting.learner({**space.fixed, name: value})


def _search(
    study: Study, fitting: Fitting, space: Space, parts: Sequence[Part], trials: int, told: Hooks
) -> tuple[Trial, ...]:
    first = _own_parameters(fitting.spec, space)
    found = study.trials()
    told.progress(min(len(found), trials), trials, _best_score(found))
    while len(found) < trials or not any(trial.state == "done" for trial in found):
        with study.next(first) as attempt:
            _try(attempt, fitting, space, parts, told)
        found = study.trials()
        told.progress(min(len(found), trials), trials, _best_score(found))
    return found


def _try(attempt: Attempt, fitting: Fitting, space: Space, parts: Sequence[Part], told: Hooks) -> None:
    began = time.perf_counter()
    model = fitting.learner({**space.fixed, **attempt.parameters})
    with suppress(Pruned):
        attempt.pruned = True
        for place, part in enumerate(parts):
            told.folds(place, len(parts))
            if told.cancelled():
                raise Cancelled("the search was cancelled; the trials that came to an end are kept")
            fitted = fitting.fit(model, part, attempt.after_round)
            if attempt.after_fold(fitted.mean, fitted.rounds) and place + 1 < len(parts):
                break
        else:
            attempt.pruned = False
    attempt.seconds = time.perf_counter() - began


def _own_parameters(spec: ModelSpec, space: Space) -> dict[str, Any] | None:
    """Return the model's own parameters as a point of the space; None if they lie outside."""
    own = complete(spec.kind, spec.parameters)
    inside = all(name in own and each.holds(own[name]) for name, each in space.searched.items())
    return {name: own[name] for name in space.searched} if inside else None


def _best_score(trials: Sequence[Trial]) -> float:
    return max((trial.score for trial in trials if trial.state == "done"), default=float("nan"))


def _held_out(
    study: Study, fitting: Fitting, parts: Sequence[Part], parameters: Mapping[str, Any], reach: int
) -> Significance:
    """Return the rank correlation of parameters on the folds held back; the study keeps it for the next time."""
    name = f"held out {dumps(dict(parameters), sort_keys=True)}"
    by_day = study.remembered(name)
    if by_day is None:
        model = fitting.learner(parameters)
        found: list[Fitted] = [fitting.fit(model, part) for part in parts]
        values = np.concatenate([fitted.rank_ic for fitted in found])
        by_day = [None if np.isnan(value) else float(value) for value in values]
        study.remember(name, by_day)
    return significance_of(np.array(by_day, dtype=np.float64), max(reach, 1))


def _fingerprint(dataset: Dataset, spec: ModelSpec, space: Space, reach: int, held_out: int) -> str:
    """Return what tells one search from another, in hexadecimal."""
    digest = blake2b(digest_size=12)
    # Defaults, and what is done with parameters, may be others in another release: trials of both do not compare.
    rules = [__version__, complete(spec.kind, spec.parameters)]
    told = [*rules, spec.to_dict(), space.to_dict(), reach, held_out]
    digest.update(dumps(told, sort_keys=True).encode())
    digest.update("\n".join([*dataset.features.names, *dataset.symbols.tolist()]).encode())
    for values in (dataset.days, dataset.row, dataset.column, dataset.label, dataset.known, dataset.weight):
        digest.update(np.ascontiguousarray(values).view(np.uint8).data)
    some = np.unique(np.linspace(0, len(dataset) - 1, _HASHED_CELLS).astype(np.int64))
    features = dataset.features.gather(dataset.row[some], dataset.column[some])
    digest.update(np.ascontiguousarray(features).view(np.uint8).data)
    return digest.hexdigest()
