"""Gradient boosted oblivious trees by CatBoost.

CatBoost takes features as one array of float32, four bytes a value, which it turns into bins itself: it needs more
memory than the other two. A model is kept in CatBoost's own format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, Self

import numpy as np

from quantflux.core.errors import InvalidRequest, MissingDependency, StoreCorrupt, Unsupported
from quantflux.learning.models.baseline import score_of_nothing
from quantflux.learning.models.contract import Progress, Report, Request, Scaling
from quantflux.learning.models.fitted import Fitted, named, read_head, shares
from quantflux.learning.models.grades import grades_in_day
from quantflux.learning.models.parameters import Choice, Number, Parameter, Whole
from quantflux.learning.models.stretches import matrix, something
from quantflux.learning.models.watching import BOOSTING, Watch
from quantflux.learning.samples import Sample

TASKS = ("regression", "ranking", "classification")

PARAMETERS: Mapping[str, Parameter] = {
    **BOOSTING,
    "learning_rate": Number(0.05, 1e-6, 1.0),
    "depth": Whole(6, 1, 16),
    "l2_leaf_reg": Number(10.0, 0.0),
    "subsample": Number(0.8, 1e-6, 1.0),
    "rsm": Number(0.6, 1e-6, 1.0),
    "random_strength": Number(1.0, 0.0),
    "border_count": Whole(254, 1, 65_535),
    "objective": Choice(None, ("RMSE", "MAE", "YetiRank", "QueryRMSE", "MultiClass")),
    "grades": Whole(5, 2, 31),
}
"""Those of CatBoost by its names; and `grades`, the steps in which a day's labels are ranked."""

ALIASES: Mapping[str, str] = {
    "iterations": "n_estimators",
    "num_boost_round": "n_estimators",
    "eta": "learning_rate",
    "max_depth": "depth",
    "reg_lambda": "l2_leaf_reg",
    "colsample_bylevel": "rsm",
    "max_bin": "border_count",
    "loss_function": "objective",
}

_OBJECTIVES = {
    "regression": ("RMSE", "MAE"),
    "ranking": ("YetiRank", "QueryRMSE"),
    "classification": ("MultiClass",),
}
_NDCG = "NDCG:top=50"
_CBM = "model.cbm"
_OURS = (*BOOSTING, "objective", "grades")


class CatboostLearner:
    """Fits CatBoost: see `contract.Learner`.

    Parameters
    ----------
    request : Request
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        valid = _OBJECTIVES[request.task]
        self._objective = request.parameters["objective"] or valid[0]
        if self._objective not in valid:
            raise InvalidRequest(
                f"catboost: the objective {self._objective!r} is not one of {request.task}; "
                f"valid is {', '.join(valid)}"
            )

    def fit(
        self,
        train: Sample,
        valid: Sample | None,
        *,
        scaler: Scaling,
        share: bool = False,
        progress: Progress,
        cancelled: Callable[[], bool],
        report: Report | None = None,
    ) -> CatboostPredictor:
        """Learn from a sample: see `contract.Learner`. Nothing is shared between samples."""
        library = _library()
        something(train, self.request.kind)
        chosen = self.request.parameters
        nothing = score_of_nothing(self._metric(), train, valid)
        watch = Watch.of_boosting(chosen, progress, cancelled, report, nothing)
        watch.begin()
        told = _Callback(watch, self._metric(), judged=valid is not None)
        model = library.CatBoost(self._asked())
        try:
            model.fit(
                self._pool(library, train, scaler),
                eval_set=None if valid is None else self._pool(library, valid, scaler),
                callbacks=[told],
                use_best_model=False,
            )
        except library.CatBoostError as error:
            told.again()
            raise InvalidRequest(f"catboost cannot learn from this train sample: {error}") from error
        told.again()
        kept = watch.best or model.tree_count_
        model.shrink(kept)
        return CatboostPredictor(_bytes(model), **named(self.request, len(train.names), kept))

    def _metric(self) -> str:
        return _NDCG if self.request.task == "ranking" else self._objective

    def _asked(self) -> dict[str, Any]:
        chosen = self.request.parameters
        more: dict[str, Any] = {"classes_count": self.request.classes} if self.request.classes else {}
        return {
            **{name: value for name, value in chosen.items() if name not in _OURS},
            "iterations": chosen["n_estimators"],
            "loss_function": self._objective,
            "eval_metric": self._metric(),
            "bootstrap_type": "Bernoulli",
            "boosting_type": "Plain",
            "random_seed": self.request.seed,
            "thread_count": self.request.threads,
            "allow_writing_files": False,
            "logging_level": "Silent",
            **more,
        }

    def _pool(self, library: ModuleType, sample: Sample, scaler: Scaling) -> Any:
        features = matrix(sample, scaler)
        if self.request.task != "ranking":
            return library.Pool(features, sample.label, weight=sample.weight)
        sizes = sample.day_sizes()
        # CatBoost weighs days, not cells.
        weight = np.add.reduceat(sample.weight.astype(np.float64), np.cumsum(sizes) - sizes) / sizes
        return library.Pool(
            features,
            grades_in_day(sample.label, sample.row, self.request.parameters["grades"]),
            group_id=sample.row,
            group_weight=np.repeat(weight, sizes),
        )


class CatboostPredictor(Fitted):
    """Trees that CatBoost walks.

    Parameters
    ----------
    data : bytes
        The model as CatBoost writes it.
    **head
        What `Fitted` is made of.
    """

    def __init__(self, data: bytes, **head: Any) -> None:
        super().__init__(**head)
        self._library = _library()
        self._data = data
        self._model = self._library.CatBoost()
        self._model.load_model(blob=data)

    def _scores(self, block: np.ndarray) -> np.ndarray:
        found = self._model.predict(block, prediction_type="RawFormulaVal", thread_count=self.threads)
        return np.asarray(found, dtype=np.float64)

    def _added(self, block: np.ndarray) -> np.ndarray:
        pool = self._library.Pool(block)
        found = self._model.get_feature_importance(pool, type="ShapValues", thread_count=self.threads)
        return self._linked(np.asarray(found, dtype=np.float64))

    def importance(self) -> np.ndarray:
        """Return the share of each feature in how predictions change with its splits, shape (F,)."""
        found = self._model.get_feature_importance(type="PredictionValuesChange", thread_count=self.threads)
        return shares(np.asarray(found, dtype=np.float64))

    def save(self, folder: Path) -> None:
        """Write `predictor.json` and CatBoost's file."""
        self._save_head(folder)
        (folder / _CBM).write_bytes(self._data)

    @classmethod
    def load(cls, folder: Path, threads: int) -> Self:
        """Read what `save` wrote; `StoreCorrupt` names the file that is damaged."""
        library, head, path = _library(), read_head(folder, threads), folder / _CBM
        try:
            found = cls(path.read_bytes(), **head)
            features = len(found._model.feature_names_)
        except (OSError, library.CatBoostError) as error:
            raise StoreCorrupt(f"{path} is no model of CatBoost: {error}", str(path)) from None
        if features != found.features:
            raise StoreCorrupt(f"{path} has {features} features; {found.features} were kept", str(path))
        return found


class _Callback:
    """Tells a watch of each round. CatBoost wants a yes or no: what is raised here waits until it has stopped."""

    def __init__(self, watch: Watch, metric: str, judged: bool) -> None:
        self._watch, self._metric, self._judged = watch, metric, judged
        self._raised: Exception | None = None

    def after_iteration(self, info: Any) -> bool:
        """Say whether to go on."""
        try:
            score = self._score(info.metrics.get("validation", {})) if self._judged else None
            return not self._watch.after(info.iteration, score)
        except Exception as error:  # noqa: BLE001 - it is raised again by `again`
            self._raised = error
            return False

    def _score(self, metrics: Mapping[str, Any]) -> float:
        """Return the last score, larger being better. CatBoost puts further settings behind the name of a metric."""
        for name, values in metrics.items():
            if values and (name == self._metric or name.startswith(f"{self._metric};")):
                return float(values[-1] if self._metric == _NDCG else -values[-1])
        # Without a score nothing would stop in time, and nobody would notice.
        raise Unsupported(
            f"catboost did not say {self._metric} of the valid sample, only {', '.join(metrics) or 'nothing'}; "
            "this version of it cannot be used"
        )

    def again(self) -> None:
        """Raise what was raised in a round."""
        if self._raised is not None:
            raise self._raised


def _bytes(model: Any) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / _CBM
        model.save_model(str(path))
        return path.read_bytes()


def _library() -> ModuleType:
    try:
        import catboost  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingDependency("CatBoost", "catboost") from error
    found: ModuleType = catboost
    return found
