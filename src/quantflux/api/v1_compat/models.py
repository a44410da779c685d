"""`/api/ml-factor/models/*`: models trained, used and judged.

Figures are of days that a model had not learnt from (`test_*`) and of those that it had (`train_*`); nothing is a
constant. A prediction of a day whose future the model has seen is refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quantflux.api.v1_compat.asked import Asked
from quantflux.api.v1_compat.book import Book
from quantflux.api.v1_compat.definitions import add, row_of, to_train
from quantflux.api.v1_compat.envelope import Refused
from quantflux.api.v1_compat.factors import short_name
from quantflux.api.v1_compat.rounding import number
from quantflux.core.errors import NotFound, QuantfluxError
from quantflux.data.contract import Query
from quantflux.data.schema import PREDICTIONS
from quantflux.learning.assembly import Assembled, assemble, outcomes
from quantflux.learning.explanation import Explanation
from quantflux.learning.findings import Basis
from quantflux.learning.out_of_sample import OutOfSample
from quantflux.learning.predictions import laid_out
from quantflux.learning.registry import ModelVersion
from quantflux.learning.service import TrainedModel
from quantflux.learning.training import Hooks
from quantflux.platform import Platform
from quantflux.work.quotes import training_seconds

_MOST_CELLS = 200_000  # of those learnt from that the figures of the fit are taken from
_QUINTILES = 5
_LEAST_A_DAY = 3


@dataclass(frozen=True)
class Figures:
    """How far predictions lie from what came; NaN where a figure has no meaning."""

    r2: float
    mse: float
    mae: float
    correlation: float
    same_sign: float
    count: int


_NOTHING = Figures(math.nan, math.nan, math.nan, math.nan, math.nan, 0)


def train_model(asked: Asked) -> dict[str, Any]:
    """Train a model on the days of a span, judge it along time, and keep it."""
    asked.body.require("model_id", "start_date", "end_date")
    made, metrics = trained(asked, asked.body.text("model_id"), *asked.body.span())
    version = made.version
    hits = metrics.pop("same_sign")
    size = sum(path.stat().st_size for path in version.folder.rglob("*") if path.is_file())
    return {
        "message": f"模型训练完成: {version.id}",
        "metrics": metrics,
        "training_samples": version.cells,
        "accuracy": None if hits is None else f"{100 * hits:.1f}%",
        "loss": None if metrics["test_mse"] is None else f"{metrics['test_mse']:.6g}",
        "model_size": f"{size / 1e6:.2f}MB",
    }


def predict(asked: Asked) -> dict[str, Any]:
    """Predict from what was known at the close of a day, and save that."""
    body = asked.body
    body.require("model_id", "trade_date")
    table = predicted(asked.platform, body.text("model_id"), body.the_day("trade_date"))
    if codes := body.codes():
        table = table.filter(pc.is_in(table["symbol"], value_set=pa.array(codes, pa.string())))
    if not table.num_rows:
        raise Refused(404, "预测失败或无数据")
    return {"message": f"预测完成: {table.num_rows} 只股票", "predictions": _told(table)}


def evaluate(asked: Asked) -> dict[str, Any]:
    """Set what a model predicted of the days of a span, none of which it had seen, beside what came."""
    asked.body.require("model_id", "start_date", "end_date")
    model_id, (start, end) = asked.body.text("model_id"), asked.body.span()
    said, came = _unseen(asked.platform, _version(asked.platform, model_id), start, end)
    figures = figures_of(said, came)
    if not figures.count:
        raise Refused(
            404, f"{model_id} predicted nothing out of sample from {start} to {end} that came true yet"
        )
    metrics = {
        "correlation": number(figures.correlation),
        "mse": number(figures.mse),
        "mae": number(figures.mae),
        "r2": number(figures.r2),
        "sample_count": figures.count,
        "quintile_returns": _quintiles(said, came),
        "information_ratio": _information_ratio(said, came),
    }
    return {"model_id": model_id, "evaluation_period": f"{start} to {end}", "metrics": metrics}


def train_and_predict(asked: Asked) -> dict[str, Any]:
    """Describe, train and use several models; each tells how far it came."""
    body = asked.body
    body.require(
        "model_configs", "train_start_date", "train_end_date", "predict_date", message="缺少必需参数"
    )
    start, end = body.span("train_start_date", "train_end_date")
    day = body.the_day("predict_date")
    results = []
    for config in body.objects("model_configs"):
        told: dict[str, Any] = {"model_id": str(config.given.get("model_id", "unknown"))[:60]}
        try:
            row = row_of(config)
            add(asked, row)
            told |= {"create_success": True, "train_success": False}
            _, metrics = trained(asked, row["model_id"], start, end)
            metrics.pop("same_sign")
            told |= {"train_success": True, "predict_success": False}
            table = predicted(asked.platform, row["model_id"], day)
            told |= {
                "predict_success": True,
                "save_success": True,
                "train_metrics": metrics,
                "prediction_count": table.num_rows,
            }
        except (Refused, QuantfluxError) as exc:
            told["error"] = str(exc)
        results.append(told)
    return {"train_period": f"{start} to {end}", "predict_date": day.isoformat(), "results": results}


def trained(asked: Asked, model_id: str, start: date, end: date) -> tuple[TrainedModel, dict[str, Any]]:
    """Train a model; return it, and v1's figures with the part of predictions of the right sign."""
    platform = asked.platform
    spec = to_train(platform, model_id, start, end)
    platform.budget.spend(asked.caller.owner, training_seconds(platform, spec))
    hooks = Hooks(cancelled=asked.give_up.is_set)
    made = platform.models.train(spec, actor=asked.caller.name or "v1", hooks=hooks)
    assembled = assemble(platform.data, platform.factors, spec)
    metrics = _metrics(platform, made, assembled)
    Book.of(platform, "trainings").put(
        f"{made.version.id}.{made.version.version}",
        {
            "model_id": made.version.id,
            "model_type": made.version.kind,
            "date": made.version.created.date().isoformat(),
            "metrics": metrics,
        },
    )
    return made, metrics


def predicted(platform: Platform, model_id: str, day: date) -> pa.Table:
    """Return the predictions of a day, the best first, once they are saved."""
    return platform.models.predict(model_id, day, save=True)


def figures_of(said: np.ndarray, came: np.ndarray) -> Figures:
    """Compare predictions with what came, where both are known."""
    known = np.isfinite(said) & np.isfinite(came)
    one, two = said[known].astype(np.float64), came[known].astype(np.float64)
    if len(one) < 2:
        return replace(_NOTHING, count=len(one))
    gap = one - two
    spread = float(((two - two.mean()) ** 2).sum())
    varied = one.std() > 0 and two.std() > 0
    return Figures(
        1 - float((gap**2).sum()) / spread if spread > 0 else float("nan"),
        float((gap**2).mean()),
        float(np.abs(gap).mean()),
        float(np.corrcoef(one, two)[0, 1]) if varied else float("nan"),
        float((np.sign(one) == np.sign(two)).mean()),
        len(one),
    )


def _metrics(platform: Platform, made: TrainedModel, assembled: Assembled) -> dict[str, Any]:
    version, labels, dataset = made.version, assembled.labels.values, assembled.dataset
    said = _kept(platform, version, dataset.days, dataset.symbols)
    test = figures_of(said, labels)
    fit = _fit(platform, version, assembled)
    folds = [
        figures_of(said[rows], labels[rows]).r2
        for fold in made.folds
        for rows in [slice(*np.searchsorted(dataset.days, [fold.test[0], fold.test[1] + 1]))]
    ]
    known = np.array([value for value in folds if np.isfinite(value)])
    told: dict[str, Any] = {
        f"{part}_{name}": number(getattr(figures, name))
        for part, figures in (("train", fit), ("test", test))
        for name in ("r2", "mse", "mae")
    }
    return told | {
        "feature_count": len(made.explanation.names),
        "sample_count": version.cells,
        "feature_importance": _importance(made.explanation),
        "cv_mean": number(known.mean()) if len(known) else None,
        "cv_std": number(known.std()) if len(known) else None,
        "same_sign": number(test.same_sign),
    }


def _fit(platform: Platform, version: ModelVersion, assembled: Assembled) -> Figures:
    """Return how the model that is kept fits what it learnt from."""
    dataset = assembled.dataset
    days = dataset.days[dataset.row]
    cells = np.flatnonzero((days >= np.datetime64(version.first)) & (days <= np.datetime64(version.last)))
    cells = cells[:: -(-len(cells) // _MOST_CELLS) or 1]
    model = platform.models.registry.load(version)
    said = model.predict(dataset.features.gather(dataset.row[cells], dataset.column[cells]))
    return figures_of(said, dataset.label[cells])


def _importance(explanation: Explanation) -> dict[str, float]:
    """Return the part of each factor in all that moves predictions; together 1."""
    strength = np.asarray(explanation.strength, dtype=np.float64)
    total = float(strength.sum())
    return {
        short_name(name): float(value / total) if total > 0 else 0.0
        for name, value in zip(explanation.names, strength, strict=True)
    }


def _version(platform: Platform, model_id: str) -> ModelVersion:
    return platform.models.registry.get(model_id)


def _kept(platform: Platform, version: ModelVersion, days: np.ndarray, symbols: np.ndarray) -> np.ndarray:
    folder = platform.settings.data_dir / "models" / "out_of_sample"
    return OutOfSample(folder).read(version, days, symbols)


def _unseen(
    platform: Platform, version: ModelVersion, start: date, end: date
) -> tuple[np.ndarray, np.ndarray]:
    """Return predictions of days that the version had not seen, and what came, both of shape (T, N).

    They are those of its validation, and those saved of later days.
    """
    basis, spec = Basis.of(version), platform.models.registry.load(version).spec
    universe = spec.universe.model_copy(update={"where": basis.where, "end": None})
    came = outcomes(platform.data, platform.factors, universe, basis.label)
    times, symbols = came.market.raw.times, came.market.raw.symbols
    try:
        said = _kept(platform, version, times, symbols)
    except NotFound:
        said = np.full((len(times), len(symbols)), np.nan)
    if platform.data.store.span(PREDICTIONS) is not None:
        rows = platform.data.read(
            Query(PREDICTIONS, None, basis.known, None, ("model_id", "predicted_return"))
        )
        later = laid_out(rows, version.id, times, symbols)
        said = np.where(np.isnan(later), said, later)
    inside = (times >= np.datetime64(start)) & (times <= np.datetime64(end))
    return said[inside], came.labels.values[inside]


def _quintiles(said: np.ndarray, came: np.ndarray) -> dict[str, float | None]:
    """Return what came, on average, of each fifth of the predictions, the lowest first."""
    known = np.isfinite(said) & np.isfinite(came)
    order = np.argsort(said[known], kind="stable")
    parts = np.array_split(came[known][order], _QUINTILES)
    return {f"Q{place}": number(part.mean()) if len(part) else None for place, part in enumerate(parts, 1)}


def _information_ratio(said: np.ndarray, came: np.ndarray) -> float | None:
    """Return the mean over days of the correlation of predictions and returns, over its deviation."""
    found = []
    for row in range(len(said)):
        figures = figures_of(said[row], came[row])
        if figures.count >= _LEAST_A_DAY and np.isfinite(figures.correlation):
            found.append(figures.correlation)
    spread = float(np.std(found, ddof=1)) if len(found) > 1 else 0.0
    return float(np.mean(found)) / spread if spread > 0 else None


def _told(table: pa.Table) -> list[dict[str, Any]]:
    return [
        {
            "ts_code": row["symbol"],
            "trade_date": row["trade_date"].isoformat(),
            "model_id": row["model_id"],
            "predicted_return": row["predicted_return"],
            "probability_score": row["probability_score"],
            "rank_score": row["rank_score"],
        }
        for row in table.to_pylist()
    ]
