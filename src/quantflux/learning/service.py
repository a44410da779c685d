"""Models on the data of an installation: trained, judged, kept, used and watched."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from quantflux.core.errors import InvalidRequest, NotFound, UnknownSymbol
from quantflux.data.access import DataAccessLayer
from quantflux.data.contract import Query, day_of
from quantflux.data.request import WhenLike, parse_symbols, parse_when
from quantflux.data.schema import PREDICTIONS
from quantflux.factors.engine import FactorEngine
from quantflux.factors.market_data import MarketData, load_market
from quantflux.factors.stored import Hooks as ValueHooks
from quantflux.learning.assembly import Assembled, assemble, today
from quantflux.learning.drift import Drift, drift_of
from quantflux.learning.evaluation import Evaluation, judge, rank_ic_by_day
from quantflux.learning.explanation import Explained, Explanation, explain, explained
from quantflux.learning.monitoring import (
    Contest,
    Health,
    Recommendation,
    Validated,
    contest_of,
    health_of,
    paired_rank_ics,
    validated_of,
)
from quantflux.learning.out_of_sample import OutOfSample
from quantflux.learning.registry import (
    PRODUCTION,
    LoadedModel,
    ModelRegistry,
    ModelVersion,
    Training,
    canaries_of,
    reference_of,
)
from quantflux.learning.specification import ModelSpec, specification_of
from quantflux.learning.training import FoldResult, Hooks, Trained, train, with_shuffled_labels
from quantflux.learning.tuning import Hooks as TuningHooks
from quantflux.learning.tuning import TuningResult, tune

SOMEBODY = "local"
"""Who did it where nobody says."""

_SEEN = (
    "sees"  # of a version's figures: what its features and its universe mean, with no name of a factor left
)
_MOST_TOLD = 50


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
        """Do what `train` does beside the event loop; a mapping is read as a model file is."""
        spec = model_config if isinstance(model_config, ModelSpec) else specification_of(model_config)
        return await asyncio.to_thread(self.train, spec, actor=actor)

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
        """
        assembled = assemble(self._data, self._factors, spec, hooks=value_hooks)
        trained = train(assembled, spec, threads=self._threads, hooks=hooks)
        trials = len(self.registry.list(spec.id)) + 1
        evaluation = _judged(spec, trained.predictions, assembled, trials)
        lucky = None
        if control:
            shuffled = with_shuffled_labels(assembled, spec.seed)
            placebo = train(shuffled, spec, threads=self._threads, hooks=hooks)
            lucky = _judged(spec, placebo.predictions, assembled, 1)
        explanation = explain(trained.predictor, trained.scaler, trained.sample)
        about = _about(assembled, trained, evaluation, lucky, explanation)
        version = self.registry.add(
            spec, trained.predictor, trained.scaler, about, actor=actor, reason=reason
        )
        self._kept.keep(version, assembled.dataset.days, assembled.dataset.symbols, trained.predictions)
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

        Parameters
        ----------
        promote : bool
            Bring the new version to production if it is better by more than chance.

        Returns
        -------
        TrainedModel
        Contest or None
            None if no version is in production.
        """
        spec = self.spec(model_id)
        spec = spec.model_copy(update={"universe": spec.universe.model_copy(update={"end": None})})
        made = self.train(spec, actor=actor, reason="trained anew", hooks=hooks, value_hooks=value_hooks)
        try:
            contest = self.compare(model_id, challenger=made.version.version)
        except NotFound:
            return made, None
        if promote and contest.recommendation is Recommendation.PROMOTE:
            said = f"better than the version before it: {contest.reason.en}"[:500]
            version = self.promote(model_id, made.version.version, reason=said, actor=actor)
            made = replace(made, version=version)
        return made, contest

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

    def spec(self, model_id: str, version: int | None = None) -> ModelSpec:
        """Return the description of a version, or of the newest one."""
        versions = self.registry.list(model_id)
        if version is None and versions:
            version = versions[-1].version
        return self._load(model_id, version).spec

    def evaluate(self, model_id: str, version: int | None = None) -> Evaluation:
        """Judge a version by what it predicted out of sample, on the market as it is known today.

        Raises
        ------
        NotFound
            If there is no such version, or its predictions are not kept.
        """
        model = self._load(model_id, version)
        market = load_market(self._data, model.spec.universe.start, model.spec.universe.end)
        scores = self._kept.read(model.version, market.raw.times, market.raw.symbols)
        outcomes = assemble(self._data, self._factors, model.spec).labels.values
        return judge(
            scores, market, outcomes, horizon=model.spec.label.horizon, name=model_id, task=model.spec.task
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
            Allow a day from which the model has learnt.
        save : bool
            Write all predictions of the day into the store; those of the same model and day are replaced.

        Returns
        -------
        pyarrow.Table
            Rows of the `predictions` dataset, the best first. `predicted_return` is what the label means: a return, a
            rank, a score or the expected class. `probability_score` is the probability of the highest class, or else
            the share of names predicted lower. `rank_score` is 1 for the best; equal predictions share a rank.

        Raises
        ------
        NotFound
            If there is no such model, no bars on that day, or nothing to choose: never another day's answer.
        InvalidRequest
            If the model has learnt from that day.
        UnknownSymbol
            If a symbol could not be chosen that day.
        """
        day = _day(trade_date)
        model = self._load(model_id, version)
        if day <= model.version.last and not in_sample:
            raise InvalidRequest(
                f"{model.version.label} has learnt from {model.version.first} to {model.version.last}: what it says of "
                f"{day} is no prediction; ask for a later day, or say that a look back is meant (in_sample)"
            )
        names, features = self._today(model, day)
        table = _predictions(model, day, names, features)
        if save:
            self._data.write(PREDICTIONS, table)
        wanted = parse_symbols(symbols, self._data.limits)
        if wanted is None:
            return table
        missing = sorted(set(wanted) - set(names.tolist()))
        if missing:
            raise UnknownSymbol(missing, f"the names that {model.version.label} may choose on {day}", [])
        return table.filter(pa.compute.is_in(table["symbol"], value_set=pa.array(list(wanted))))

    def explain(
        self, model_id: str, trade_date: WhenLike, symbols: Sequence[str], *, version: int | None = None
    ) -> list[Explained]:
        """Say what each feature adds to the predictions of some names on a day. Raises what `predict` does."""
        day = _day(trade_date)
        model = self._load(model_id, version)
        names, features = self._today(model, day)
        wanted = parse_symbols(symbols, self._data.limits) or ()
        missing = sorted(set(wanted) - set(names.tolist()))
        if missing:
            raise UnknownSymbol(missing, f"the names that {model.version.label} may choose on {day}", [])
        rows = np.searchsorted(names, np.array(wanted, dtype=np.str_))
        return explained(model.predictor, model.scaler, features[rows], tuple(model.digests), list(wanted))

    def drift(self, model_id: str, trade_date: WhenLike, *, version: int | None = None) -> tuple[Drift, ...]:
        """Compare the features of a day with those that the model learnt from."""
        model = self._load(model_id, version)
        _, features = self._today(model, _day(trade_date))
        return drift_of(model.reference, tuple(model.digests), features)

    def health(self, model_id: str) -> Health:
        """Compare the stored predictions of a model with its validation, on the days that it has not learnt from.

        Raises
        ------
        NotFound
            If there is no such model, or none of its predictions of such days are stored.
        """
        model = self._load(model_id, None)
        market = load_market(self._data)
        live = self._stored(model, market)
        rank_ic = rank_ic_by_day(live, market.market, model.spec.label.horizon)
        after = market.raw.times > np.datetime64(model.version.last)
        validated = Validated.from_dict(model.version.figures["validated"])
        return health_of(market.raw.times[after], rank_ic[after], validated)

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
            Model of the challenger, if it is another one.
        """
        first = (
            self.registry.get(model_id, stage=PRODUCTION)
            if champion is None
            else self.registry.get(model_id, champion)
        )
        versions = self.registry.list(other or model_id)
        second = (
            self.registry.get(other or model_id, challenger)
            if challenger is not None or not versions
            else versions[-1]
        )
        if first == second:
            raise InvalidRequest(f"{first.label} is both champion and challenger; name another version")
        market = load_market(self._data)
        axes = market.raw.times, market.raw.symbols
        horizon = self._load(first.id, first.version).spec.label.horizon
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
        if version is None:
            chosen = self.registry.get(model_id)
            if chosen.stage == PRODUCTION:
                return self.registry.serving(model_id).model
            return self.registry.load(chosen)
        return self.registry.load(self.registry.get(model_id, version))

    def _today(self, model: LoadedModel, day: date) -> tuple[np.ndarray, np.ndarray]:
        sees = model.version.figures[_SEEN]
        names, features = today(
            self._data,
            self._factors,
            model.spec,
            day,
            expressions=sees["expressions"],
            where=sees["where"],
        )
        if not len(names):
            raise NotFound(f"no name was investable and in the universe of {model.version.label} on {day}")
        return names, features

    def _stored(self, model: LoadedModel, market: MarketData) -> np.ndarray:
        """Return the stored predictions of a model, shape (T, N)."""
        rows = self._data.read(
            Query(PREDICTIONS, None, model.version.last, None, ("model_id", "predicted_return"))
        )
        rows = rows.filter(pa.compute.equal(rows["model_id"], model.version.id))
        if not rows.num_rows:
            raise NotFound(
                f"no prediction of {model.version.id} for a day after {model.version.last} is stored; predict with "
                "save, day by day"
            )
        times, symbols = market.raw.times, market.raw.symbols
        found = np.full((len(times), len(symbols)), np.nan)
        names = np.array(rows["symbol"].to_pylist(), dtype=np.str_)
        days = rows["trade_date"].to_numpy().astype("datetime64[D]")
        row = np.minimum(np.searchsorted(times, days), len(times) - 1)
        column = np.minimum(np.searchsorted(symbols, names), len(symbols) - 1)
        here = (times[row] == days) & (symbols[column] == names)
        found[row[here], column[here]] = rows["predicted_return"].to_numpy().astype(np.float64)[here]
        return found


def _day(trade_date: WhenLike) -> date:
    when = parse_when(trade_date, "trade_date")
    if when is None:
        raise InvalidRequest("a prediction needs a trade_date")
    return day_of(when)


def _judged(spec: ModelSpec, predictions: np.ndarray, assembled: Assembled, trials: int) -> Evaluation:
    return judge(
        predictions,
        assembled.market,
        assembled.labels.values,
        horizon=assembled.labels.reach if spec.label.kind == "expression" else spec.label.horizon,
        name=spec.id,
        task=spec.task,
        trials=trials,
    )


def _about(
    assembled: Assembled,
    trained: Trained,
    evaluation: Evaluation,
    control: Evaluation | None,
    explanation: Explanation,
) -> Training:
    """Return what the registry keeps beside a model."""
    days, sample = assembled.dataset.days, trained.sample
    order = np.argsort(-explanation.strength, kind="stable")[:_MOST_TOLD]
    figures: dict[str, Any] = {
        "verdict": evaluation.verdict.value,
        **evaluation.figures,
        "validated": validated_of(evaluation.rank_ic, evaluation.horizon).to_dict(),
        "folds": [vars_of(fold) for fold in trained.folds],
        "strongest": [
            {
                "feature": explanation.names[i],
                "strength": explanation.strength[i],
                "direction": explanation.direction[i],
            }
            for i in order
        ],
        _SEEN: {"expressions": assembled.expressions, "where": assembled.where},
        "notes": list(assembled.notes),
    }
    if control is not None:
        figures["control"] = {"verdict": control.verdict.value, **control.figures}
    return Training(
        digests=assembled.digests,
        data_versions=assembled.versions,
        first=days[sample.row[0]].item(),
        last=days[sample.row[-1]].item(),
        cells=len(sample),
        figures=figures,
        canaries=canaries_of(sample),
        reference=reference_of(sample),
    )


def vars_of(fold: FoldResult) -> dict[str, Any]:
    """Return a fold as plain values."""
    return {
        "number": fold.number,
        "train": [str(day) for day in fold.train],
        "test": [str(day) for day in fold.test],
        "cells": fold.cells,
        "rounds": fold.rounds,
        "seconds": round(fold.seconds, 3),
        "valid_ic": fold.valid_ic,
        "test_ic": fold.test_ic,
    }


def _predictions(model: LoadedModel, day: date, names: np.ndarray, features: np.ndarray) -> pa.Table:
    """Return the rows of the day, the best first."""
    scaled = model.scaler.apply(features)
    found = model.predictor.predict(scaled)
    known = np.flatnonzero(np.isfinite(found))
    found = found[known]
    levels, place = np.unique(-found, return_inverse=True)  # the best first
    if model.spec.task == "classification":
        chance = model.predictor.probabilities(scaled[known])[:, -1]
    else:
        chance = np.searchsorted(np.sort(found), found) / max(len(found) - 1, 1)
    del levels
    order = np.lexsort((names[known], place))
    return pa.table(
        {
            "symbol": pa.array(names[known][order].tolist(), pa.string()),
            "trade_date": pa.repeat(pa.scalar(day), len(order)),
            "model_id": pa.repeat(pa.scalar(model.version.id), len(order)),
            "predicted_return": found[order],
            "probability_score": chance[order],
            "rank_score": place[order] + 1,
        }
    ).cast(PREDICTIONS.schema)
