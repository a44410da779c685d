"""Models from training to watching, on a small invented market in memory."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from quantflux.core.clock import FixedClock
from quantflux.core.errors import Cancelled, InvalidRequest, NotFound, StoreCorrupt, StoreUnavailable
from quantflux.data.access import DataAccessLayer
from quantflux.data.adapters.memory import open_store
from quantflux.data.schema import DAILY, INSTRUMENTS
from quantflux.data.sources.synthetic import SyntheticMarket
from quantflux.factors.engine import FactorEngine
from quantflux.factors.registry import FactorRegistry
from quantflux.factors.stored import Hooks as ValueHooks
from quantflux.factors.stored import ValueKeeper
from quantflux.learning import service
from quantflux.learning.assembly import Assembled, assemble
from quantflux.learning.evaluation import Verdict
from quantflux.learning.findings import Basis, folds_in, trials_of
from quantflux.learning.monitoring import Contest, State, contest_of
from quantflux.learning.predictions import laid_out
from quantflux.learning.registry import CANDIDATE, PRODUCTION, RETIRED, ModelRegistry
from quantflux.learning.service import MLService, TrainedModel
from quantflux.learning.specification import ModelSpec, specification_of
from quantflux.learning.training import Hooks
from quantflux.learning.tuning import Hooks as TuningHooks
from tests.learning.in_process import tried_here  # noqa: F401 - a fixture

CLOCK = FixedClock(datetime(2041, 1, 1, tzinfo=UTC))
FIRST, LAST = date(2022, 1, 4), date(2023, 3, 31)
LATER = 25  # days that the store gets after the models were trained
FEATURES = ["fall", "ts_std(close / delay(close, 1), 10)", "log(amount)"]
MODEL: dict[str, Any] = {
    "id": "tried",
    "kind": "ridge",
    "features": {"names": FEATURES, "scale": "standard", "missing": "median"},
    "label": {"horizon": 2},
    "split": {"train": 100, "valid": 20, "test": 50},
}


def spec_of(**sections: Any) -> ModelSpec:
    return specification_of(MODEL | sections)


def telling(bars: pa.Table) -> pa.Table:
    """Return bars whose amounts tell a little of what names will earn: that is to be found."""
    rows = bars.to_pandas(date_as_object=False)
    rows["open"] *= rows["adj_factor"]
    opens = rows.pivot(index="trade_date", columns="symbol", values="open").ffill()
    ahead = (opens.shift(-3) / opens.shift(-1) - 1).fillna(0)
    told = ahead + np.random.default_rng(4).normal(0, 3 * ahead.to_numpy().std(), ahead.shape)
    amounts = np.exp(17 + 5 * told).stack().loc[pd.MultiIndex.from_frame(rows[["trade_date", "symbol"]])]
    return bars.set_column(bars.column_names.index("amount"), "amount", pa.array(amounts.to_numpy()))


class Place:
    """A store to which days are added, and a service on it."""

    def __init__(self, folder: Path) -> None:
        source = SyntheticMarket(seed=11, companies=40, start=FIRST, end=LAST)
        self.bars = telling(pa.concat_tables(source.daily_tables()))
        self.days = pc.unique(self.bars["trade_date"]).sort().to_pylist()
        self.data = DataAccessLayer(open_store(clock=CLOCK), None, clock=CLOCK)
        self.data.write(INSTRUMENTS, source.instruments())
        self.there = 0
        self.add(len(self.days) - LATER)
        registry = FactorRegistry(None, CLOCK)
        registry.define("fall", "1 - close / delay(close, 1)")
        self.factors = FactorEngine(
            self.data, registry, ValueKeeper(self.data, folder / "values", threads=1), threads=1
        )
        self.folder = folder / "models"
        self.models = MLService(
            self.data, self.factors, ModelRegistry(self.folder, CLOCK), self.folder, threads=1
        )

    def add(self, count: int) -> list[date]:
        """Let the bars of the next days come."""
        new = self.days[self.there : self.there + count]
        self.data.write(DAILY, self.bars.filter(pc.is_in(self.bars["trade_date"], pa.array(new))))
        self.there += count
        return new

    @property
    def last(self) -> date:
        return self.days[self.there - 1]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("place"))


@pytest.fixture(scope="module")
def made(place: Place) -> TrainedModel:
    """A model of all days before the later ones."""
    return place.models.train(spec_of(universe={"end": str(place.days[-1 - LATER])}), control=True)


@pytest.fixture(scope="module")
def served(place: Place, made: TrainedModel) -> tuple[list[date], list[pa.Table]]:
    """Later days, and what the model said of each at its close, when nothing later was there; saved."""
    known = Basis.of(made.version).known
    first = place.models.predict("tried", known, save=True)
    days, told = [known], [first]
    for _ in range(LATER):
        days += place.add(1)
        told.append(place.models.predict("tried", days[-1], save=True))
    return days, told


def frame(table: pa.Table) -> pd.DataFrame:
    return table.to_pandas().set_index("symbol")


# Training


def test_a_trained_model_is_a_candidate_with_all_that_is_known_of_it(
    place: Place, made: TrainedModel
) -> None:
    version = place.models.registry.get("tried", 1)

    assert (made.version, version.stage) == (version, CANDIDATE)
    assert version.figures["verdict"] == made.evaluation.verdict.value == Verdict.FOUND.value
    assert made.control is not None and made.control.verdict is Verdict.NOISE
    assert version.figures["control"]["rank_ic"] == made.control.figures["rank_ic"]
    assert version.figures["rank_ic"] == made.evaluation.figures["rank_ic"]
    assert list(Basis.of(version).expressions) == FEATURES
    assert Basis.of(version).expressions["fall"] == "mask(1 - close / delay(close, 1), close)"
    assert [fold.test for fold in folds_in(version)] == [fold.test for fold in made.folds]
    assert len(version.figures["strongest"]) == 3
    days = place.days[: len(place.days) - LATER]
    assert Basis.of(version).known == days[-1]
    assert version.last == days[-1 - 3]  # bought at the next open, sold two days later
    assert version.first >= days[0] and version.cells > 2_000


def test_judged_again_it_is_what_it_was(place: Place, made: TrainedModel) -> None:
    found = place.models.evaluate("tried")

    assert found.verdict is made.evaluation.verdict
    assert found.significance == made.evaluation.significance
    assert found.figures == pytest.approx(made.evaluation.figures, nan_ok=True)
    with pytest.raises(NotFound, match="has no version 9"):
        place.models.evaluate("tried", 9)


@pytest.mark.parametrize(
    ("sections", "folds"),
    [
        (
            {
                "kind": "lightgbm",
                "task": "classification",
                "parameters": {"n_estimators": 5, "min_data_in_leaf": 20},
                "label": {"horizon": 2, "transform": "class", "classes": 3},
                "split": {"kind": "purged_kfold", "folds": 2, "valid": 10},
            },
            2,
        ),
        (
            {
                "kind": "ensemble",
                "task": "ranking",
                "members": [
                    {"kind": "lightgbm", "parameters": {"n_estimators": 5}, "seed": n} for n in (1, 2)
                ],
                "label": {"kind": "expression", "expression": "lead(close, 3) / close - 1"},
                "split": {"kind": "combinatorial", "groups": 3, "tests": 1},
                "weights": {"half_life": 50, "equal_days": True},
                "universe": {"where": "ts_mean(amount, 20) > 0.5 * row_median(amount)"},
            },
            3,
        ),
    ],
    ids=["classification", "ranking"],
)
def test_other_tasks_and_splits(place: Place, sections: dict[str, Any], folds: int) -> None:
    spec = spec_of(**sections, id=sections["task"])

    told = place.models.train(spec)

    assert len(told.folds) == folds and all(fold.cells > 1_000 for fold in told.folds)
    assert told.evaluation.verdict in set(Verdict) and told.evaluation.horizon == (3 if folds == 3 else 2)
    again = place.models.evaluate(spec.id)
    assert again.horizon == told.evaluation.horizon
    assert again.significance == told.evaluation.significance
    np.testing.assert_array_equal(again.label_ic, told.evaluation.label_ic)
    rows = frame(place.models.predict(spec.id, place.last, in_sample=True))
    assert rows["rank_score"].iloc[0] == 1 and rows["predicted_return"].is_monotonic_decreasing
    if spec.task == "classification":
        assert told.evaluation.reliability is not None and again.reliability is not None
        assert len(told.evaluation.reliability.curves) == 3
        assert told.version.figures["brier"] == told.evaluation.reliability.brier < 1
        assert again.figures == pytest.approx(told.evaluation.figures, nan_ok=True)
        file = place.folder / "out_of_sample" / spec.id / "1.parquet"
        older = pq.read_table(file, columns=["symbol", "trade_date", "prediction"])
        pq.write_table(older, file)  # as of a model that was trained before they were kept
        assert place.models.evaluate(spec.id).reliability is None
        assert rows["predicted_return"].between(0, 2).all()
        assert (rows["probability_score"].between(0, 1)).all() and rows["probability_score"].iloc[0] < 1
    (why,) = place.models.explain(spec.id, place.last, [rows.index[3]])
    assert why.prediction == pytest.approx(rows["predicted_return"].iloc[3], abs=1e-6)


def test_predictions_of_another_model_with_the_same_number_are_not_taken(place: Place) -> None:
    """As after older rows of the registry were brought back, and a version was imported under a number used before."""
    version = place.models.train(spec_of(id="numbered")).version
    file = place.folder / "out_of_sample" / "numbered" / "1.parquet"
    table = pq.read_table(file)
    assert table.schema.metadata[b"manifest"] == version.digest.encode()

    pq.write_table(table.replace_schema_metadata({"manifest": "0" * 64}), file)

    with pytest.raises(NotFound, match="predicted out of sample is not kept here"):
        place.models.evaluate("numbered")


def test_what_was_cancelled_leaves_nothing(place: Place) -> None:
    told: list[int] = []
    hooks = Hooks(folds=lambda done, total: told.append(done), cancelled=lambda: len(told) > 2)

    with pytest.raises(Cancelled):
        place.models.train(spec_of(id="cancelled"), hooks=hooks)

    assert not place.models.registry.list("cancelled")
    assert not list(place.folder.rglob("*cancelled*"))


def test_what_was_cancelled_after_the_last_fit_leaves_nothing(place: Place) -> None:
    steps: list[tuple[int, int]] = []
    hooks = Hooks(
        folds=lambda done, total: steps.append((done, total)),
        cancelled=lambda: bool(steps) and steps[-1][0] == steps[-1][1],
    )

    with pytest.raises(Cancelled):
        place.models.train(spec_of(id="late"), hooks=hooks)

    assert not place.models.registry.list("late")
    assert not list(place.folder.rglob("*late*"))


def test_a_model_whose_predictions_cannot_be_kept_is_not_kept(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*told: Any) -> None:
        raise StoreUnavailable("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(place.models._kept, "keep", full)
        with pytest.raises(StoreUnavailable, match="no space left"):
            place.models.train(spec_of(id="half"))

    assert not place.models.registry.list("half")
    assert not list((place.folder / "models" / "half").iterdir())
    assert place.models.train(spec_of(id="half")).version.version == 1
    assert place.models.evaluate("half").verdict in set(Verdict)


def test_whoever_stops_waiting_cancels_the_computation_of_features(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, ended = threading.Event(), []

    def computing(*told: Any, hooks: ValueHooks) -> Assembled:
        begun.set()
        for _ in range(500):
            if hooks.cancelled():
                ended.append("cancelled")
                raise Cancelled("the computation was cancelled")
            time.sleep(0.01)
        raise AssertionError("nobody cancelled it")

    monkeypatch.setattr(service, "assemble", computing)

    async def impatient() -> None:
        task = asyncio.create_task(place.models.train_model_async(MODEL))
        await asyncio.to_thread(begun.wait, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(impatient())  # waits for the thread

    assert ended == ["cancelled"]


def test_whoever_stops_waiting_cancels_the_training(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []
    train = place.models.train

    def noting(*arguments: Any, **options: Any) -> TrainedModel:
        try:
            return train(*arguments, **options)
        except Cancelled:
            ended.append("cancelled")
            raise

    monkeypatch.setattr(place.models, "train", noting)

    async def impatient() -> None:
        task = asyncio.create_task(place.models.train_model_async(MODEL | {"id": "impatient"}))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(impatient())  # waits for the thread

    assert ended == ["cancelled"] and not place.models.registry.list("impatient")
    with pytest.raises(InvalidRequest, match="kind: found"):
        asyncio.run(place.models.train_model_async(MODEL | {"kind": "tree"}))


def test_a_model_that_says_the_same_of_all_is_kept_and_cannot_be_watched(place: Place) -> None:
    async def waited() -> TrainedModel:
        spec = MODEL | {"id": "constant", "kind": "lasso", "parameters": {"alpha": 1e6}}
        return await place.models.train_model_async(spec, actor="ada")

    told = asyncio.run(waited())

    assert told.evaluation.verdict is Verdict.UNKNOWN and told.version.actor == "ada"
    rows = frame(place.models.predict("constant", place.last, in_sample=True))
    assert rows["predicted_return"].nunique() == 1 and set(rows["rank_score"]) == {1}
    with pytest.raises(InvalidRequest, match="no validated RankIC"):
        place.models.health("constant")


def test_other_models_on_the_same_days_are_trials_and_the_same_one_anew_is_none(made: TrainedModel) -> None:
    def again(spec: ModelSpec) -> int:
        return trials_of(spec, [made.version])

    assert again(spec_of()) == again(spec_of(name="another", universe={"start": "2022-02-01"})) == 1
    assert again(spec_of(seed=3)) == again(spec_of(parameters={"alpha": 0.1})) == 2


# Predicting


def test_a_prediction_is_of_its_day_alone_whatever_came_later(
    place: Place, served: tuple[list[date], list[pa.Table]]
) -> None:
    days, told = served

    assert len(days) == LATER + 1
    for day, table in zip(days, told, strict=True):
        assert set(table["trade_date"].to_pylist()) == {day}
        assert place.models.predict("tried", day).equals(table)


def test_predictions_are_of_the_features_of_the_day(
    place: Place, made: TrainedModel, served: tuple[list[date], list[pa.Table]]
) -> None:
    days, told = served
    whole = assemble(place.data, place.factors, spec_of())
    row = int(np.searchsorted(whole.market.raw.times, np.datetime64(days[5])))
    columns = np.flatnonzero(whole.chosen[row])
    seen = whole.dataset.features.gather(np.full(len(columns), row), columns)
    loaded = place.models.registry.load(made.version)

    expected = pd.Series(loaded.predict(seen), whole.market.raw.symbols[columns])

    rows = frame(told[5])
    assert set(rows.index) == set(expected.index) and len(rows) > 30
    np.testing.assert_allclose(rows["predicted_return"], expected[rows.index], rtol=1e-6)
    ranks = rows["predicted_return"].rank(ascending=False, method="dense")
    lower = (rows["predicted_return"].rank(method="min") - 1) / (len(rows) - 1)
    assert rows["rank_score"].tolist() == ranks.tolist()
    np.testing.assert_allclose(rows["probability_score"], lower)


def test_a_day_is_never_taken_for_another(place: Place, made: TrainedModel) -> None:
    known = Basis.of(made.version).known
    ask: Callable[..., pa.Table] = place.models.predict

    with pytest.raises(NotFound, match=r"no bars on 2023-01-01.*nearest: 2022-12-30 and 2023-01-03"):
        ask("tried", "2023-01-01", in_sample=True)
    with pytest.raises(NotFound, match="no bars on 2030-01-02"):
        ask("tried", "2030-01-02")
    for day in (made.version.first, made.version.last, known - timedelta(days=1)):
        with pytest.raises(InvalidRequest, match=f"learnt from what was known on {known}"):
            ask("tried", day)
    seen = ask("tried", made.version.last, in_sample=True)
    assert set(seen["trade_date"].to_pylist()) == {made.version.last}
    with pytest.raises(InvalidRequest, match="is not saved"):
        ask("tried", made.version.last, in_sample=True, save=True)
    assert ask("tried", known).num_rows > 30
    with pytest.raises(NotFound, match="no model is called 'other'"):
        ask("other", known)


def test_symbols_choose_rows_and_nothing_else(place: Place, made: TrainedModel) -> None:
    day = Basis.of(made.version).known
    rows = place.models.predict("tried", day)
    names = rows["symbol"].to_pylist()

    found = place.models.predict("tried", day, [names[7], names[2]])

    assert found.to_pylist() == [rows.to_pylist()[2], rows.to_pylist()[7]]
    with pytest.raises(NotFound, match="says nothing of 999999"):
        place.models.predict("tried", day, ["999999.SH"])


def test_a_name_without_any_feature_has_no_prediction(
    place: Place, made: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although a median would stand for all that is missing."""
    day = Basis.of(made.version).known
    loaded = place.models.registry.load(made.version)
    assert loaded.scaler.missing == "median"
    names, features = place.models._today(loaded, day)
    features = features.copy()
    features[4] = np.nan
    monkeypatch.setattr(place.models, "_today", lambda model, day: (names, features))

    rows = frame(place.models.predict("tried", day))

    assert set(rows.index) == set(names) - {names[4]} and np.isfinite(rows["predicted_return"]).all()
    assert rows["rank_score"].max() == rows["predicted_return"].nunique()
    with pytest.raises(NotFound, match=f"says nothing of {names[4]}"):
        place.models.predict("tried", day, [str(names[4])])
    with pytest.raises(NotFound, match=f"says nothing of {names[4]}"):
        place.models.explain("tried", day, [str(names[3]), str(names[4])])
    (why,) = place.models.explain("tried", day, [str(names[3])])
    assert why.prediction == pytest.approx(rows["predicted_return"][str(names[3])], abs=1e-9)
    features[:] = np.nan
    with pytest.raises(NotFound, match="no name has a value"):
        place.models.predict("tried", day)


def test_two_threads_get_the_same_answers(place: Place, served: tuple[list[date], list[pa.Table]]) -> None:
    days, told = served
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda day: place.models.predict("tried", day), days[:6] * 2))

    assert all(one.equals(other) for one, other in zip(found, told[:6] * 2, strict=True))


def test_what_features_add_is_the_prediction(place: Place, made: TrainedModel) -> None:
    day = Basis.of(made.version).known
    rows = frame(place.models.predict("tried", day))
    wanted = [rows.index[9], rows.index[0]]

    told = place.models.explain("tried", day, wanted)

    assert {each.symbol for each in told} == set(wanted)
    for each in told:
        total = each.base + sum(part.contribution for part in each.parts)
        assert total == pytest.approx(each.prediction, abs=1e-9)
        assert each.prediction == pytest.approx(rows["predicted_return"][each.symbol], abs=1e-9)
        assert {part.feature for part in each.parts} == set(FEATURES)
    with pytest.raises(InvalidRequest, match="name the symbols"):
        place.models.explain("tried", day, [])


def test_drift_is_told_of_every_feature(place: Place, made: TrainedModel) -> None:
    found = place.models.drift("tried", Basis.of(made.version).known)

    assert [each.name for each in found] == FEATURES and all(each.index >= 0 for each in found)


# Watching


def test_health_is_of_days_that_the_version_had_not_seen(
    place: Place, made: TrainedModel, served: tuple[list[date], list[pa.Table]]
) -> None:
    days, told = served
    whole = assemble(place.data, place.factors, spec_of())
    by_day = []
    for day, table in zip(days, told, strict=True):
        came = whole.labels.values[np.searchsorted(whole.market.raw.times, np.datetime64(day))]
        predicted = frame(table)["predicted_return"]
        by_day.append(predicted.corr(pd.Series(came, whole.market.raw.symbols), method="spearman"))
    known = [value for value in by_day if np.isfinite(value)]

    health = place.models.health("tried")

    assert health.state in set(State) and health.days == len(known) == LATER + 1 - 3
    assert health.mean == pytest.approx(np.mean(known), abs=1e-9)
    assert health.times[0] == np.datetime64(Basis.of(made.version).known)


def test_predictions_of_other_models_days_and_names_are_not_laid_out() -> None:
    rows = pa.table(
        {
            "symbol": ["b", "a", "b", "x", "b"],
            "trade_date": pa.array([date(2024, 1, n) for n in (2, 3, 3, 3, 9)]),
            "model_id": ["mine", "other", "mine", "mine", "mine"],
            "predicted_return": [0.1, 0.2, 0.3, 0.4, 0.5],
        }
    )

    found = laid_out(rows, "mine", np.arange("2024-01-01", "2024-01-05", dtype="M8[D]"), np.array(["a", "b"]))

    expected = np.full((4, 2), np.nan)
    expected[[1, 2], 1] = 0.1, 0.3
    np.testing.assert_array_equal(found, expected)


def test_trained_anew_a_model_takes_the_place_of_the_one_in_production(place: Place) -> None:
    models, end = place.models, place.days[-1 - LATER - 20]
    first = models.train(spec_of(id="champion", universe={"end": str(end)})).version
    with pytest.raises(NotFound, match="in stage production"):
        models.compare("champion")
    models.promote("champion", 1, reason="the first")
    with pytest.raises(InvalidRequest, match="both champion and challenger"):
        models.compare("champion")
    with pytest.raises(NotFound, match=f"no prediction of champion for {end} or a later day"):
        models.health("champion")

    told, contest = models.retrain("champion", actor="ada", promote=True)

    assert contest is not None and contest.difference.count > 60
    assert Basis.of(first).known == end and Basis.of(told.version).known == place.last
    assert told.evaluation.significance.trials == 1
    assert told.evaluation.verdict is Verdict.FOUND and told.version.stage == PRODUCTION
    assert models.registry.get("champion", 1).stage == RETIRED
    turned = models.compare("champion", champion=2, challenger=1)
    assert turned.difference.mean == pytest.approx(-contest.difference.mean)
    (place.folder / "out_of_sample" / "champion" / "1.parquet").unlink()
    with pytest.raises(NotFound, match=r"champion version 1 .* not kept"):
        models.compare("champion", champion=1)


def test_a_worse_model_is_not_promoted(
    place: Place, made: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(place.models, "promote", lambda *told, **more: asked.append(told[1]))
    monkeypatch.setattr(place.models, "train", lambda spec, **told: made)
    production = replace(made.version, stage=PRODUCTION, version=7)
    monkeypatch.setattr(place.models.registry, "get", lambda *told, **more: production)
    monkeypatch.setattr(place.models.registry, "load", lambda version: SimpleNamespace(spec=spec_of()))
    champion = np.random.default_rng(0).normal(0.05, 0.05, 200)
    for gap in (0.02, 0.0, -0.02):
        contest = contest_of(champion, champion + np.random.default_rng(1).normal(gap, 0.02, 200), 1)
        monkeypatch.setattr(place.models, "compare", lambda *told, found=contest, **more: found)
        place.models.retrain("tried", promote=True)
        place.models.retrain("tried")

    assert asked == [1, 1]


@pytest.mark.parametrize("days", [0, 59])
def test_without_days_in_common_nothing_is_promoted(
    place: Place, made: TrainedModel, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    known = np.random.default_rng(0).normal(0.05, 0.05, 200)
    champion = np.where(np.arange(200) < days, known, np.nan)
    contest = contest_of(champion, known + np.random.default_rng(1).normal(0.0, 0.02, 200), 1)

    told = retrained_beside(place, made, contest, monkeypatch)

    assert contest.difference.count == days
    assert told.version.stage == CANDIDATE
    assert told.notes[-1].startswith("stays a candidate: ") and f"on {days} days" in told.notes[-1]


def test_with_a_verdict_of_too_little_to_tell_nothing_is_promoted(
    place: Place, made: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = replace(
        made.evaluation,
        verdict=Verdict.UNKNOWN,
        significance=replace(made.evaluation.significance, count=17),
    )
    champion = np.random.default_rng(0).normal(0.05, 0.05, 200)
    better = contest_of(champion, champion + np.random.default_rng(1).normal(0.02, 0.02, 200), 1)

    told = retrained_beside(place, replace(made, evaluation=few), better, monkeypatch)

    assert told.version.stage == CANDIDATE
    assert "17 days have a RankIC" in told.notes[-1]


def retrained_beside(
    place: Place, made: TrainedModel, contest: Contest, monkeypatch: pytest.MonkeyPatch
) -> TrainedModel:
    """What becomes of a version that was trained anew, with this contest against the one in production."""
    production = replace(made.version, stage=PRODUCTION)
    monkeypatch.setattr(place.models, "promote", lambda *told, **more: production)
    monkeypatch.setattr(place.models, "train", lambda spec, **told: made)
    monkeypatch.setattr(place.models.registry, "get", lambda *told, **more: production)
    monkeypatch.setattr(place.models.registry, "load", lambda version: SimpleNamespace(spec=spec_of()))
    monkeypatch.setattr(place.models, "compare", lambda *told, **more: contest)
    return place.models.retrain("tried", promote=True)[0]


def test_a_damaged_model_is_told_and_the_one_before_it_serves(
    place: Place, made: TrainedModel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    registry = ModelRegistry(tmp_path, CLOCK)
    for _ in range(2):
        version = registry.import_folder(made.version.folder, actor="ada")
        registry.promote("tried", version.version, PRODUCTION, reason="in turn", actor="ada")
    (version.folder / "scaler.json").write_text("{}")
    models = MLService(place.data, place.factors, ModelRegistry(tmp_path, CLOCK), tmp_path, threads=1)
    day = Basis.of(version).known

    with caplog.at_level(logging.WARNING):
        found = models.predict("tried", day)

    assert found.equals(place.models.predict("tried", day))
    assert "tried version 2 is in production but cannot be used" in caplog.text
    with pytest.raises(StoreCorrupt):
        models.predict("tried", day, version=2)


def test_basis_of_a_stranger_is_missed(made: TrainedModel) -> None:
    with pytest.raises(StoreCorrupt, match="train it again"):
        Basis.of(replace(made.version, figures={"sees": {"expressions": {}}}))


# Tuning


def test_a_search_goes_on_where_it_ended(place: Place) -> None:
    spec = spec_of(id="tuned", split={"train": 60, "valid": 10, "test": 40}, kind="elastic_net")
    space = {"l1_ratio": [0.1, 1.0]}
    told: list[int] = []
    hooks = TuningHooks(
        progress=lambda done, total, best: told.append(done), cancelled=lambda: bool(told) and told[-1] >= 2
    )

    with pytest.raises(Cancelled):
        place.models.tune(spec, trials=4, space=space, hooks=hooks)
    told.clear()
    found = place.models.tune(
        spec, trials=4, space=space, hooks=TuningHooks(progress=lambda done, total, best: told.append(done))
    )

    assert told == [2, 3, 4] and len(found.trials) == 4
    assert found.spec.parameters["l1_ratio"] == found.best.parameters["l1_ratio"]
