"""Fits that end early: because nothing gets better, because they are not promising, or because somebody says so."""

from __future__ import annotations

import pytest

from quantflux.core.errors import Cancelled
from quantflux.learning.models import Pruned
from tests.learning.models.fits import SMALL, fit

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
