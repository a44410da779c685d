"""Work on models: training, searching and judging them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from quantflux.accounts.permissions import Permission
from quantflux.core.errors import Conflict, InvalidRequest, NotFound
from quantflux.jobs.told import Told
from quantflux.work.contract import Work
from quantflux.work.documents import model_document
from quantflux.work.hooks import steps, value_hooks
from quantflux.work.requests import EvaluateModel, RetrainModel, TrainModel, TuneModel, request_of

if TYPE_CHECKING:
    from quantflux.learning.monitoring import Contest, Health
    from quantflux.learning.registry import ModelVersion
    from quantflux.learning.service import TrainedModel
    from quantflux.learning.training import Hooks
    from quantflux.platform import Platform

ACTOR = "actor"
"""Key of a payload under which stands who asked; never a caller's own word."""


def train(platform: Platform, payload: Mapping[str, Any], told: Told) -> dict[str, Any]:
    """Train a model and keep it as a candidate: a payload is a `TrainModel`, and who asked.

    Raises
    ------
    Conflict
        If the id is that of somebody else's model.
    """
    actor, rest = _said(payload)
    wanted = request_of(TrainModel, rest)
    spec = model_document(wanted.model)
    check_owner(platform, spec.id, actor)
    made = platform.models.train(
        spec, actor=actor, control=wanted.control, hooks=_hooks(told), value_hooks=value_hooks(told)
    )
    return _trained(made, None)


def retrain(platform: Platform, payload: Mapping[str, Any], told: Told) -> dict[str, Any]:
    """Train a model anew on all days up to the newest: a payload is a `RetrainModel`, and who asked."""
    actor, rest = _said(payload)
    wanted = request_of(RetrainModel, rest)
    check_owner(platform, wanted.id, actor)
    made, contest = platform.models.retrain(
        wanted.id, actor=actor, hooks=_hooks(told), value_hooks=value_hooks(told)
    )
    return _trained(made, contest)


def tune(platform: Platform, payload: Mapping[str, Any], told: Told) -> dict[str, Any]:
    """Search for better parameters: a payload is a `TuneModel`. The same search goes on where it ended."""
    from quantflux.learning.tuning import Hooks  # noqa: PLC0415 - brings Optuna

    wanted = request_of(TuneModel, payload)
    hooks = Hooks(
        progress=lambda done, total, best: told.progress(done, total, f"best RankIC {best:+.4f}"),
        cancelled=told.cancelled,
    )
    found = platform.models.tune(
        model_document(wanted.model),
        trials=wanted.trials,
        held_out=wanted.held_out,
        space=wanted.space,
        hooks=hooks,
        value_hooks=value_hooks(told),
    )
    return plainly(found.to_dict())


def evaluate(platform: Platform, payload: Mapping[str, Any], told: Told) -> dict[str, Any]:
    """Judge a version by what it predicted out of sample, and how it does since: a payload is an `EvaluateModel`."""
    wanted = request_of(EvaluateModel, payload)
    told.check()
    found = platform.models.evaluate(wanted.id, wanted.version)
    return plainly(
        found.to_dict(series=wanted.series) | {"health": health(platform, wanted.id, wanted.version)}
    )


def health(platform: Platform, model: str, version: int | None = None) -> dict[str, Any]:
    """Return how a model does beside its validation; `state` is unknown where that cannot be told, with the reason.

    Raises
    ------
    NotFound
        If there is no such version.
    """
    chosen = platform.models.registry.get(model, version)
    try:
        return health_told(platform.models.health(model, chosen.version))
    except (NotFound, InvalidRequest) as error:
        return {"state": "unknown", "reason": str(error)}


def check_owner(platform: Platform, model: str, actor: str) -> None:
    """Refuse a new version of a model whose first version somebody else trained; the command line's are everybody's.

    Raises
    ------
    Conflict
    """
    from quantflux.learning.service import SOMEBODY  # noqa: PLC0415 - brings the compiler

    versions = platform.models.registry.list(model)
    if versions and versions[0].actor not in (actor, SOMEBODY):
        raise Conflict(
            f"the model {model} was first trained by {versions[0].actor}; choose another id for one of your own"
        )


def version_told(version: ModelVersion) -> dict[str, Any]:
    """Return what is known of a version, without where its files are."""
    told = asdict(version)
    del told["folder"]
    return plainly(told)


def health_told(found: Health) -> dict[str, Any]:
    """Return how a model does, with its series."""
    names = ("days", "mean", "recent", "shortfall_t", "threshold", "notice", "since")
    series = ("times", "rolling", "shortfall")
    told = {name: getattr(found, name) for name in (*names, *series)}
    return plainly({"state": str(found.state), "reason": found.reason.en, **told})


def contest_told(found: Contest) -> dict[str, Any]:
    """Return a contest."""
    return plainly(asdict(found) | {"reason": found.reason.en, "recommendation": str(found.recommendation)})


def plainly(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as JSON holds them: what is no finite number is None."""
    from quantflux.learning.registry import plain  # noqa: PLC0415

    made: dict[str, Any] = plain(told, "the answer")
    return made


def _trained(made: TrainedModel, contest: Contest | None) -> dict[str, Any]:
    return {
        "version": version_told(made.version),
        "notes": list(made.notes),
        "contest": None if contest is None else contest_told(contest),
    }


def _hooks(told: Told) -> Hooks:
    from quantflux.learning.training import Hooks  # noqa: PLC0415

    return Hooks(
        folds=steps(told, "folds trained"), rounds=steps(told, "rounds of a fold"), cancelled=told.cancelled
    )


def _said(payload: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return who asked, and the rest of a payload."""
    rest = dict(payload)
    return str(rest.pop(ACTOR)), rest


WORK = (
    Work("models.train", Permission.MODELS_TRAIN, train),
    Work("models.retrain", Permission.MODELS_TRAIN, retrain),
    Work("models.tune", Permission.MODELS_TRAIN, tune),
    Work("models.evaluate", Permission.MODELS_READ, evaluate),
)
