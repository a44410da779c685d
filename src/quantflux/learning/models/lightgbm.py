"""Gradient boosted trees by LightGBM: the family to begin with.

Bins are laid stretch by stretch (`bins`), so that a train sample takes a byte a value. Runs of the same seed give the
same bits, whatever the number of threads. A model is kept as LightGBM's text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import lightgbm
import numpy as np

from quantflux.core.errors import InvalidRequest, StoreCorrupt
from quantflux.learning.models.baseline import score_of_nothing
from quantflux.learning.models.bins import SharedBins, binned
from quantflux.learning.models.contract import Progress, Report, Request, Scaling
from quantflux.learning.models.fitted import Fitted, named, read_head, read_text, shares
from quantflux.learning.models.grades import grades_in_day
from quantflux.learning.models.parameters import Choice, Number, Parameter, Whole
from quantflux.learning.models.stretches import something
from quantflux.learning.models.watching import BOOSTING, Watch
from quantflux.learning.samples import Sample

TASKS = ("regression", "ranking", "classification")

PARAMETERS: Mapping[str, Parameter] = {
    **BOOSTING,
    "learning_rate": Number(0.05, 1e-6, 1.0),
    "num_leaves": Whole(64, 2, 131_072),
    "max_depth": Whole(8, -1, 1000),
    "min_data_in_leaf": Whole(500, 1),
    "min_sum_hessian_in_leaf": Number(1e-3, 0.0),
    "min_gain_to_split": Number(0.0, 0.0),
    "feature_fraction": Number(0.6, 1e-6, 1.0),
    "feature_fraction_bynode": Number(1.0, 1e-6, 1.0),
    "bagging_fraction": Number(0.8, 1e-6, 1.0),
    "bagging_freq": Whole(5, 0),
    "lambda_l1": Number(0.0, 0.0),
    "lambda_l2": Number(10.0, 0.0),
    "path_smooth": Number(0.0, 0.0),
    "max_bin": Whole(255, 2, 255),
    "objective": Choice(None, ("regression", "regression_l1", "lambdarank", "rank_xendcg", "multiclass")),
    "grades": Whole(5, 2, 31),
    "lambdarank_truncation_level": Whole(100, 1, 10_000),
}
"""Those of LightGBM by its names; and `grades`, the steps in which a day's labels are ranked."""

ALIASES: Mapping[str, str] = {
    "num_iterations": "n_estimators",
    "num_boost_round": "n_estimators",
    "early_stopping_round": "early_stopping_rounds",
    "eta": "learning_rate",
    "min_child_samples": "min_data_in_leaf",
    "min_child_weight": "min_sum_hessian_in_leaf",
    "min_split_gain": "min_gain_to_split",
    "colsample_bytree": "feature_fraction",
    "colsample_bynode": "feature_fraction_bynode",
    "subsample": "bagging_fraction",
    "subsample_freq": "bagging_freq",
    "reg_alpha": "lambda_l1",
    "reg_lambda": "lambda_l2",
}

_OBJECTIVES = {
    "regression": {"regression": "l2", "regression_l1": "l1"},
    "ranking": {"lambdarank": "ndcg", "rank_xendcg": "ndcg"},
    "classification": {"multiclass": "multi_logloss"},
}
_NDCG_AT = 50  # of a day's names, as many as a portfolio may hold
_MOST_NAMES = 10_000  # of a day in a ranking; LightGBM has no discounts for more
_TEXT = "model.txt"
_END = "end of trees\n"
_OURS = (*BOOSTING, "objective", "grades")


class LightgbmLearner:
    """Fits LightGBM: see `contract.Learner`.

    Parameters
    ----------
    request : Request
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self._shared = SharedBins()
        self._asked = _asked(request)

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
    ) -> LightgbmPredictor:
        """Learn from a sample: see `contract.Learner`."""
        something(train, self.request.kind)
        self._check_days(train, valid)
        chosen = self.request.parameters
        nothing = score_of_nothing(self._asked["metric"], train, valid)
        watch = Watch.of_boosting(chosen, progress, cancelled, report, nothing)
        watch.begin()
        try:
            booster = self._trained(train, valid, scaler, share, watch)
        except lightgbm.basic.LightGBMError as error:
            said = str(error).strip().partition("\n")[0]
            raise InvalidRequest(f"lightgbm cannot learn from this train sample: {said}") from error
        kept = watch.best or booster.current_iteration()
        text = booster.model_to_string(num_iteration=kept)
        return LightgbmPredictor(text, **named(self.request, len(train.names), kept))

    def _trained(
        self, train: Sample, valid: Sample | None, scaler: Scaling, share: bool, watch: Watch
    ) -> lightgbm.Booster:
        lay = self._shared.binned if share else binned
        learnt, checked = lay(train, valid, scaler, self._asked, watch.check)
        self._label(learnt, train)
        if valid is not None and checked is not None:
            self._label(checked, valid)
        return lightgbm.train(
            self._asked,
            learnt,
            num_boost_round=self.request.parameters["n_estimators"],
            valid_sets=[] if checked is None else [checked],
            callbacks=[_Callback(watch)],
        )

    def _check_days(self, train: Sample, valid: Sample | None) -> None:
        """Refuse to rank days that have more names than LightGBM can rank."""
        if self.request.task != "ranking":
            return
        for sample in (train, valid):
            most = 0 if sample is None else int(sample.day_sizes().max(initial=0))
            if most > _MOST_NAMES:
                raise InvalidRequest(
                    f"lightgbm ranks at most {_MOST_NAMES:,} names a day; a day of this sample has {most:,}; "
                    "narrow the universe, or take another kind or task"
                )

    def _label(self, laid: lightgbm.Dataset, sample: Sample) -> None:
        if self.request.task == "ranking":
            laid.set_label(grades_in_day(sample.label, sample.row, self.request.parameters["grades"]))
            laid.set_group(sample.day_sizes())
        else:
            laid.set_label(sample.label)
        laid.set_weight(sample.weight)


class LightgbmPredictor(Fitted):
    """Trees that LightGBM walks.

    Parameters
    ----------
    text : str
        The model as LightGBM writes it.
    **head
        What `Fitted` is made of.
    """

    def __init__(self, text: str, **head: Any) -> None:
        super().__init__(**head)
        # Parameters may follow the trees. No prediction needs them, and reading damaged ones may end the process.
        self._text = "".join(text.partition(_END)[:2])
        # Read from its text even when just fitted, so that a model is the same before and after it is kept.
        self._booster = lightgbm.Booster(model_str=self._text)

    def _scores(self, block: np.ndarray) -> np.ndarray:
        found = self._booster.predict(block, raw_score=True, num_threads=self.threads)
        return np.asarray(found, dtype=np.float64)

    def _added(self, block: np.ndarray) -> np.ndarray:
        found = np.asarray(self._booster.predict(block, pred_contrib=True, num_threads=self.threads))
        by_class = (len(block), self.classes, self.features + 1)
        return self._linked(found.reshape(by_class) if self.classes else found)

    def importance(self) -> np.ndarray:
        """Return the share of each feature in the gain of all splits, shape (F,)."""
        return shares(np.asarray(self._booster.feature_importance("gain"), dtype=np.float64))

    def save(self, folder: Path) -> None:
        """Write `predictor.json` and LightGBM's text."""
        self._save_head(folder)
        (folder / _TEXT).write_text(self._text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, threads: int) -> Self:
        """Read what `save` wrote; `StoreCorrupt` names the file that is damaged.

        LightGBM does not check its text: a damaged one may end the process. Check the file's hash first.
        """
        head, path = read_head(folder, threads), folder / _TEXT
        try:
            found = cls(read_text(path), **head)
        except lightgbm.basic.LightGBMError as error:
            raise StoreCorrupt(f"{path} is no model of LightGBM: {error}", str(path)) from None
        has = (found._booster.num_feature(), found._booster.num_model_per_iteration())
        if has != (found.features, max(found.classes, 1)):
            raise StoreCorrupt(
                f"{path} has {has[0]} features and {has[1]} scores; {found.features} and {max(found.classes, 1)} "
                "were kept",
                str(path),
            )
        return found


class _Callback:
    """Tells a watch of each round."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def __call__(self, env: lightgbm.callback.CallbackEnv) -> None:
        results = env.evaluation_result_list or []
        score = None
        if results:
            _, _, value, larger_is_better = results[0][:4]
            score = value if larger_is_better else -value
        if self._watch.after(env.iteration + 1, score):
            raise lightgbm.callback.EarlyStopException(self._watch.best - 1, results)


def _asked(request: Request) -> dict[str, Any]:
    """Return the parameters as LightGBM takes them."""
    valid = _OBJECTIVES[request.task]
    objective = request.parameters["objective"] or next(iter(valid))
    if objective not in valid:
        raise InvalidRequest(
            f"lightgbm: the objective {objective!r} is not one of {request.task}; valid is {', '.join(valid)}"
        )
    more: dict[str, Any] = {"num_class": request.classes} if request.classes else {}
    if request.task == "ranking":
        more = {"eval_at": [_NDCG_AT]}
    return {
        **{name: value for name, value in request.parameters.items() if name not in _OURS},
        "objective": objective,
        "metric": valid[objective],
        "seed": request.seed,
        "num_threads": request.threads,
        "deterministic": True,
        "force_col_wise": True,  # by rows takes a second copy of the bins, and here a quarter longer
        "feature_pre_filter": False,  # it would leave out features by what the drawn cells alone say
        "verbosity": -1,
        **more,
    }
