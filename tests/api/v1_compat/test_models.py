"""Models described, trained, used and judged: v1's keys, with figures by pandas and scikit-learn, no constants."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import stats
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from quantflux.data.contract import Query
from quantflux.data.schema import PREDICTIONS
from quantflux.learning.out_of_sample import OutOfSample
from quantflux.platform import Platform
from tests.api.v1_compat.conftest import DAY, Call
from tests.api.v1_compat.test_factors import STOCK, wide

TRAINED = {"start_date": "2023-04-03", "end_date": "2024-04-30"}
METRICS = {
    *("train_r2", "test_r2", "train_mse", "test_mse", "train_mae", "test_mae", "feature_count"),
    *("sample_count", "feature_importance", "cv_mean", "cv_std"),
}
HORIZON = 5


def described(name: str, **more: Any) -> dict[str, Any]:
    return {
        "model_id": name,
        "model_name": name.upper(),
        "model_type": "lightgbm",
        "factor_list": ["momentum_5d", "volatility_20d"],
        "target_type": f"return_{HORIZON}d",
        "model_params": {"n_estimators": 8},
        **more,
    }


@pytest.fixture(scope="module")
def trained(platform: Platform, as_role: Any) -> dict[str, Any]:
    """What training a model told."""
    client = as_role("researcher")
    assert client.post("/api/ml-factor/models/create", json=described("first")).status_code == 200
    answer = client.post("/api/ml-factor/models/train", json={"model_id": "first", **TRAINED})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_models_are_described_once(factor: Call) -> None:
    row = described("plain", training_config={"cv_folds": 3})
    assert factor("models/create", row) == {"success": True, "message": "成功创建模型定义: plain"}
    (told,) = (each for each in factor("models/list")["models"] if each["model_id"] == "plain")
    assert {name: told[name] for name in row} == row
    assert set(told) == set(row) | {"training_config", "is_active", "created_at", "updated_at"}
    assert told["is_active"] is True
    assert "exists" in factor("models/create", row, status=409)["error"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"model_id": None},
        {"model_id": "../../etc/passwd"},
        {"model_type": "oracle"},
        {"target_type": "simulated_return"},
        {"factor_list": "momentum_5d"},
        {"model_params": {"n_estimators": -1}},
    ],
)
def test_what_is_no_model_is_refused(factor: Call, wrong: dict[str, Any]) -> None:
    assert set(factor("models/create", described("wrong") | wrong, status=400)) == {"error"}
    assert "wrong" not in {each["model_id"] for each in factor("models/list")["models"]}


def test_figures_of_a_training_are_of_days_not_seen(
    trained: dict[str, Any], platform: Platform, bars: pd.DataFrame
) -> None:
    assert set(trained) == {
        *("success", "message", "metrics", "training_samples", "accuracy", "loss", "model_size")
    }
    metrics = trained["metrics"]
    assert set(metrics) == METRICS
    version = platform.models.registry.get("first")
    close = wide(bars)
    came = close.shift(-HORIZON) / close - 1
    kept = OutOfSample(platform.settings.data_dir / "models" / "out_of_sample")
    days = close.index.to_numpy().astype("datetime64[D]")
    said = pd.DataFrame(
        kept.read(version, days, np.array(close.columns, dtype=np.str_)), close.index, close.columns
    )
    both = pd.DataFrame({"said": said.stack(), "came": came.stack()}).dropna()
    both = both[both.index.get_level_values(0) <= pd.Timestamp("2024-04-22")]  # whose week ends in the span
    assert metrics["test_r2"] == pytest.approx(r2_score(both["came"], both["said"]), abs=5e-3)
    assert metrics["test_mse"] == pytest.approx(mean_squared_error(both["came"], both["said"]), rel=0.02)
    assert metrics["test_mae"] == pytest.approx(mean_absolute_error(both["came"], both["said"]), rel=0.02)
    hits = (np.sign(both["said"]) == np.sign(both["came"])).mean()
    assert float(trained["accuracy"].rstrip("%")) == pytest.approx(100 * hits, abs=1)
    assert trained["training_samples"] == metrics["sample_count"] == version.cells
    assert sum(metrics["feature_importance"].values()) == pytest.approx(1)
    assert set(metrics["feature_importance"]) == {"momentum_5d", "volatility_20d"}
    assert metrics["train_r2"] > metrics["test_r2"]


def test_predictions_are_saved_with_dense_ranks(
    trained: dict[str, Any], factor: Call, platform: Platform
) -> None:
    told = factor("models/predict", {"model_id": "first", "trade_date": DAY.isoformat()})
    rows = told["predictions"]
    assert set(rows[0]) == {
        *("ts_code", "trade_date", "model_id", "predicted_return", "probability_score", "rank_score")
    }
    returns = np.array([row["predicted_return"] for row in rows])
    assert [row["rank_score"] for row in rows] == stats.rankdata(-returns, method="dense").tolist()
    stored = platform.data.read(Query(PREDICTIONS, None, DAY, DAY)).column("model_id").to_pylist()
    assert stored.count("first") == len(rows)
    one = factor(
        "models/predict",
        {"model_id": "first", "trade_date": DAY.isoformat(), "ts_codes": [rows[0]["ts_code"], "999999.SZ"]},
    )
    assert one["predictions"] == rows[:1]


def test_no_day_is_taken_for_another(trained: dict[str, Any], factor: Call) -> None:
    body = {"model_id": "first"}
    assert "learnt" in factor("models/predict", body | {"trade_date": "2023-12-01"}, status=400)["error"]
    factor("models/predict", body | {"trade_date": "2024-06-01"}, status=404)
    factor("models/predict", {"model_id": "nobody", "trade_date": DAY.isoformat()}, status=404)
    factor("models/train", {"model_id": "nobody", **TRAINED}, status=404)
    few = {"model_id": "first", "start_date": "2024-03-01", "end_date": "2024-03-29"}
    assert "trading days" in factor("models/train", few, status=400)["error"]
    later = {"model_id": "first", "start_date": "2024-06-27", "end_date": "2024-06-28"}
    factor("models/evaluate", later, status=404)


def test_a_model_is_judged_by_what_came(
    trained: dict[str, Any], factor: Call, platform: Platform, bars: pd.DataFrame
) -> None:
    span = {"start_date": "2023-10-09", "end_date": "2023-12-29"}
    told = factor("models/evaluate", {"model_id": "first", **span})
    assert told["evaluation_period"] == "2023-10-09 to 2023-12-29"
    metrics = told["metrics"]
    close = wide(bars)
    came = close.shift(-HORIZON) / close - 1
    kept = OutOfSample(platform.settings.data_dir / "models" / "out_of_sample")
    days = close.index.to_numpy().astype("datetime64[D]")
    version = platform.models.registry.get("first")
    said = pd.DataFrame(
        kept.read(version, days, np.array(close.columns, dtype=np.str_)), close.index, close.columns
    )
    both = pd.DataFrame({"said": said.stack(), "came": came.stack()}).dropna().loc["2023-10-09":"2023-12-29"]
    assert metrics["sample_count"] == pytest.approx(len(both), rel=0.02)
    assert metrics["correlation"] == pytest.approx(both["said"].corr(both["came"]), abs=0.02)
    assert metrics["mse"] == pytest.approx(((both["said"] - both["came"]) ** 2).mean(), rel=0.02)
    assert list(metrics["quintile_returns"]) == ["Q1", "Q2", "Q3", "Q4", "Q5"]
    mean = np.mean(list(metrics["quintile_returns"].values()))
    assert mean == pytest.approx(both["came"].mean(), abs=1e-3)
    by_day = [day["said"].corr(day["came"]) for _, day in both.groupby(level=0) if day["said"].nunique() > 1]
    assert metrics["information_ratio"] == pytest.approx(np.mean(by_day) / np.std(by_day, ddof=1), abs=0.05)


@pytest.mark.slow
def test_models_of_version_2_are_listed_and_trained(factor: Call, platform: Platform) -> None:
    from quantflux.learning.specification import specification_of

    spec = specification_of(
        {
            "id": "newer",
            "kind": "ridge",
            "features": {"names": ["v1.momentum_20d"]},
            "label": {"horizon": 3, "entry": "close"},
            "split": {"train": 80, "valid": 20, "test": 40, "folds": 2},
        }
    )
    platform.models.train(spec)
    (told,) = (each for each in factor("models/list")["models"] if each["model_id"] == "newer")
    assert (told["model_type"], told["factor_list"], told["target_type"]) == (
        "ridge",
        ["momentum_20d"],
        "return_3d",
    )


def test_rankings_by_models_average_what_is_stored(
    factor: Call, platform: Platform, bars: pd.DataFrame
) -> None:
    names = sorted(bars[bars["trade_date"] == pd.Timestamp("2024-06-20")]["symbol"])[:4]
    said = {"x": [0.5, 0.25, 0.375], "y": [None, 0.75, 0.375, 1.0]}
    rows = [
        {
            "symbol": name,
            "trade_date": pd.Timestamp("2024-06-20").date(),
            "model_id": model,
            "predicted_return": value,
            "rank_score": place + 1,
        }
        for model, values in said.items()
        for place, (name, value) in enumerate(zip(names, values, strict=False))
        if value is not None
    ]
    platform.data.write(PREDICTIONS, pa.Table.from_pylist(rows, schema=PREDICTIONS.schema))
    body = {"trade_date": "2024-06-20", "model_ids": ["x", "y", "z"]}
    told = factor("scoring/ml-based", body)
    best = told["top_stocks"]
    assert [each["ts_code"] for each in best] == [names[3], names[0], names[1], names[2]]
    np.testing.assert_allclose([each["ensemble_score"] for each in best], [1.0, 0.5, 0.5, 0.375])
    assert [each["rank"] for each in best] == [1, 2, 2, 3]
    assert [each["model_count"] for each in best] == [1, 1, 2, 2]
    assert set(best[0]) == STOCK | {"ensemble_score", "model_count"}
    ranks = factor("scoring/ml-based", body | {"ensemble_method": "rank_average", "top_n": 1})["top_stocks"]
    assert ranks[0]["ts_code"] == names[0]
    assert ranks[0]["ensemble_score"] == pytest.approx(1)
    factor("scoring/ml-based", body | {"trade_date": "2024-06-21"}, status=404)
    factor("scoring/ml-based", body | {"ensemble_method": "magic"}, status=400)


@pytest.mark.slow
def test_several_models_are_trained_and_used(factor: Call) -> None:
    body = {
        "model_configs": [described("third", target_type="return_10d"), {"model_id": "fourth"}],
        "train_start_date": TRAINED["start_date"],
        "train_end_date": TRAINED["end_date"],
        "predict_date": DAY.isoformat(),
    }
    told = factor("batch/train-and-predict", body)
    assert told["train_period"] == "2023-04-03 to 2024-04-30"
    good, bad = told["results"]
    assert set(good) == {
        *("model_id", "create_success", "train_success", "predict_success", "save_success"),
        *("train_metrics", "prediction_count"),
    }
    assert set(good["train_metrics"]) == METRICS
    assert good["prediction_count"] > 0
    assert bad == {"model_id": "fourth", "error": "缺少必需参数: model_name"}
    factor("batch/train-and-predict", body | {"predict_date": None}, status=400)
