"""A model of the demonstration's factors: trained, judged out of sample, set beside luck, and used to score names.

Nothing is worked out here: a model is described as a file would, and `quantflux.learning` and `quantflux.scoring` do
the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from quantflux.cli.demo.results import Taught
from quantflux.core.errors import InvalidRequest, MissingDependency, NotFound
from quantflux.factors.choice import LIBRARY, Choice
from quantflux.factors.market_data import MarketData
from quantflux.learning.service import MLService, TrainedModel
from quantflux.learning.specification import ModelSpec, specification_of
from quantflux.scoring.request import ScoreRequest
from quantflux.scoring.selection import Chosen
from quantflux.scoring.service import ScoringService

MODEL = "demo"
_KINDS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {"lightgbm": {"n_estimators": 80, "early_stopping_rounds": 20, "num_leaves": 31}, "ridge": {}}
)
"""What is tried, the best first."""

_TRAIN, _VALID, _TEST = 500, 60, 250
_PART_TRAIN, _PART_VALID, _PART_TEST = 0.4, 0.08, 0.2  # of a shorter history
_LEAST_DAYS = 250
_TOP, _OF_ONE_INDUSTRY = 10, 2


def teach(models: MLService, scoring: ScoringService, choice: Choice, loaded: MarketData) -> Taught:
    """Return a model and the names that it likes best, or why there is none; no lack of data is an error."""
    days = len(loaded.raw)
    if days < _LEAST_DAYS:
        return Taught(None, None, f"the data have {days} trading days, {_LEAST_DAYS} are needed")
    why = ""
    for kind, parameters in _KINDS.items():
        try:
            made = models.train(_specification(kind, parameters, choice, days), control=True)
            return Taught(made, _scored(models, scoring, made, loaded), "")
        except MissingDependency as error:  # LightGBM needs a library of the system; linear models do not
            why = why or str(error)
        except (InvalidRequest, NotFound) as error:
            return Taught(None, None, str(error))
    return Taught(None, None, why)


def _specification(kind: str, parameters: Mapping[str, Any], choice: Choice, days: int) -> ModelSpec:
    return specification_of(
        {
            "id": MODEL,
            "name": "demonstration",
            "kind": kind,
            "parameters": dict(parameters),
            "features": [f"{LIBRARY}.{factor.id}" for factor in choice.factors],
            "label": {"horizon": 5, "transform": "rank"},
            "split": {
                "train": min(_TRAIN, int(days * _PART_TRAIN)),
                "valid": min(_VALID, int(days * _PART_VALID)),
                "test": min(_TEST, int(days * _PART_TEST)),
            },
        }
    )


def _scored(models: MLService, scoring: ScoringService, made: TrainedModel, loaded: MarketData) -> Chosen:
    """Predict the last day, and return the names that the model likes best then."""
    day = str(loaded.raw.times[-1])
    models.predict(MODEL, day, version=made.version.version, save=True)
    caps = {} if loaded.industries is None else {"per_industry": _OF_ONE_INDUSTRY}
    request = ScoreRequest.model_validate(
        {"date": day, "method": "model", "models": {"ids": [MODEL]}, "selection": {"top": _TOP} | caps}
    )
    return scoring.select(request)
