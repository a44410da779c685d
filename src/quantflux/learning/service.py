"""Models on the data of an installation: trained, judged, kept, used and watched."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quantflux.core.errors import Cancelled, InvalidRequest, NotFound
from quantflux.data.access import DataAccessLayer
from quantflux.data.contract import Query, day_of
from quantflux.data.request import WhenLike, parse_symbols, parse_when
from quantflux.data.schema import PREDICTIONS
from quantflux.factors.engine import FactorEngine
from quantflux.factors.market_data import load_market
from quantflux.factors.stored import Hooks as ValueHooks
from quantflux.learning.assembly import Assembled, assemble, outcomes, today
from quantflux.learning.drift import Drift, drift_of
from quantflux.learning.evaluation import Evaluation, Verdict, judge, rank_ic_by_day, reason_of
from quantflux.learning.explanation import Explained, Explanation, explain, explained
from quantflux.learning.findings import Basis, training_of, trials_of, validated_in
from quantflux.learning.models.known import any_known
from quantflux.learning.monitoring import (
    Contest,
    Health,
    contest_of,
    health_of,
    paired_rank_ics,
)
from quantflux.learning.monitoring.contest import LEAST_DAYS
from quantflux.learning.out_of_sample import OutOfSample
from quantflux.learning.predictions import laid_out, predictions_of
from quantflux.learning.registry import PRODUCTION, LoadedModel, ModelRegistry, ModelVersion
from quantflux.learning.specification import ModelSpec, specification_of
from quantflux.learning.training import FoldResult, Hooks, Trained, train, with_shuffled_labels
from quantflux.learning.tuning import Hooks as TuningHooks
from quantflux.learning.tuning import TuningResult, tune

logger = logging.getLogger(__name__)

SOMEBODY = "local"
"""Who did it where nobody says."""

_WORSE = 0.05
"""Probability with which a version trained anew is kept back although it is no worse."""

_UNPROVEN = (Verdict.NOISE, Verdict.REVERSED, Verdict.UNKNOWN)
"""Verdicts with which a version trained anew stays a candidate."""


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A model that was trained and kept.

    Attributes
    ----------
    version : ModelVersion
        A candidate.
    evaluation : Evaluation
        Of its predictions out of sample.
    folds : tuple of FoldResult
    explanation : Explanation
        What it looks at.
    control : Evaluation or None
        The same of a model of shuffled labels, where that was asked for.
    notes : tuple of str
        What the data did not allow.
    """

    version: ModelVersion
    evaluation: Evaluation
    folds: tuple[FoldResult, ...]
    explanation: Explanation
    control: Evaluation | None
    notes: tuple[str, ...]


class MLService:
    """Trains models, keeps them, and predicts with them.

    Parameters
    ----------
    data : DataAccessLayer
    factors : FactorEngine
    registry : ModelRegistry
    folder : Path
        Where out-of-sample predictions and searches are kept.
    threads : int, optional
        All processors unless given.
    """

    def __init__(
        self,
        data: DataAccessLayer,
        factors: FactorEngine,
        registry: ModelRegistry,
        folder: Path,
        *,
        threads: int | None = None,
    ) -> None:
        self.registry = registry
        self._data, self._factors = data, factors
        self._folder, self._threads = folder, threads
        self._kept = OutOfSample(folder / "out_of_sample")

    async def train_model_async(
        self, model_config: ModelSpec | Mapping[str, Any], *, actor: str = SOMEBODY
    ) -> TrainedModel:
        """Do what `train` does beside the event loop; a mapping is read as a model file is.

        Whoever stops waiting cancels the computation of features and the training, too.
        """
        spec = model_config if isinstance(model_config, ModelSpec) else specification_of(model_config)
        stopped = threading.Event()
        hooks, value_hooks = Hooks(cancelled=stopped.is_set), ValueHooks(cancelled=stopped.is_set)
        try:
            return await asyncio.to_thread(
                self.train, spec, actor=actor, hooks=hooks, value_hooks=value_hooks
            )
        except asyncio.CancelledError:
            stopped.set()
            raise

    def train(
        self,
        spec: ModelSpec,
        *,
        actor: str = SOMEBODY,
        reason: str = "trained",
        control: bool = False,
        hooks: Hooks | None = None,
        value_hooks: ValueHooks | None = None,
    ) -> TrainedModel:
        """Train a model, judge it by what it predicted out of sample, and keep it as a candidate.

        Parameters
        ----------
        spec : ModelSpec
        actor, reason : str
            For the history.
        control : bool
            Train it once more with each day's labels dealt out anew, and judge that, too: what luck looks like here.
        hooks, value_hooks : optional
            Of the training, and of the computation of features.

        Raises
        ------
        InvalidRequest, NotFound
            If the data do not allow it; says what they lack.
        Cancelled
            If a hook said so; nothing is kept.
        StoreUnavailable
            If the model or its predictions out of sample cannot be written; nothing is kept.
        """
        assembled = assemble(self._data, self._factors, spec, hooks=value_hooks)
        trained = train(assembled, spec, threads=self._threads, hooks=hooks)
        evaluation = _judged(trained, assembled, trials_of(spec, self.registry.list(spec.id)))
        lucky = None
        if control:
            shuffled = with_shuffled_labels(assembled, spec.seed)
            lucky = _judged(train(shuffled, spec, threads=self._threads, hooks=hooks), shuffled, trials=1)
        explanation = explain(trained.predictor, trained.scaler, trained.sample)
        if hooks is not None and hooks.cancelled():
            raise Cancelled("the training was cancelled")
        version = self.registry.add(
            spec,
            trained.predictor,
            trained.scaler,
            training_of(assembled, trained, evaluation, lucky, explanation),
            actor=actor,
            reason=reason,
            beside=lambda made: self._kept.keep(
                made,
                assembled.dataset.days,
                assembled.dataset.symbols,
                trained.predictions,
                trained.probabilities,
            ),
        )
        return TrainedModel(version, evaluation, trained.folds, explanation, lucky, assembled.notes)

    def retrain(
        self,
        model_id: str,
        *,
        actor: str = SOMEBODY,
        promote: bool = False,
        hooks: Hooks | None = None,
        value_hooks: ValueHooks | None = None,
    ) -> tuple[TrainedModel, Contest | None]:
        """Train a model anew on all days up to the newest, and set it beside the version in production.

        What is trained is the version in production as it was described, or else the newest candidate.

        Parameters
        ----------
        promote : bool
            Bring the new version to production, unless it is worse than the one there by more than chance, has found
            nothing, or one of both cannot be told: too few days, or too few that both have predicted. That it be better
            is not asked for: it is the same model, and knows the newest days. Why it stays a candidate is a note.

        Returns
        -------
        TrainedModel
        Contest or None
            None if no version is in production, or what that one predicted out of sample is not kept any more.
        """
        before = self.registry.get(model_id)
        spec = self.registry.load(before).spec
        spec = spec.model_copy(update={"universe": spec.universe.model_copy(update={"end": None})})
        made = self.train(spec, actor=actor, reason="trained anew", hooks=hooks, value_hooks=value_hooks)
        if before.stage != PRODUCTION:
            return made, None
        try:
            contest = self.compare(model_id, challenger=made.version.version, champion=before.version)
        except NotFound as error:
            logger.warning("%s stays a candidate: %s", made.version.label, error)
            return replace(made, notes=(*made.notes, f"not compared: {error}")), None
        if not promote:
            return made, contest
        if doubt := _doubt(made.evaluation, contest):
            logger.warning("%s stays a candidate: %s", made.version.label, doubt)
            return replace(made, notes=(*made.notes, f"stays a candidate: {doubt}")), contest
        said = f"trained anew, and no worse: {contest.reason.en}"[:500]
        version = self.promote(model_id, made.version.version, reason=said, actor=actor)
        return replace(made, version=version), contest

    def tune(
        self,
        spec: ModelSpec,
        *,
        trials: int,
        held_out: int = 1,
        space: Mapping[str, Any] | None = None,
        hooks: TuningHooks | None = None,
        value_hooks: ValueHooks | None = None,
    ) -> TuningResult:
        """Search for better parameters of a model; see `quantflux.learning.tuning.tune`."""
        assembled = assemble(self._data, self._factors, spec, hooks=value_hooks)
        self._folder.mkdir(parents=True, exist_ok=True)
        return tune(
            assembled.dataset,
            spec,
            trials=trials,
            reach=assembled.labels.reach,
            held_out=held_out,
            space=space,
            study=self._folder / "searches.sqlite",
            threads=self._threads,
            hooks=hooks,
        )

    def evaluate(self, model_id: str, version: int | None = None) -> Evaluation:
        """Judge a version by what it predicted out of sample, on the market as it is known today.

        Raises
        ------
        NotFound
            If there is no such version, or its predictions are not kept.
        """
        model = self.registry.load(self.registry.get(model_id, version))
        basis = Basis.of(model.version)
        universe = model.spec.universe.model_copy(update={"where": basis.where})
        came = outcomes(self._data, self._factors, universe, basis.label)
        axes = came.market.raw.times, came.market.raw.symbols
        return judge(
            self._kept.read(model.version, *axes),
            came.market,
            came.labels.values,
            horizon=basis.horizon,
            name=model_id,
            task=model.spec.task,
            probabilities=self._kept.read_probabilities(model.version, *axes, model.predictor.classes),
            trials=basis.trials,
        )

    def predict(
        self,
        model_id: str,
        trade_date: WhenLike,
        symbols: Sequence[str] | None = None,
        *,
        version: int | None = None,
        in_sample: bool = False,
        save: bool = False,
    ) -> pa.Table:
        """Predict from what was known at the close of a day.

        Parameters
        ----------
        model_id : str
        trade_date : day
            A day with bars.
        symbols : sequence of str, optional
            Whose rows are wanted; ranks are among all names that one may choose that day.
        version : int, optional
            The one in production unless given, or else the newest candidate.
        in_sample : bool
            Allow a day of which the model has seen a part of what came.
        save : bool
            Write all predictions of the day into the store, over those of the same model, day and name.

        Returns
        -------
        pyarrow.Table
            Rows of the `predictions` dataset, the best first. `predicted_return` is what the label means: a return, a
            rank, a score or the expected class. `probability_score` is the probability of the highest class, or else
            the share of other names predicted lower. `rank_score` is 1 for the best; equal predictions share a
            rank, and the next one follows without a gap (dense).

        Raises
        ------
        NotFound
            If there is no such model, no bars on that day, or nothing to choose: never another day's answer.
            Also if a symbol could not be chosen that day, or has no value of any feature.
        InvalidRequest
            If the model has seen a label that was known only later than that day's close.
        """
        day = _day(trade_date)
        model = self._load(model_id, version)
        known = Basis.of(model.version).known
        if day < known and (save or not in_sample):
            raise InvalidRequest(
                f"{model.version.label} has learnt from what was known on {known}: what it says of {day} is no "
                f"prediction{', and is not saved' if in_sample else ''}; ask for {known} or a later day, or say that a "
                "look back is meant (in_sample) and save nothing"
            )
        table = predictions_of(model, day, *self._today(model, day))
        if not table.num_rows:
            raise NotFound(f"no name has a value of any feature of {model.version.label} on {day}")
        wanted = parse_symbols(symbols, self._data.limits)
        if wanted is not None:
            _check_there(wanted, table["symbol"].to_pylist(), model, day)
        if save:
            self._data.write(PREDICTIONS, table)
        return table if wanted is None else table.filter(pc.is_in(table["symbol"], pa.array(list(wanted))))

    def explain(
        self, model_id: str, trade_date: WhenLike, symbols: Sequence[str], *, version: int | None = None
    ) -> list[Explained]:
        """Say what each feature adds to the predictions of some names on a day, be it one that it learnt from.

        Raises
        ------
        NotFound
            If there is no such model, no bars on that day, or a symbol could not be chosen then, or has no value of
            any feature.
        InvalidRequest
            If no symbol is named.
        """
        day = _day(trade_date)
        model = self._load(model_id, version)
        names, features = self._today(model, day)
        wanted = parse_symbols(symbols, self._data.limits)
        if not wanted:
            raise InvalidRequest("name the symbols whose predictions are to be explained")
        _check_there(wanted, names[any_known(features)].tolist(), model, day)
        rows = np.searchsorted(names, np.array(wanted, dtype=np.str_))
        return explained(model.predictor, model.scaler, features[rows], tuple(model.digests), list(wanted))

    def drift(self, model_id: str, trade_date: WhenLike, *, version: int | None = None) -> tuple[Drift, ...]:
        """Compare the features of a day with those that the model learnt from."""
        model = self._load(model_id, version)
        _, features = self._today(model, _day(trade_date))
        return drift_of(model.reference, tuple(model.digests), features)

    def health(self, model_id: str, version: int | None = None) -> Health:
        """Compare the stored predictions of a model with the validation of a version of it.

        What counts are days of which that version had not seen what came. The store does not tell which version
        predicted: on days before a version served, that may have been the one before it.

        Raises
        ------
        NotFound
            If there is no such model, or none of its predictions of such days are stored.
        InvalidRequest
            If the version was not found to predict when it was validated: there is nothing to be lost.
        """
        chosen = self.registry.get(model_id, version)
        basis, validated = Basis.of(chosen), validated_in(chosen)
        columns = ("model_id", "predicted_return")
        rows = self._data.read(Query(PREDICTIONS, None, basis.known, None, columns))
        market = load_market(self._data)
        live = laid_out(rows, model_id, market.raw.times, market.raw.symbols)
        if np.isnan(live).all():
            raise NotFound(
                f"no prediction of {model_id} for {basis.known} or a later day is stored; predict with save, day by day"
            )
        rank_ic = rank_ic_by_day(live, market.market, basis.horizon)
        since = market.raw.times >= np.datetime64(basis.known)
        return health_of(market.raw.times[since], rank_ic[since], validated)

    def compare(
        self,
        model_id: str,
        *,
        challenger: int | None = None,
        champion: int | None = None,
        other: str | None = None,
    ) -> Contest:
        """Set a challenger beside the champion, by what both predicted out of sample on the same days.

        Parameters
        ----------
        model_id : str
            Of the champion.
        challenger : int, optional
            The newest version unless given.
        champion : int, optional
            The version in production unless given.
        other : str, optional
            Model of the challenger, if it is another one. Both are judged by the champion's horizon.

        Raises
        ------
        NotFound
            If there is no such version, or what one of them predicted out of sample is not kept.
        InvalidRequest
            If both are the same version.
        """
        first = (
            self.registry.get(model_id, stage=PRODUCTION)
            if champion is None
            else self.registry.get(model_id, champion)
        )
        if challenger is None and (versions := self.registry.list(other or model_id)):
            challenger = versions[-1].version
        second = self.registry.get(other or model_id, challenger)
        if (first.id, first.version) == (second.id, second.version):
            raise InvalidRequest(f"{first.label} is both champion and challenger; name another version")
        market = load_market(self._data)
        axes = market.raw.times, market.raw.symbols
        horizon = Basis.of(first).horizon
        both = paired_rank_ics(
            self._kept.read(first, *axes), self._kept.read(second, *axes), market.market, horizon
        )
        return contest_of(*both, horizon)

    def promote(
        self, model_id: str, version: int, *, reason: str, actor: str = SOMEBODY, stage: str = PRODUCTION
    ) -> ModelVersion:
        """Bring a version to a stage; see `ModelRegistry.promote`."""
        return self.registry.promote(model_id, version, stage, reason=reason, actor=actor)

    def _load(self, model_id: str, version: int | None) -> LoadedModel:
        """Return a version, the one that serves, or the newest candidate where none is in production."""
        chosen = self.registry.get(model_id, version)
        if version is not None or chosen.stage != PRODUCTION:
            return self.registry.load(chosen)
        serving = self.registry.serving(model_id)
        if serving.problem:
            logger.warning("%s", serving.problem)
        return serving.model

    def _today(self, model: LoadedModel, day: date) -> tuple[np.ndarray, np.ndarray]:
        """Return the names that a model may choose on a day, sorted, and what it sees of them."""
        basis = Basis.of(model.version)
        names, features = today(
            self._data, self._factors, model.spec, day, expressions=basis.expressions, where=basis.where
        )
        if not len(names):
            raise NotFound(f"no name was investable and in the universe of {model.version.label} on {day}")
        return names, features


def _day(trade_date: WhenLike) -> date:
    when = parse_when(trade_date, "trade_date")
    if when is None:
        raise InvalidRequest("a prediction needs a trade_date")
    return day_of(when)


def _check_there(wanted: Sequence[str], there: Sequence[str], model: LoadedModel, day: date) -> None:
    missing = sorted(set(wanted) - set(there))
    if missing:
        shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise NotFound(
            f"{model.version.label} says nothing of {shown} on {day}: valid are the {len(there)} names that were "
            "investable, in its universe, and have a value of some feature"
        )


def _doubt(found: Evaluation, contest: Contest) -> str:
    """Return why a version that was trained anew does not take the place of the one in production, or nothing."""
    if found.verdict in _UNPROVEN:
        return reason_of(found).en
    gap = contest.difference
    # NaN if no day is in common, or if the gap is the same on all of them, as where both predicted the same.
    no_worse = gap.mean >= 0 if math.isnan(gap.below) else gap.below > _WORSE
    return "" if no_worse and gap.count >= LEAST_DAYS else contest.reason.en


def _judged(trained: Trained, assembled: Assembled, trials: int) -> Evaluation:
    spec = trained.spec
    return judge(
        trained.predictions,
        assembled.market,
        assembled.labels.values,
        horizon=assembled.labels.reach if spec.label.kind == "expression" else spec.label.horizon,
        name=spec.id,
        task=spec.task,
        probabilities=trained.probabilities,
        trials=trials,
    )
