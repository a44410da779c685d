"""Model files: what they say, what is refused and in which words, and models of the first version."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

import pytest

from quantflux.core.documents import parse_document
from quantflux.core.errors import InvalidRequest, MissingDependency
from quantflux.factors.libraries import load_library
from quantflux.learning.models import KINDS, TASKS, defaults, tasks
from quantflux.learning.specification import (
    LabelSpec,
    ModelSpec,
    SplitSpec,
    example,
    read_specification,
    specification_of,
    specification_of_v1,
    write_specification,
)

MEMBERS = [{"kind": "lightgbm"}, {"kind": "random_forest", "weight": 2.0, "parameters": {"max_depth": 5}}]


def values(**changed: Any) -> dict[str, Any]:
    """Return a valid model, with some keys changed."""
    return {"id": "m", "features": ["close"], **changed}


def refusal(**changed: Any) -> str:
    with pytest.raises(InvalidRequest) as caught:
        specification_of(values(**changed), "model.toml")
    return str(caught.value)


def v1_row(**changed: Any) -> dict[str, Any]:
    return {
        "model_id": "m1",
        "model_name": "Model 1",
        "model_type": "lightgbm",
        "factor_list": ["momentum_5d"],
        "target_type": "return_5d",
        "model_params": None,
        "training_config": None,
        **changed,
    }


def test_kinds_and_tasks_are_those_that_can_be_learnt() -> None:
    for kind in KINDS:
        for task in TASKS:
            label = {"transform": "class"} if task == "classification" else {}
            members = [{"kind": each} for each in ("lightgbm", "xgboost")]
            more = {"members": members} if kind == "ensemble" else {}
            told = values(kind=kind, task=task, label=label, **more)
            if task in tasks(kind):
                assert specification_of(told).kind == kind
            else:
                assert f"which {kind} cannot do" in refusal(**told)


def test_a_model_whose_library_is_not_installed_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*asked: Any, **more: Any) -> None:
        raise MissingDependency("catboost", "catboost")

    monkeypatch.setattr("quantflux.learning.specification.model.learner", missing)
    assert specification_of(values(kind="catboost", parameters={"depth": 4})).parameters == {"depth": 4}


class TestReading:
    def test_example_is_a_model(self) -> None:
        spec = parse_document(example()).into(ModelSpec)
        assert spec.features.names == ("alpha158",)
        assert spec.universe.start == date(2015, 1, 5)
        own = defaults(spec.kind)
        assert spec.parameters == {name: own[name] for name in ("num_leaves", "learning_rate")}

    def test_example_shows_the_defaults(self) -> None:
        told = parse_document(example()).into(ModelSpec)
        plain = specification_of({"id": told.id, "features": list(told.features.names)})
        same = {"label", "split", "weights", "features", "kind", "task", "seed"}
        assert {k: told.to_dict()[k] for k in same} == {k: plain.to_dict()[k] for k in same}

    def test_commented_ensemble_of_the_example_is_a_model(self) -> None:
        text = example().split("An ensemble has members")[1].split("\n", 1)[1]
        spec = parse_document('id = "e"\nfeatures = ["close"]\n' + re.sub("^# ", "", text, flags=re.M)).into(
            ModelSpec
        )
        assert [member.kind for member in spec.members] == ["lightgbm", "random_forest"]

    def test_toml_yaml_and_mapping_say_the_same(self, tmp_path: Any) -> None:
        toml, yaml = tmp_path / "m.toml", tmp_path / "m.yaml"
        toml.write_text('id = "m"\nfeatures = ["close"]\n[universe]\nstart = 2020-01-02\n')
        yaml.write_text("id: m\nfeatures: [close]\nuniverse:\n  start: 2020-01-02\n")

        told = specification_of(values(universe={"start": "2020-01-02"}))
        assert read_specification(toml) == read_specification(yaml) == told

    @pytest.mark.parametrize(
        "changed",
        [
            {},
            {"universe": {"start": "2020-01-02", "where": "amount > 1e7"}},
            {
                "label": {
                    "kind": "expression",
                    "expression": "lead(close, 3) / close - 1",
                    "transform": "rank",
                }
            },
            {"task": "classification", "label": {"transform": "class", "classes": 5}},
            {"split": {"kind": "purged_kfold", "folds": 4, "embargo": 3}},
            {"split": {"kind": "combinatorial", "groups": 8}},
            {"kind": "ensemble", "members": MEMBERS, "combine": "mean"},
            {"kind": "mlp", "parameters": {"hidden_layer_sizes": [32, 16], "activation": "tanh"}},
            {"kind": "ridge", "parameters": {"alpha": None}},
        ],
    )
    def test_round_trip_through_json(self, changed: dict[str, Any]) -> None:
        spec = specification_of(values(**changed))
        told = json.loads(json.dumps(spec.to_dict(), allow_nan=False))
        assert specification_of(told) == spec
        assert specification_of(told).to_dict() == told

    def test_a_written_file_is_the_same_model(self, tmp_path: Any) -> None:
        given = {
            "id": "m",
            "name": "1e3",
            "kind": "ensemble",
            "features": ["close", "-1 * open"],
            "members": MEMBERS,
        }
        spec = specification_of(given | {"universe": {"start": "2020-01-02"}, "weights": {"half_life": 20}})

        write_specification(spec, tmp_path / "new" / "m.yaml")

        assert read_specification(tmp_path / "new" / "m.yaml") == spec
        with pytest.raises(InvalidRequest, match="as YAML"):
            write_specification(spec, tmp_path / "m.json")

    def test_members_without_a_seed_get_different_ones(self) -> None:
        members = [{"kind": "lightgbm"}, {"kind": "lightgbm"}, {"kind": "lightgbm", "seed": 3}]
        assert specification_of(values(kind="ensemble", seed=8, members=members)).member_seeds() == (8, 9, 3)

    def test_a_learner_is_made_of_the_parameters_or_the_members(self) -> None:
        assert specification_of(values(parameters={"max_depth": 4})).model_parameters == {"max_depth": 4}
        spec = specification_of(values(kind="ensemble", seed=4, combine="mean", members=MEMBERS))
        assert spec.model_parameters == {
            "members": [
                {"kind": "lightgbm", "parameters": {}, "seed": 4, "weight": 1.0},
                {"kind": "random_forest", "parameters": {"max_depth": 5}, "seed": 5, "weight": 2.0},
            ],
            "combine": "mean",
        }

    def test_changed_parameters_are_checked_and_the_first_stays(self) -> None:
        spec = specification_of(values(parameters={"num_leaves": 31, "subsample": 0.5}))
        other = spec.with_parameters({"num_leaves": 63, "bagging_fraction": 0.7})  # another name of subsample
        assert other.parameters == {"num_leaves": 63, "bagging_fraction": 0.7}
        assert spec.parameters == {"num_leaves": 31, "subsample": 0.5}
        with pytest.raises(InvalidRequest, match="a key of its own"):
            spec.with_parameters({"seed": 3})


class TestRefusals:
    @pytest.mark.parametrize(
        ("changed", "key", "words"),
        [
            ({"kind": "lightgmb"}, "kind", "did you mean lightgbm?"),
            ({"task": "rankin"}, "task", "did you mean ranking?"),
            ({"parameter": {}}, "parameter", "did you mean parameters?"),
            ({"id": "../m"}, "id", "found"),
            ({"id": "m" * 51}, "id", "found"),
            ({"id": "5d"}, "id", "found"),
            ({"id": "m\n"}, "id", "found"),
            ({"seed": -1}, "seed", "at least 0"),
            ({"seed": 2**31}, "seed", "below"),
            ({"seed": True}, "seed", "a whole number"),
            ({"parameters": {"random_state": 1}}, "parameters", "the seed is a key of its own"),
            ({"parameters": {"n_jobs": 1}}, "parameters", "threads are chosen"),
            ({"parameters": {"x": float("nan")}}, "parameters", "finite"),
            ({"parameters": {"x": {"y": 1}}}, "parameters", "found a table"),
            ({"parameters": {"a b": 1}}, "parameters", "letters, digits"),
            ({"features": []}, "features", "at least 1"),
            ({"features": ["close", "close"]}, "features", "twice"),
            ({"features": ["lead(close, 1)"]}, "features.1", "only a label may"),
            ({"features": ["close", "ts_men(close, 5)"]}, "features.2", "did you mean ts_mean"),
            (
                {"features": {"names": ["close"], "daily": ["rank", "standardize"]}},
                "features.daily.2",
                "did you mean standardise?",
            ),
            ({"features": {"names": ["close"], "scale": "robst"}}, "features.scale", "did you mean robust?"),
            ({"features": {"names": ["close"], "dayly": []}}, "features.dayly", "did you mean daily?"),
            ({"label": {"horizon": 0}}, "label.horizon", "at least 1"),
            ({"label": {"expression": "lead(close, 1)"}}, "label", "expression is not used"),
            ({"label": {"kind": "expression"}}, "label", "expression is missing"),
            ({"label": {"kind": "expression", "expression": "close"}}, "label.expression", "no later day"),
            (
                {"label": {"kind": "expression", "expression": "lead(close, 1)", "horizon": 5}},
                "label",
                "horizon is not used",
            ),
            ({"label": {"classes": 3}}, "label", "classes is not used by the transform none"),
            ({"label": {"transform": "class"}}, "label.transform", "valid is the task classification"),
            ({"task": "classification"}, "label.transform", 'needs "class"'),
            ({"universe": {"start": "2024-02-30"}}, "universe.start", "valid is a day"),
            ({"universe": {"start": "2024-02-02", "end": "2024-01-02"}}, "universe", "before the end"),
            ({"universe": {"where": "lead(close, 1) > 1"}}, "universe.where", "only a label may"),
            ({"split": {"kind": "purged_kfold", "train": 5}}, "split", "train is not used"),
            ({"split": {"kind": "purged_kfold", "folds": 1}}, "split", "at least 2"),
            ({"split": {"kind": "combinatorial", "groups": 4, "tests": 4}}, "split", "fewer than groups"),
            ({"split": {"kind": "combinatorial", "groups": 20, "tests": 10}}, "split", "at most 1000"),
            ({"split": {"groups": 4}}, "split", "groups is not used"),
            ({"split": {"test": 0}}, "split.test", "at least 1"),
            ({"weights": {"balanced": True}}, "weights.balanced", "classification only"),
            ({"weights": {"half_life": 0}}, "weights.half_life", "at least 1"),
            ({"kind": "ensemble"}, "members", "at least 2"),
            (
                {"kind": "ensemble", "members": MEMBERS, "parameters": {"a": 1}},
                "parameters",
                "have their own",
            ),
            ({"members": MEMBERS}, "members", "not used by the kind lightgbm"),
            ({"combine": "mean"}, "combine", "not used by the kind lightgbm"),
            (
                {
                    "kind": "ensemble",
                    "members": [{"kind": "random_forest", "seed": 1}, {"kind": "random_forest", "seed": 1}],
                },
                "members.2",
                "is the same model as members.1",
            ),
            (
                {"kind": "ensemble", "members": [{"kind": "ensemble"}, {"kind": "random_forest"}]},
                "members.1.kind",
                "valid is one of",
            ),
            ({"parameters": {"num_leafs": 5}}, "parameters", "similar: num_leaves"),
            ({"parameters": {"num_leaves": 1}}, "parameters", "a whole number from 2"),
            ({"parameters": {"objective": "lambdarank"}}, "parameters", "valid"),
            (
                {
                    "kind": "ensemble",
                    "members": [MEMBERS[0], {"kind": "mlp", "parameters": {"num_leaves": 5}}],
                },
                "members.2.parameters",
                "mlp has no parameter",
            ),
            (
                {"kind": "random_forest", "task": "ranking"},
                "task",
                "can be done by lightgbm, xgboost, catboost",
            ),
            (
                {
                    "kind": "ridge",
                    "task": "classification",
                    "label": {"transform": "class"},
                },
                "task",
                "valid for it is regression",
            ),
        ],
    )
    def test_names_the_key_and_what_is_valid(self, changed: dict[str, Any], key: str, words: str) -> None:
        said = refusal(**changed)
        assert said.startswith(f"model.toml: {key}") and words in said, said

    def test_says_all_problems_at_once(self) -> None:
        said = refusal(kind="x", task="y", label={"horizon": 0}, features={"daily": ["z"]})
        for key in ("kind", "task", "label.horizon", "features.names", "features.daily.1"):
            assert f"\n  {key}: " in said, said

    def test_sections_made_in_code_are_checked_too(self) -> None:
        with pytest.raises(ValueError, match="folds"):
            SplitSpec(kind="purged_kfold", folds=1)
        with pytest.raises(ValueError, match="horizon"):
            LabelSpec(horizon=0)


class TestFirstVersion:
    @pytest.mark.parametrize(
        ("kind", "told", "parameters"),
        [
            (
                "random_forest",
                "random_forest",
                {"n_estimators": 100, "max_depth": 10, "min_samples_split": 5, "min_samples_leaf": 2},
            ),
            (
                "xgboost",
                "xgboost",
                {
                    "n_estimators": 100,
                    "max_depth": 6,
                    "learning_rate": 0.1,
                    "subsample": 0.8,
                    "colsample_bytree": 0.8,
                },
            ),
        ],
    )
    def test_types_keep_the_parameters_they_had(
        self, kind: str, told: str, parameters: dict[str, Any]
    ) -> None:
        spec = specification_of_v1(v1_row(model_type=kind))
        assert (spec.kind, spec.seed, spec.parameters) == (told, 42, parameters)

    def test_parameters_of_the_row_win_and_what_is_none_here_goes(self) -> None:
        given = json.dumps({"max_depth": 3, "random_state": 7, "n_jobs": 4, "verbose": -1, "num_leaves": 15})
        spec = specification_of_v1(v1_row(model_params=given))
        assert spec.seed == 7
        assert spec.parameters["max_depth"] == 3 and spec.parameters["num_leaves"] == 15
        assert spec.parameters["learning_rate"] == 0.1
        assert not {"random_state", "n_jobs", "verbose"} & set(spec.parameters)

    @pytest.mark.parametrize(("kind", "told"), [("linear_regression", "ridge"), ("neural_network", "mlp")])
    def test_types_that_never_trained_have_no_parameters(self, kind: str, told: str) -> None:
        spec = specification_of_v1(v1_row(model_type=kind, model_params={"n_estimators": 100}))
        assert (spec.kind, spec.parameters) == (told, {})

    def test_all_factors_and_any_horizon(self) -> None:
        ids = [factor.id for factor in load_library("v1").factors]
        spec = specification_of_v1(v1_row(factor_list=json.dumps(ids), target_type="return_20d"))
        assert spec.features.names == tuple(f"v1.{each}" for each in ids) and len(ids) == 18
        assert (spec.label.horizon, spec.label.entry) == (20, "close")

    @pytest.mark.parametrize(
        ("config", "scale", "folds"),
        [
            (None, "robust", 5),
            ({"scaling_method": "standard", "cv_folds": 3}, "standard", 3),
            ({"scaling_method": "minmax", "validation_method": "holdout"}, "none", None),
        ],
    )
    def test_training_settings(self, config: Any, scale: str, folds: int | None) -> None:
        spec = specification_of_v1(v1_row(training_config=config))
        assert (spec.features.scale, spec.split.folds) == (scale, folds)

    @pytest.mark.parametrize(
        ("changed", "words"),
        [
            ({"target_type": "simulated_return"}, "says nothing about a market"),
            ({"target_type": "classification"}, "silently took for return_5d"),
            ({"target_type": "return_0d"}, "valid is return_Nd"),
            ({"target_type": "return_999d"}, "at most 250"),
            ({"target_type": None}, "has no target_type"),
            ({"model_type": "lightgm"}, "did you mean lightgbm?"),
            ({"model_type": ["lightgbm"]}, "model_type: found a list"),
            ({"factor_list": ["rsi_14d"]}, "v1 had no calculation for"),
            ({"factor_list": ["momentum_5"]}, "did you mean momentum_5d?"),
            ({"factor_list": [["momentum_5d"]]}, "factor_list: found a list"),
            ({"factor_list": "[]"}, "at least 1"),
            ({"factor_list": "momentum_5d"}, "valid is a list, as JSON"),
            ({"model_params": "[1]"}, "valid is a table, as JSON"),
            ({"model_id": "../../etc"}, "id: found"),
            ({"model_id": 5}, "id: found 5"),
            ({"model_params": {"random_state": "x"}}, "seed: found"),
        ],
    )
    def test_what_cannot_mean_anything_is_refused_in_words(self, changed: dict[str, Any], words: str) -> None:
        with pytest.raises(InvalidRequest) as caught:
            specification_of_v1(v1_row(**changed))
        assert str(caught.value).startswith("v1's model") and words in str(caught.value)
