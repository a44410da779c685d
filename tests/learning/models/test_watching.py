"""Fits that end early: because nothing gets better, because they are not promising, or because somebody says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quantflux.core.errors import Cancelled
from quantflux.learning.models import Pruned
from quantflux.learning.models.watching import Watch
from tests.learning.models.fits import SMALL, fit, samples

ROUNDS = {"random_forest": "n_estimators", "mlp": "max_iter"}
KINDS = [kind for kind in SMALL if kind != "ensemble"]


@pytest.mark.parametrize("kind", ["lightgbm", "xgboost", "catboost", "mlp", "ridge", "lasso"])
def test_fitting_stops_where_the_valid_sample_gains_nothing(kind: str) -> None:
    told: list[tuple[int, float]] = []
    asked = {
        "mlp": {"max_iter": 300, "learning_rate_init": 0.03},
        "ridge": {"n_alphas": 200},
        "lasso": {"n_alphas": 200},
    }.get(kind, {"n_estimators": 2000, "learning_rate": 0.5})

    model = fit(
        kind,
        "regression",
        early_stopping_rounds=5,
        hooks={"report": lambda number, score: bool(told.append((number, score)))},
        **asked,
    )

    best = max(told, key=lambda each: each[1])
    assert model.rounds == best[0]
    assert len(told) == best[0] + 5 < max(asked.values())


@pytest.mark.parametrize(
    ("kind", "task", "more"),
    [
        ("lightgbm", "regression", {"lambda_l2": 0.0, "min_data_in_leaf": 1}),
        ("lightgbm", "classification", {"lambda_l2": 0.0, "min_data_in_leaf": 1}),
        ("xgboost", "regression", {"reg_lambda": 0.0, "min_child_weight": 0}),
        ("xgboost", "classification", {"reg_lambda": 0.0, "min_child_weight": 0}),
        ("catboost", "classification", {"l2_leaf_reg": 0.1, "depth": 8}),
    ],
)
def test_fitting_stops_sooner_once_all_that_was_gained_is_lost(
    kind: str, task: str, more: dict[str, Any]
) -> None:
    """Trees that learn by heart do worse, after some rounds, than no model; the round that is kept stays the same."""
    asked = more | {"n_estimators": 400, "learning_rate": 1.0, "early_stopping_rounds": 200}
    told: dict[int, list[float]] = {10: [], 0: []}

    models = [
        fit(
            kind,
            task,
            give_up_rounds=gives_up,
            hooks={"report": lambda number, score, scores=scores: bool(scores.append(score))},
            **asked,
        )
        for gives_up, scores in told.items()
    ]

    short, whole = told.values()
    assert len(short) < len(whole) and short == whole[: len(short)]
    assert models[0].rounds == models[1].rounds
    features = samples(task)[2].features()
    np.testing.assert_array_equal(models[0].predict(features), models[1].predict(features))


def last_round(scores: list[float], **more: Any) -> int:
    """The round after which a watch says that it is enough, 0 if it never does."""
    watch = Watch(len(scores), 6, lambda done, total: None, lambda: False, **more)
    return next((done for done, score in enumerate(scores, start=1) if watch.after(done, score)), 0)


@pytest.mark.parametrize(
    ("scores", "stops"),
    [
        ([-0.9, -0.8, -0.9, -1.1, -1.1, -1.1, -1.1, -1.1], 5),  # lost by round 4, and 3 rounds since the best
        ([-0.9, -0.8, -1.1, -1.1, -0.95, -1.1, -1.1, -1.1], 6),  # in the round that counts it was no worse
        ([-0.9, -0.8, -0.9, -0.9, -1.0, -0.9, -0.9, -0.9], 8),  # as good as nothing is not worse
        ([-1.2, -1.1, -1.2, -1.3, -1.3, -1.3, -1.3, -1.3], 8),  # never better: nothing was lost
        ([-1.2, -1.1, -1.2, -1.3, -1.3, -1.1, -1.0, -0.9], 0),  # it came, late
        ([-0.9, -1.1, -0.8, -1.1, -0.7, -1.1, -0.6, -1.1], 0),
    ],
)
def test_a_model_is_given_up_once_worse_than_nothing(scores: list[float], stops: int) -> None:
    assert last_round(scores, gives_up=3, nothing=-1.0) == stops
    assert last_round(scores) == (8 if stops else 0)


@pytest.mark.parametrize(
    ("patience", "asked", "gives_up"),
    [(200, None, 100), (50, None, 25), (20, None, 25), (50, 10, 10), (50, 0, 0), (0, None, 0)],
)
def test_half_the_patience_is_waited_unless_more_is_said(
    patience: int, asked: int | None, gives_up: int
) -> None:
    chosen = {"n_estimators": 100, "early_stopping_rounds": patience, "give_up_rounds": asked}

    watch = Watch.of_boosting(chosen, lambda done, total: None, lambda: False, None, -1.0)

    assert (watch.rounds, watch.patience, watch.gives_up, watch.nothing) == (100, patience, gives_up, -1.0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fit_that_is_not_promising_is_given_up(kind: str) -> None:
    with pytest.raises(Pruned, match="given up in round 3") as raised:
        fit(kind, "regression", hooks={"report": lambda number, score: number == 3})

    assert raised.value.round == 3 and raised.value.score < 0


@pytest.mark.parametrize("kind", list(SMALL))
def test_a_fit_can_be_cancelled_between_rounds(kind: str) -> None:
    done: list[int] = []

    with pytest.raises(Cancelled):
        fit(
            kind,
            "regression",
            hooks={
                "progress": lambda now, total: done.append(now),
                "cancelled": lambda: max(done, default=0) >= 4,
            },
        )

    assert max(done) <= (4 if kind != "ensemble" else 100 * 5 // 40)


@pytest.mark.parametrize("kind", list(SMALL))
def test_a_cancelled_fit_does_not_begin(kind: str) -> None:
    with pytest.raises(Cancelled):
        fit(kind, "regression", hooks={"cancelled": lambda: True})


@pytest.mark.parametrize("kind", list(SMALL))
def test_progress_grows_to_at_most_its_total(kind: str) -> None:
    told: list[tuple[int, int]] = []

    fit(kind, "regression", hooks={"progress": lambda done, total: told.append((done, total))})

    done, totals = [each[0] for each in told], {each[1] for each in told}
    assert done == sorted(done) and len(totals) == 1 and 0 < done[-1] <= totals.pop()
