"""What may be asked of families, and how the rest is refused."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quantflux.core.errors import InvalidRequest, MissingDependency, StoreCorrupt, Unsupported
from quantflux.learning.models import KINDS, defaults, learner, load
from quantflux.learning.samples import Sample
from tests.learning.models.cells import Unscaled, market, parts
from tests.learning.models.fits import SMALL, fitted


@pytest.mark.parametrize(
    ("kind", "parameters", "said"),
    [
        ("lightgbm", {"num_leafs": 3}, "no parameter 'num_leafs'; similar: num_leaves"),
        ("xgboost", {"maxdepth": 3}, "no parameter 'maxdepth'; similar: max_depth"),
        ("catboost", {"depht": 3}, "similar: depth"),
        ("mlp", {"hidden_layers": [3]}, "similar: hidden_layer_sizes"),
        ("ridge", {"zzz": 1}, "no parameter 'zzz'; there are: alpha, n_alphas, early_stopping_rounds"),
        ("lightgbm", {"random_state": 1}, "the seed is a key of the model"),
        ("lightgbm", {"n_jobs": -1}, "threads are chosen where the model is fitted"),
        ("lightgbm", {"num_leaves": 1}, "num_leaves is 1; valid is a whole number from 2 to 131072"),
        ("lightgbm", {"num_leaves": True}, "num_leaves is True"),
        (
            "lightgbm",
            {"learning_rate": float("nan")},
            "learning_rate is nan; valid is a number from 1e-06 to 1",
        ),
        ("lightgbm", {"lambda_l2": float("inf")}, "lambda_l2 is inf; valid is a number from 0"),
        (
            "lightgbm",
            {"eta": 0.1, "learning_rate": 0.1},
            "'learning_rate' and another name of 'learning_rate'",
        ),
        (
            "lightgbm",
            {"objective": "lambdarank"},
            "is not one of regression; valid is regression, regression_l1",
        ),
        ("catboost", {"objective": "MultiClass"}, "is not one of regression; valid is RMSE, MAE"),
        ("mlp", {"hidden_layer_sizes": []}, "valid is a list of up to 10 whole numbers of at least 1"),
        ("mlp", {"activation": "logistic"}, "valid is one of relu, tanh"),
        ("lasso", {"l1_ratio": 0.3}, "lasso has no parameter 'l1_ratio'"),
        ("ensemble", {}, "an ensemble has no members"),
        (
            "ensemble",
            {"members": [{"parameters": {}}]},
            "a list of tables with kind and, if wanted, parameters",
        ),
        ("ensemble", {"members": [{"kind": "ensemble"}]}, "an ensemble is a member of an ensemble"),
        ("ensemble", {"members": [{"kind": "ridge", "weight": 0}]}, "weight is 0; valid is a number from"),
        ("ensemble", {"members": [{"kind": "ridge", "parameters": {"alfa": 1}}]}, "similar: alpha"),
    ],
)
def test_wrong_parameters_are_refused_in_words(kind: str, parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        learner(kind, "regression", parameters, 1)

    assert said in str(raised.value)


def test_names_of_other_libraries_mean_the_same() -> None:
    asked = learner("lightgbm", "regression", {"subsample": 0.7, "num_boost_round": 9}, 1).request.parameters

    assert asked["bagging_fraction"] == 0.7 and asked["n_estimators"] == 9


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "ensemble"])
def test_defaults_are_valid_parameters(kind: str) -> None:
    assert learner(kind, "regression", defaults(kind), 1).request.parameters == defaults(kind)


@pytest.mark.parametrize(
    ("kind", "task"),
    [
        *(
            (kind, task)
            for kind in ("ridge", "lasso", "elastic_net")
            for task in ("ranking", "classification")
        ),
        ("random_forest", "ranking"),
        ("mlp", "ranking"),
    ],
)
def test_tasks_that_a_family_lacks_are_refused_in_words(kind: str, task: str) -> None:
    with pytest.raises(
        Unsupported, match=rf"{kind} does not learn {task}, but .*; {task} is learnt by lightgbm"
    ):
        learner(kind, task, {}, 1, classes=3)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"kind": "lightgmb"}, "no kind of model 'lightgmb'; similar: lightgbm"),
        ({"kind": "svm"}, "there are: lightgbm, xgboost"),
        ({"task": "guess"}, "there is no task 'guess'; there are: regression, ranking, classification"),
        ({"task": "classification"}, "into 0 classes; valid is at least 2"),
        ({"seed": -1}, "the seed of a model is -1"),
        ({"threads": 0}, "0 threads cannot fit a model"),
    ],
)
def test_a_request_that_means_nothing_is_refused(asked: dict[str, Any], said: str) -> None:
    whole: dict[str, Any] = {"kind": "lightgbm", "task": "regression", "parameters": {}, "seed": 1} | asked

    with pytest.raises(InvalidRequest) as raised:
        learner(**whole)

    assert said in str(raised.value)


@pytest.mark.parametrize(("kind", "extra"), [("xgboost", "xgboost"), ("catboost", "catboost")])
def test_an_extra_that_is_missing_is_named(kind: str, extra: str, tmp_path: Path, monkeypatch: Any) -> None:
    fitted(kind, "regression").save(tmp_path)
    train, valid, _ = parts(market(days=20, names=10))
    monkeypatch.setitem(sys.modules, kind, None)

    with pytest.raises(MissingDependency, match=rf"quantflux\[{extra}\]"):
        learner(kind, "regression", {}, 1).fit(
            train, valid, scaler=Unscaled(), progress=lambda done, total: None, cancelled=lambda: False
        )
    with pytest.raises(MissingDependency, match=rf"quantflux\[{extra}\]"):
        load(kind, tmp_path)


@pytest.mark.parametrize("kind", list(SMALL))
def test_an_empty_train_sample_is_refused(kind: str) -> None:
    dataset = market(days=20, names=10)
    nothing = Sample(dataset, np.zeros(0, dtype=np.int64))

    with pytest.raises(InvalidRequest, match="nothing to learn from: the train sample has 0 cells"):
        learner(kind, "regression", SMALL[kind], 1, threads=1).fit(
            nothing, None, scaler=Unscaled(), progress=lambda done, total: None, cancelled=lambda: False
        )


@pytest.mark.parametrize("kind", ["lightgbm", "catboost"])
def test_features_that_never_vary_are_refused(kind: str) -> None:
    dataset = market(days=20, names=10, missing=0.0)
    dataset.features.values[:] = 1.0  # type: ignore[attr-defined]
    train, valid, _ = parts(dataset)

    with pytest.raises(InvalidRequest, match="learn from"):
        learner(kind, "regression", {}, 1, threads=1).fit(
            train, valid, scaler=Unscaled(), progress=lambda done, total: None, cancelled=lambda: False
        )


@pytest.mark.parametrize("kind", [kind for kind in SMALL if kind != "catboost"])
def test_labels_that_are_all_the_same_are_predicted(kind: str) -> None:
    dataset = market(days=30, names=20)
    dataset = replace(dataset, label=np.full(len(dataset), 0.01, np.float32))
    train, valid, test = parts(dataset)

    model = learner(kind, "regression", SMALL[kind], 1, threads=1).fit(
        train, valid, scaler=Unscaled(), progress=lambda done, total: None, cancelled=lambda: False
    )

    np.testing.assert_allclose(model.predict(test.features()), 0.01, rtol=1e-6)
    assert model.importance().tolist() == [0.0] * 6


@pytest.mark.parametrize("kind", list(SMALL))
@pytest.mark.parametrize("damage", ["no head", "another kind", "features", "no model"])
def test_files_that_do_not_fit_are_refused(kind: str, damage: str, tmp_path: Path) -> None:
    fitted(kind, "regression").save(tmp_path)
    head = tmp_path / "predictor.json"
    text = head.read_text(encoding="utf-8")
    if damage == "no head":
        head.write_text("{")
    elif damage == "another kind":
        head.write_text(text.replace(f'"{kind}"', '"other"'), encoding="utf-8")
    elif damage == "features":
        head.write_text(text.replace('"features": 6', '"features": 7'), encoding="utf-8")
    else:
        next(path for path in tmp_path.iterdir() if path.is_file() and path != head).unlink()

    with pytest.raises(StoreCorrupt):
        load(kind, tmp_path, threads=1)


def test_no_module_imports_what_runs_programs_when_it_reads() -> None:
    import quantflux

    forbidden = "c?_?pickle|joblib|cloudpickle|dill|torch|marshal|shelve"
    imported = re.compile(
        rf"^\s*(from|import)\s+({forbidden})\b|import_module\(.({forbidden})\b", re.M | re.I
    )
    root = Path(quantflux.__file__).parent
    found = [
        path.relative_to(root).as_posix()
        for path in sorted(root.rglob("*.py"))
        if imported.search(path.read_text(encoding="utf-8"))
    ]

    # What a sweep sends to the processes that it started itself; it reads nobody's files.
    assert found == ["backtest/sweeps/sharing.py", "backtest/sweeps/workers.py"]
