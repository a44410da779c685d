"""CatBoost: rankings stop in time, however it calls the score that they stop by."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from quantflux.core.errors import Unsupported
from quantflux.learning.models.catboost import _Callback
from quantflux.learning.models.watching import Watch
from tests.learning.models.fits import fit

NDCG = "NDCG:top=50"


@pytest.mark.parametrize("objective", ["YetiRank", "QueryRMSE"])
def test_a_ranking_stops_in_time_and_keeps_the_best_round(objective: str) -> None:
    told: list[tuple[int, float]] = []

    model = fit(
        "catboost",
        "ranking",
        objective=objective,
        n_estimators=300,
        learning_rate=0.5,
        early_stopping_rounds=5,
        hooks={"report": lambda number, score: bool(told.append((number, score)))},
    )

    best = max(told, key=lambda each: each[1])
    assert model.rounds == best[0]
    assert len(told) == best[0] + 5 < 300


def after_a_round(metric: str, metrics: dict[str, Any], judged: bool = True) -> list[tuple[int, float]]:
    """What is reported of one round of which CatBoost says so much."""
    told: list[tuple[int, float]] = []
    watch = Watch(
        9,
        5,
        lambda done, total: None,
        lambda: False,
        lambda number, score: bool(told.append((number, score))),
    )
    callback = _Callback(watch, metric, judged)
    callback.after_iteration(SimpleNamespace(iteration=1, metrics=metrics))
    callback.again()
    return told


@pytest.mark.parametrize("name", [NDCG, f"{NDCG};type=Base"])
def test_the_score_is_found_under_its_plain_name_and_with_settings_behind(name: str) -> None:
    others = {"NDCG:top=500": [0.1], "QueryRMSE": [0.2]}

    assert after_a_round(NDCG, {"validation": others | {name: [0.3, 0.4]}}) == [(1, 0.4)]


def test_a_loss_counts_the_other_way_round() -> None:
    assert after_a_round("RMSE", {"validation": {"RMSE": [0.3, 0.4]}}) == [(1, -0.4)]


@pytest.mark.parametrize("metrics", [{"learn": {NDCG: [0.4]}}, {"validation": {"NDCG:top=500": [0.4]}}])
def test_a_valid_sample_without_score_is_an_error(metrics: dict[str, Any]) -> None:
    with pytest.raises(Unsupported, match="catboost did not say NDCG:top=50 of the valid sample"):
        after_a_round(NDCG, metrics)

    assert after_a_round(NDCG, metrics, judged=False) == []
