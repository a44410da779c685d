"""Searches for parameters: what is found, what the search must not see, and how it is interrupted and resumed."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from scipy.stats import spearmanr

from quantflux.core.errors import Cancelled, InvalidRequest, StoreCorrupt, StoreUnavailable
from quantflux.learning.models import KINDS, Pruned, complete, defaults, learner
from quantflux.learning.sample_scores import rank_ic_by_day
from quantflux.learning.samples import Dataset, Sample
from quantflux.learning.specification import ModelSpec, specification_of
from quantflux.learning.splits import splitter_of
from quantflux.learning.tuning import Hooks, Options, Range, TuningResult, space_of, tune
from quantflux.learning.tuning import search as searching
from quantflux.learning.tuning.luck import luck_of
from quantflux.learning.tuning.study import UNPRUNED_ROUNDS, UNPRUNED_TRIALS, Attempt

DAYS, NAMES, REACH = 120, 20, 3
PART = "l1_ratio"  # of the kind elastic_net, which the fake learner takes for the part of the first feature
SPACE = {PART: [0.01, 1.0]}
WALK = {"train": 30, "valid": 10, "test": 20}
BARE: dict[str, Any] = {"id": "m", "features": ["one", "two"], "split": WALK, "seed": 5}


@dataclass
class Table:
    """Features that lie in memory."""

    values: np.ndarray
    names: tuple[str, ...] = ("one", "two")

    def gather(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return np.asarray(self.values[rows, columns])


def market(seed: int = 0, noise: float = 0.5) -> Dataset:
    """Return cells whose label is 0.7 of the first feature and 0.3 of the second, and noise."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(DAYS, NAMES, 2)).astype(np.float32)
    row, column = (each.ravel() for each in np.indices((DAYS, NAMES)))
    known = row + REACH
    there = known < DAYS
    label = values[..., 0] * 0.7 + values[..., 1] * 0.3 + noise * random.normal(size=(DAYS, NAMES))
    return Dataset(
        np.datetime64("2024-01-01") + np.arange(DAYS),
        np.array([f"S{i}" for i in range(NAMES)]),
        Table(values),
        row[there],
        column[there],
        label.ravel()[there].astype(np.float32),
        known[there],
        np.ones(there.sum(), dtype=np.float32),
    )


@dataclass
class Blend:
    """Predicts `part` of the first feature and the rest of the second; learns nothing but how it was asked."""

    parameters: Mapping[str, Any]
    log: list[Sample]
    kind: str = "blend"
    task: str = "regression"
    features: int = 2
    classes: int = 0
    rounds: int = 0

    def fit(
        self,
        train: Sample,
        valid: Sample | None,
        *,
        scaler: Any,
        share: bool = False,
        progress: Callable[[int, int], None],
        cancelled: Callable[[], bool],
        report: Callable[[int, float], bool] | None = None,
    ) -> Blend:
        for sample in (train, valid):
            if sample is not None:
                self.log.append(sample)
                scaler.apply(sample.features())
        for done in range(1, 81):
            if cancelled():
                raise Cancelled("cancelled")
            told = (-abs(self.parameters[PART] - 0.7) + 1e-5 * done) - self.parameters.get("loss", 0.0)
            if report is not None and report(done, told):
                raise Pruned(done, told)
        # Tells whatever labels it was shown.
        self.rounds = sum(zlib.crc32(sample.label) for sample in (train, valid) if sample is not None)
        return self

    def predict(self, features: np.ndarray) -> np.ndarray:
        part = self.parameters[PART]
        return np.asarray(features[:, 0] * part + features[:, 1] * (1 - part), dtype=np.float64)


class Guess(Blend):
    """Predicts at random, in another way for each value of its parameter."""

    def fit(self, train: Sample, valid: Sample | None, **asked: Any) -> Guess:
        return self

    def predict(self, features: np.ndarray) -> np.ndarray:
        return np.random.default_rng(zlib.crc32(f"{self.parameters}".encode())).normal(size=len(features))


@dataclass
class Workshop:
    """Makes learners and keeps what they were shown."""

    shown: list[Sample] = field(default_factory=list)
    made: list[Mapping[str, Any]] = field(default_factory=list)

    def __call__(self, parameters: Mapping[str, Any]) -> Any:
        self.made.append(parameters)
        return Blend({PART: 0.01, **parameters}, self.shown)


def model(**changed: Any) -> ModelSpec:
    return specification_of({**BARE, "kind": "elastic_net", "parameters": {PART: 0.01}, **changed})


def search(dataset: Dataset, spec: ModelSpec | None = None, trials: int = 12, **more: Any) -> TuningResult:
    wanted: dict[str, Any] = {"reach": REACH, "space": SPACE, "make": Workshop(), **more}
    return tune(dataset, spec or model(), trials=trials, **wanted)


def tried(result: TuningResult) -> list[tuple[Any, ...]]:
    return [(t.number, t.parameters, t.state, t.folds, t.rounds) for t in result.trials]


class TestSearch:
    def test_finds_what_is_there(self) -> None:
        result = search(market(), trials=25)
        assert result.best.parameters[PART] == pytest.approx(0.7, abs=0.12)
        assert result.spec.parameters == result.best.parameters
        assert result.held_out.mean > result.held_out_before.mean + 0.2

    def test_own_parameters_come_first(self) -> None:
        result = search(market(), model(), trials=3)
        assert result.trials[0].parameters == {PART: 0.01}
        assert len(result.trials) == 3

    def test_own_parameters_outside_the_space_are_judged_all_the_same(self) -> None:
        result = search(market(), trials=2, space={PART: [0.5, 1.0]})
        assert all(trial.parameters[PART] >= 0.5 for trial in result.trials)
        assert result.held_out_before.mean < result.held_out.mean

    def test_scores_are_spearmans_of_days(self) -> None:
        dataset = market()
        result = search(dataset, trials=2)
        folds = splitter_of(model().split).split(DAYS, REACH)
        assert result.folds == len(folds) - 1

        part = result.best.parameters[PART]
        by_fold = [_spearman(dataset, fold.test, part) for fold in folds]
        # The last search fold has fewer days: labels of its last ones reach into the fold that is held back.
        by_fold[-2] = _spearman(dataset, folds[-2].test[:-REACH], part)
        assert result.best.folds == pytest.approx([each.mean() for each in by_fold[:-1]], abs=1e-12)
        assert result.score == pytest.approx(np.mean([each.mean() for each in by_fold[:-1]]), abs=1e-12)
        assert result.held_out.mean == pytest.approx(by_fold[-1].mean(), abs=1e-12)
        assert result.held_out.count == len(by_fold[-1])

    def test_result_is_json(self) -> None:
        told = json.loads(json.dumps(search(market(), trials=3).to_dict(), allow_nan=False))
        assert len(told["trials"]) == 3 and told["score"] >= told["deflated"]
        assert specification_of(told["model"]).parameters == told["parameters"]

    def test_same_seed_same_search(self) -> None:
        one, two, other = (search(market(), model(seed=seed)) for seed in (5, 5, 6))
        assert tried(one) == tried(two) and tried(one) != tried(other)
        assert len({trial.parameters[PART] for trial in one.trials}) == len(one.trials)

    @pytest.mark.parametrize(
        ("changed", "words"),
        [
            ({"trials": 0}, "valid is from 1"),
            ({"held_out": 0}, "valid is at least 1"),
            ({"held_out": 99}, "none of the others"),
            ({"space": {PART: 0.5}}, "nothing to search"),
            (
                {
                    "spec": specification_of(
                        {**BARE, "kind": "ensemble", "members": [{"kind": "ridge"}, {"kind": "mlp"}]}
                    )
                },
                "one by one",
            ),
        ],
    )
    def test_refuses_what_cannot_be_searched(self, changed: dict[str, Any], words: str) -> None:
        with pytest.raises(InvalidRequest, match=words):
            search(market(), **{"trials": 2, **changed})

    def test_ends_of_ranges_are_tried_on_the_model_before_anything_is_fitted(self) -> None:
        workshop = Workshop()
        space = {PART: [0.01, 1.0], "early_stopping_rounds": ["a", "b"], "max_iter": 300}
        with pytest.raises(InvalidRequest, match="valid is a whole number"):
            tune(market(), model(), trials=1, reach=REACH, space=space)
        with pytest.raises(InvalidRequest, match="similar: max_iter"):
            tune(market(), model(), trials=1, reach=REACH, space={"maxiter": [100, 300]})
        search(market(), trials=1, make=workshop, space={PART: [0.01, 1.0], "max_iter": 300})
        assert [made[PART] for made in workshop.made[:3]] == [0.01, 0.01, 1.0]
        assert all(made["max_iter"] == 300 for made in workshop.made[:3])

    def test_names_of_one_parameter_are_one(self) -> None:
        spec = model(kind="lightgbm", parameters={"subsample": 0.6, "max_depth": 4, "feature_fraction": 0.5})
        space = {"colsample_bytree": [0.4, 0.8], "eta": 0.1, "bagging_fraction": [0.5, 1.0]}
        result = search(market(), spec, trials=1, space=space)
        assert result.trials[0].parameters == {"feature_fraction": 0.5, "bagging_fraction": 0.6}
        assert result.spec.parameters == {
            "max_depth": 4,
            "feature_fraction": 0.5,
            "bagging_fraction": 0.6,
            "learning_rate": 0.1,
        }

    def test_finds_it_with_a_real_model(self) -> None:
        coarse = {
            "n_estimators": 20,
            "num_leaves": 8,
            "min_data_in_leaf": 2000,
        }  # more than there are: no tree grows
        space = {"min_child_samples": {"low": 5, "high": 2000, "log": True}}
        result = tune(
            market(), model(kind="lightgbm", parameters=coarse), trials=5, reach=REACH, space=space, threads=1
        )
        assert (result.trials[0].score, result.held_out_before.mean) == (0.0, 0.0)
        assert result.held_out.mean > 0.4 and result.held_out.above < 0.01


class TestHeldOut:
    @pytest.mark.parametrize("held_out", [1, 2])
    @pytest.mark.parametrize(
        "split",
        [
            WALK,
            {**WALK, "expanding": True},
            {"kind": "purged_kfold", "folds": 4, "valid": 8},
            {"kind": "combinatorial", "groups": 5, "tests": 2},
        ],
    )
    def test_search_depends_on_nothing_that_is_held_out(self, split: dict[str, Any], held_out: int) -> None:
        dataset, spec = market(), model(split=split)
        folds = splitter_of(spec.split).split(DAYS, REACH)
        hidden = np.unique(np.concatenate([fold.test for fold in folds[-held_out:]]))
        touching = np.array(
            [
                np.isin(np.arange(row, known + 1), hidden).any()
                for row, known in zip(dataset.row, dataset.known, strict=True)
            ]
        )
        poisoned = replace(dataset, label=np.where(touching, -dataset.label, dataset.label))

        one, workshop = search(dataset, spec, trials=7, held_out=held_out), Workshop()
        two = search(poisoned, spec, trials=7, held_out=held_out, make=workshop)

        assert touching.any() and tried(one) == tried(two)
        assert one.held_out.mean != pytest.approx(two.held_out.mean, abs=0.05)

    def test_of_guesses_the_search_finds_the_luckiest_and_the_days_held_out_tell(self) -> None:
        found = [search(market(seed), trials=10, make=lambda told: Guess(told, [])) for seed in range(12)]
        score, deflated = (np.mean([getattr(each, name) for each in found]) for name in ("score", "deflated"))
        held_out = np.mean([each.held_out.mean for each in found])
        days = 3 * WALK["test"] - REACH
        error = 1 / np.sqrt(
            (NAMES - 1) * days
        )  # of the mean of as many rank correlations of what is unrelated
        assert score == pytest.approx(1.5 * error, rel=0.3)  # the largest of ten
        assert abs(deflated) < 0.5 * error
        assert abs(held_out) < 3 * error * np.sqrt(days / found[0].held_out.count / len(found))

    @pytest.mark.parametrize(
        ("split", "row"),
        [
            (WALK, 50),  # learnt from
            ({"kind": "purged_kfold", "folds": 4, "valid": 8}, 35),  # stopped by, behind the test
        ],
    )
    def test_a_name_that_was_stuck_does_not_tell_either(self, split: dict[str, Any], row: int) -> None:
        dataset, spec = market(), model(split=split)
        stuck = (dataset.row == row) & (dataset.column == 3)
        plain = replace(dataset, known=np.where(stuck, DAYS - 1, dataset.known))
        waiting = replace(plain, label=np.where(stuck, np.float32(99.0), dataset.label))
        assert tried(search(plain, spec, trials=6)) == tried(search(waiting, spec, trials=6))


class TestResuming:
    @pytest.mark.parametrize("killed", [False, True])
    def test_goes_on_as_if_not_interrupted(
        self, killed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        dataset, file = market(), tmp_path / "study.sqlite"
        whole = search(dataset, trials=12)
        rounds, tell = 0, optuna.Study.tell

        def cancelled() -> bool:
            nonlocal rounds
            rounds += 1
            return rounds > 1_500

        def tell_unless_killed(study: optuna.Study, *told: Any, state: Any = None) -> None:
            if state is not TrialState.FAIL:
                tell(study, *told, state=state)

        with monkeypatch.context() as patched:
            if killed:  # the trial stays as it was
                patched.setattr(optuna.Study, "tell", tell_unless_killed)
            with pytest.raises(Cancelled):
                search(dataset, trials=12, study=file, hooks=Hooks(cancelled=cancelled))
        resumed = search(dataset, trials=12, study=file)

        assert tried(resumed) == tried(whole)
        assert resumed.held_out == whole.held_out and resumed.luck == whole.luck

    def test_what_is_finished_is_not_fitted_again(self, tmp_path: Path) -> None:
        file, again = tmp_path / "a folder" / "50%?#.sqlite", Workshop()
        one = search(market(), trials=3, study=file)
        two = search(market(), trials=3, study=file, make=again)
        assert one == two and not again.shown

    def test_another_model_or_market_is_another_search(self, tmp_path: Path) -> None:
        file = tmp_path / "study.sqlite"
        search(market(), trials=1, study=file)
        other = market()
        other.features.values[..., 0] *= 1.001  # type: ignore[attr-defined]
        for dataset, spec, more in (
            (market(seed=1), model(), {}),
            (market(), model(seed=6), {}),
            (market(), model(), {"space": {PART: [0.01, 0.9]}}),
            (market(), model(), {"held_out": 2}),
            (other, model(), {}),
        ):
            workshop = Workshop()
            search(dataset, spec, trials=1, study=file, make=workshop, **more)
            assert workshop.shown

    def test_another_release_or_other_defaults_are_another_search(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = tmp_path / "study.sqlite"
        search(market(), trials=2, study=file)
        for name, value in (
            ("__version__", "0.0.0"),
            ("complete", lambda kind, given: {**complete(kind, given), "fresh": 1}),
        ):
            workshop = Workshop()
            with monkeypatch.context() as patched:
                patched.setattr(searching, name, value)
                assert len(search(market(), trials=1, study=file, make=workshop).trials) == 1
            assert workshop.shown
        again = Workshop()
        assert len(search(market(), trials=2, study=file, make=again).trials) == 2 and not again.shown

    def test_one_search_is_one_process_at_a_time_and_others_go_on_beside_it(self, tmp_path: Path) -> None:
        file = tmp_path / "study.sqlite"
        refused: list[bool] = []

        def progress(done: int, total: int, best: float) -> None:
            if done == 1:
                with pytest.raises(StoreUnavailable, match="another process"):
                    search(market(), trials=2, study=file)
                refused.append(len(search(market(), model(seed=9), trials=1, study=file).trials) == 1)

        assert len(search(market(), trials=2, study=file, hooks=Hooks(progress=progress)).trials) == 2
        assert refused == [True]

    def test_no_file_of_trials(self, tmp_path: Path) -> None:
        (tmp_path / "text").write_text("This is no database, whatever else it may be." * 50)
        with pytest.raises(StoreCorrupt, match="no file of trials"):
            search(market(), trials=1, study=tmp_path / "text")
        with pytest.raises(InvalidRequest, match="cannot be opened"):
            search(market(), trials=1, study=tmp_path)
        with pytest.raises(InvalidRequest, match="cannot be made"):
            search(market(), trials=1, study=tmp_path / "text" / "study")

    def test_progress(self) -> None:
        said: list[tuple[int, int, float]] = []
        folds: list[tuple[int, int]] = []
        hooks = Hooks(progress=lambda *told: said.append(told), folds=lambda *told: folds.append(told))
        result = search(market(), trials=4, hooks=hooks)
        assert [told[:2] for told in said] == [(n, 4) for n in range(5)]
        assert folds == [(0, 3), (1, 3), (2, 3)] * 4
        assert np.isnan(said[0][2]) and said[-1][2] == result.score
        assert all(a[2] <= b[2] for a, b in pairwise(said[1:]))


class TestGivingUp:
    def test_poor_trials_are_given_up_and_the_best_is_not(self) -> None:
        result = search(market(), trials=30)
        pruned = [trial for trial in result.trials if trial.state == "pruned"]
        assert pruned and all(trial.number >= UNPRUNED_TRIALS for trial in pruned)
        assert result.best.state == "done"
        distance = {
            s: [abs(t.parameters[PART] - 0.7) for t in result.trials if t.state == s]
            for s in ("done", "pruned")
        }
        assert np.mean(distance["pruned"]) > np.mean(distance["done"])

    def test_without_days_to_stop_by_folds_alone_decide(self) -> None:
        result = search(market(), model(split={**WALK, "valid": 0}), trials=30)
        pruned = [trial for trial in result.trials if trial.state == "pruned"]
        assert pruned and all(1 <= len(trial.folds) < result.folds for trial in pruned)

    def test_median_of_those_that_came_as_far(self) -> None:
        step = UNPRUNED_ROUNDS
        others = {
            step: [1.0, 2.0, 3.0, 4.0, 5.0],
            step - 10: [9.0] * 5,
            step + 10: [9.0] * (UNPRUNED_TRIALS - 1),
        }
        reported: dict[int, float] = {}

        class Trial:
            def report(self, value: float, step: int) -> None:
                reported[step] = value

        def attempt() -> Attempt:
            return Attempt(Trial(), {}, others)  # type: ignore[arg-type]

        assert not attempt().after_round(step - 10, 0.0)  # too early
        assert not attempt().after_round(step - 1, 0.0)  # between two looks
        assert attempt().after_round(step, 2.9)
        assert not attempt().after_round(step, 3.0)  # not worse than the median
        assert not attempt().after_round(step + 10, 0.0)  # too few others
        risen = attempt()
        risen.after_round(step - 1, 4.0)
        assert not risen.after_round(step, 0.0)  # the best so far counts
        assert not attempt().after_round(step, float("nan"))
        assert reported[step] == 4.0

    @pytest.mark.parametrize(
        ("task", "name", "values"),
        [("regression", "objective", ["regression", "regression_l1"]), ("ranking", "grades", [5, 9])],
    )
    def test_rounds_are_compared_among_trials_with_the_same_loss(
        self, task: str, name: str, values: list[Any]
    ) -> None:
        first, other = values

        def make(parameters: Mapping[str, Any]) -> Any:
            better = parameters.get(name) == other
            return Blend({PART: 0.7 if better else 0.5, "loss": 100.0 if better else 0.0}, [])

        spec = model(kind="lightgbm", task=task, parameters={name: first}, seed=0)
        result = search(
            market(), spec, trials=25, space={name: {"choices": values}, "num_leaves": [8, 80]}, make=make
        )

        # Those of the other loss rank better; that their loss has larger numbers says nothing.
        better = [trial for trial in result.trials if trial.parameters[name] == other]
        assert len(better) > UNPRUNED_TRIALS and {trial.state for trial in better} == {"done"}
        assert result.best.parameters[name] == other

    def test_folds_are_compared_by_their_mean(self) -> None:
        reported: list[tuple[float, int]] = []

        class Trial:
            def report(self, value: float, step: int) -> None:
                reported.append((value, step))

        one = Attempt(Trial(), {}, {1_999_999: [0.2] * UNPRUNED_TRIALS})  # type: ignore[arg-type]
        assert not one.after_fold(0.1, 5)
        assert one.after_fold(0.2, 7)
        assert reported == [(0.1, 999_999), (pytest.approx(0.15), 1_999_999)]
        assert one.told == {"folds": [0.1, 0.2], "rounds": [5, 7], "seconds": 0.0}


class TestLuck:
    def test_equal_trials_stand_out_by_as_much_as_simulated(self) -> None:
        random = np.random.default_rng(0)
        trials, folds, runs = 20, 5, 2_000
        scores = (
            0.03
            + 0.01 * random.normal(size=(runs, trials, folds))
            + 0.05 * random.normal(size=(runs, 1, folds))
        )
        means = scores.mean(axis=2)
        stood_out = (means.max(axis=1) - means.mean(axis=1)).mean()
        assert np.mean([luck_of(each, trials) for each in scores]) == pytest.approx(stood_out, rel=0.02)

    def test_what_parameters_are_worth_is_no_luck(self) -> None:
        random = np.random.default_rng(0)
        noise = 0.001 * random.normal(size=(20, 5))
        worth = np.linspace(0, 0.1, 20)[:, None]
        assert luck_of(noise + worth, 20) == pytest.approx(luck_of(noise, 20), rel=1e-9)

    def test_more_trials_more_luck_and_one_trial_none(self) -> None:
        scores = np.random.default_rng(0).normal(size=(5, 3))
        assert luck_of(scores, 50) > luck_of(scores, 5) > 0
        assert np.isnan(luck_of(scores[:1], 1))

    def test_single_fold_takes_all_differences_for_luck(self) -> None:
        scores = np.array([[0.01], [0.02], [0.06]])
        assert luck_of(scores, 3) == pytest.approx(
            scores.std(ddof=1) * 0.8463, rel=0.03
        )  # mean of the largest of 3


class TestRankCorrelation:
    def test_ties_and_missing_predictions_as_scipy(self) -> None:
        dataset = market()
        sample = dataset.on(np.arange(5, 15))
        random = np.random.default_rng(3)
        predicted = random.integers(0, 4, size=len(sample)).astype(float)
        predicted[random.random(len(sample)) < 0.1] = np.nan
        expected = []
        for row in range(5, 15):
            these = (sample.row == row) & ~np.isnan(predicted)
            expected.append(spearmanr(predicted[these], sample.label[these]).statistic)
        np.testing.assert_allclose(rank_ic_by_day(predicted, sample), expected, rtol=0, atol=1e-12)

    def test_equal_predictions_found_nothing_and_few_names_say_nothing(self) -> None:
        dataset = market()
        sample = dataset.on(np.arange(3))
        label = dataset.label.copy()
        label[dataset.row == 1] = 1.0
        few = Sample(replace(dataset, label=label), sample.places[sample.row < 2 * (sample.column < 9) + 2])
        found = rank_ic_by_day(np.ones(len(few)), few)
        assert found[0] == 0.0 and np.isnan(found[1:]).all()


class TestSpaces:
    def test_what_a_user_writes(self) -> None:
        space = space_of(
            "lightgbm",
            {
                "num_leaves": [16, 256],
                "learning_rate": {"low": 0.01, "high": 0.3, "log": True},
                "bagging_fraction": [0.5, 1],
                "objective": ["regression", "regression_l1"],
                "hidden": {"choices": [[32], [64, 32]]},
                "max_depth": 6,
            },
        )
        assert space.searched == {
            "num_leaves": Range(16, 256),
            "learning_rate": Range(0.01, 0.3, log=True),
            "bagging_fraction": Range(0.5, 1),
            "objective": Options(("regression", "regression_l1")),
            "hidden": Options(([32], [64, 32])),
        }
        assert space.fixed == {"max_depth": 6}
        whole = {name: each.whole for name, each in space.searched.items() if isinstance(each, Range)}
        assert whole == {"num_leaves": True, "learning_rate": False, "bagging_fraction": False}
        assert space_of("lightgbm", space.to_dict()) == space

    def test_options_come_back_as_they_were(self) -> None:
        spec = model(kind="mlp", parameters={})
        choices = {"hidden_layer_sizes": {"choices": [[32], [64, 32]]}, "activation": {"choices": ["tanh"]}}
        result = search(market(), spec, trials=8, space=choices)
        seen = [trial.parameters["hidden_layer_sizes"] for trial in result.trials]
        assert {str(each) for each in seen} == {"[32]", "[64, 32]"} and [32] in seen
        assert result.spec.parameters["activation"] == "tanh"

    @pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "ensemble"])
    def test_every_kind_has_a_space_of_valid_values_round_its_defaults(self, kind: str) -> None:
        space, own = space_of(kind), defaults(kind)
        for name, each in space.searched.items():
            assert own[name] is None or each.holds(own[name]), name
            for value in each.extremes:
                learner(kind, "regression", {name: value}, 0, threads=1)

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"a": []}, "a: found an empty list"),
            ({"a": [3, 2]}, "a: the range is from 3 to 2"),
            ({"a": [1.0, float("inf")]}, "found"),
            ({"a": {"low": 1}}, "a: a range needs low and high"),
            ({"a": {"low": "1", "high": 2}}, 'a: found "1" as an end'),
            ({"a": {"low": 0, "high": 2, "log": True}}, "valid is above 0"),
            ({"a": {"low": 1, "high": 2, "step": 1}}, "a: step is unknown; valid are low"),
            ({"a": {"choices": [1], "low": 1}}, "a: valid are choices"),
            (
                {"num_leaves": [8, 16], "max_leaves": 9, "eta": 1, "learning_rate": 2},
                "another name of learning_rate",
            ),
            ({"alpha": 1}, "no parameter has a range"),
            ({}, "no parameter has a range"),
        ],
    )
    def test_refusals_name_the_parameter(self, given: dict[str, Any], words: str) -> None:
        with pytest.raises(InvalidRequest, match=words.replace("(", r"\(")):
            space_of("lightgbm" if "eta" in given else "ridge", given)


def _spearman(dataset: Dataset, rows: np.ndarray, part: float) -> np.ndarray:
    """Return Spearman's correlation on each of some days, by scipy."""
    found = []
    for row in rows:
        these = dataset.row == row
        values = dataset.features.gather(dataset.row[these], dataset.column[these]).astype(np.float64)
        if these.any():
            predicted = values[:, 0] * part + values[:, 1] * (1 - part)
            found.append(spearmanr(predicted, dataset.label[these]).statistic)
    return np.array(found)
