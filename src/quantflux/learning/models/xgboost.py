"""Gradient boosted trees by XGBoost.

Bins are laid stretch by stretch, as for LightGBM. XGBoost adds up in float32: predictions, and what features add to
them, are exact to about 1e-7 of their size. A model is kept as XGBoost's JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import numpy as np

from quantflux.core.errors import InvalidRequest, MissingDependency, StoreCorrupt
from quantflux.learning.models.baseline import score_of_nothing
from quantflux.learning.models.contract import Progress, Report, Request, Scaling
from quantflux.learning.models.fitted import Fitted, named, read_head, read_text, shares
from quantflux.learning.models.grades import grades_in_day
from quantflux.learning.models.parameters import Choice, Number, Parameter, Whole
from quantflux.learning.models.stretches import gathered, rows_at_once, something
from quantflux.learning.models.watching import BOOSTING, Watch
from quantflux.learning.samples import Sample

TASKS = ("regression", "ranking", "classification")

PARAMETERS: Mapping[str, Parameter] = {
    **BOOSTING,
    "learning_rate": Number(0.05, 1e-6, 1.0),
    "max_depth": Whole(6, 0, 100),
    "max_leaves": Whole(0, 0, 131_072),
    "grow_policy": Choice("depthwise", ("depthwise", "lossguide")),
    "min_child_weight": Number(None, 0.0),
    "gamma": Number(0.0, 0.0),
    "subsample": Number(0.8, 1e-6, 1.0),
    "colsample_bytree": Number(0.6, 1e-6, 1.0),
    "colsample_bylevel": Number(1.0, 1e-6, 1.0),
    "colsample_bynode": Number(1.0, 1e-6, 1.0),
    "reg_alpha": Number(0.0, 0.0),
    "reg_lambda": Number(10.0, 0.0),
    "max_bin": Whole(256, 2, 65_536),
    "grades": Whole(5, 2, 31),
}
"""Those of XGBoost by its names; and `grades`, the steps in which a day's labels are ranked.

`min_child_weight` is a sum of second derivatives: a cell counts 1 in regression, less in the other tasks. Left out, it
is about 500 cells.
"""

ALIASES: Mapping[str, str] = {
    "num_boost_round": "n_estimators",
    "eta": "learning_rate",
    "min_split_loss": "gamma",
    "alpha": "reg_alpha",
    "lambda": "reg_lambda",
}

_OBJECTIVES = {
    "regression": ("reg:squarederror", "rmse"),
    "ranking": ("rank:pairwise", "ndcg@50"),
    "classification": ("multi:softprob", "mlogloss"),
}
_LEAF_WEIGHTS = {"regression": 500.0, "ranking": 1.0, "classification": 200.0}
_JSON = "model.json"
_OURS = (*BOOSTING, "grades")


class XgboostLearner:
    """Fits XGBoost: see `contract.Learner`.

    Parameters
    ----------
    request : Request
    """

    def __init__(self, request: Request) -> None:
        self.request = request

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
    ) -> XgboostPredictor:
        """Learn from a sample: see `contract.Learner`. Bins are laid anew for each sample."""
        library = _library()
        something(train, self.request.kind)
        chosen = self.request.parameters
        nothing = score_of_nothing(_OBJECTIVES[self.request.task][1], train, valid)
        watch = Watch.of_boosting(chosen, progress, cancelled, report, nothing)
        watch.begin()
        try:
            booster = self._trained(library, train, valid, scaler, watch)
        except library.core.XGBoostError as error:
            said = str(error).strip().partition("\n")[0]
            raise InvalidRequest(f"xgboost cannot learn from this train sample: {said}") from error
        kept = watch.best or booster.num_boosted_rounds()
        text = bytes(booster[:kept].save_raw("json")).decode()
        return XgboostPredictor(text, **named(self.request, len(train.names), kept))

    def _trained(
        self, library: ModuleType, train: Sample, valid: Sample | None, scaler: Scaling, watch: Watch
    ) -> Any:
        learnt = self._laid(library, train, scaler, watch, None)
        checked = None if valid is None else self._laid(library, valid, scaler, watch, learnt)
        return library.train(
            self._asked(),
            learnt,
            num_boost_round=self.request.parameters["n_estimators"],
            evals=[] if checked is None else [(checked, "valid")],
            verbose_eval=False,
            callbacks=[_callback(library, watch, larger_is_better=self.request.task == "ranking")],
        )

    def _asked(self) -> dict[str, Any]:
        objective, metric = _OBJECTIVES[self.request.task]
        more: dict[str, Any] = {"num_class": self.request.classes} if self.request.classes else {}
        if self.request.parameters["min_child_weight"] is None:
            more["min_child_weight"] = _LEAF_WEIGHTS[self.request.task]
        return {
            **{name: value for name, value in self.request.parameters.items() if name not in _OURS},
            "objective": objective,
            "eval_metric": metric,
            "tree_method": "hist",
            "seed": self.request.seed,
            "nthread": self.request.threads,
            "verbosity": 0,
            **more,
        }

    def _laid(self, library: ModuleType, sample: Sample, scaler: Scaling, watch: Watch, bins: Any) -> Any:
        """Return a sample in bins: in those of another one, or its own."""
        laid = library.QuantileDMatrix(
            _stretches(library, sample, scaler, watch),
            ref=bins,
            max_bin=self.request.parameters["max_bin"],
            nthread=self.request.threads,
        )
        if self.request.task == "ranking":
            sizes = sample.day_sizes()
            grades = grades_in_day(sample.label, sample.row, self.request.parameters["grades"])
            # XGBoost weighs days, not cells.
            weight = np.add.reduceat(sample.weight.astype(np.float64), np.cumsum(sizes) - sizes) / sizes
            laid.set_info(label=grades, group=sizes, weight=weight.astype(np.float32))
        else:
            laid.set_info(label=sample.label, weight=sample.weight)
        return laid


class XgboostPredictor(Fitted):
    """Trees that XGBoost walks.

    Parameters
    ----------
    text : str
        The model as XGBoost writes it in JSON.
    **head
        What `Fitted` is made of.
    """

    def __init__(self, text: str, **head: Any) -> None:
        super().__init__(**head)
        # Read from its text even when just fitted, so that a model is the same before and after it is kept.
        self._library = _library()
        self._text = text
        self._booster = self._library.Booster({"nthread": self.threads, "verbosity": 0})
        self._booster.load_model(bytearray(text.encode()))

    def _scores(self, block: np.ndarray) -> np.ndarray:
        found = self._booster.predict(self._matrix(block), output_margin=True)
        return np.asarray(found, dtype=np.float64)

    def _added(self, block: np.ndarray) -> np.ndarray:
        found = self._booster.predict(self._matrix(block), pred_contribs=True)
        return self._linked(np.asarray(found, dtype=np.float64))

    def _matrix(self, block: np.ndarray) -> Any:
        return self._library.DMatrix(block, nthread=self.threads)

    def importance(self) -> np.ndarray:
        """Return the share of each feature in the gain of all splits, shape (F,)."""
        gains = self._booster.get_score(importance_type="total_gain")
        return shares(np.array([gains.get(f"f{place}", 0.0) for place in range(self.features)]))

    def save(self, folder: Path) -> None:
        """Write `predictor.json` and XGBoost's JSON."""
        self._save_head(folder)
        (folder / _JSON).write_text(self._text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, threads: int) -> Self:
        """Read what `save` wrote; `StoreCorrupt` names the file that is damaged."""
        library, head, path = _library(), read_head(folder, threads), folder / _JSON
        try:
            found = cls(read_text(path), **head)
            features = found._booster.num_features()
        except library.core.XGBoostError as error:
            said = str(error).strip().splitlines()[0]
            raise StoreCorrupt(f"{path} is no model of XGBoost: {said}", str(path)) from None
        if features != found.features:
            raise StoreCorrupt(f"{path} has {features} features; {found.features} were kept", str(path))
        return found


def _library() -> ModuleType:
    try:
        import xgboost  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingDependency("XGBoost", "xgboost") from error
    found: ModuleType = xgboost
    return found


def _stretches(library: ModuleType, sample: Sample, scaler: Scaling, watch: Watch) -> Any:
    """Return a sample as XGBoost reads it: one stretch after the other, as often as it likes."""

    class Stretches(library.DataIter):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__(release_data=True)
            self._first = 0

        def reset(self) -> None:
            self._first = 0

        def next(self, input_data: Callable[..., None]) -> bool:
            watch.check()
            if self._first >= len(sample):
                return False
            part = slice(self._first, min(self._first + rows_at_once(len(sample.names)), len(sample)))
            input_data(data=gathered(sample, scaler, part))
            self._first = part.stop
            return True

    return Stretches()


def _callback(library: ModuleType, watch: Watch, larger_is_better: bool) -> Any:
    """Return what tells a watch of each round."""

    class Callback(library.callback.TrainingCallback):  # type: ignore[misc, name-defined]
        def after_iteration(self, model: Any, epoch: int, evals_log: Mapping[str, Any]) -> bool:
            score = None
            for values in evals_log.get("valid", {}).values():
                score = values[-1] if larger_is_better else -values[-1]
            return watch.after(epoch + 1, score)

    return Callback()
