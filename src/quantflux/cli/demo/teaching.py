"""A model of the demonstration's factors: trained, judged out of sample, set beside luck, and used to score names.

Nothing is worked out here: a model is described as a file would, and `quantflux.learning` and `quantflux.scoring` do
the rest.
"""

from __future__ import annotations

from quantflux.cli.demo.results import Taught
from quantflux.core.errors import InvalidRequest, NotFound
from quantflux.factors.choice import LIBRARY, Choice
from quantflux.factors.market_data import MarketData
from quantflux.learning.service import MLService
from quantflux.learning.specification import specification_of
from quantflux.scoring.request import ScoreRequest
from quantflux.scoring.service import ScoringService

MODEL = "demo"
_TRAIN, _VALID, _TEST = 500, 60, 250
_PART_TRAIN, _PART_VALID, _PART_TEST = 0.4, 0.08, 0.2  # of a shorter history
_LEAST_DAYS = 250
_TOP, _OF_ONE_INDUSTRY = 10, 2


def teach(models: MLService, scoring: ScoringService, choice: Choice, loaded: MarketData) -> Taught:
    """Return a model and the names that it likes best, or why there is none; no lack of data is an error."""
    days = len(loaded.raw)
    if days < _LEAST_DAYS:
        return Taught(None, None, f"the data have {days} trading days, {_LEAST_DAYS} are needed")
    train = min(_TRAIN, int(days * _PART_TRAIN))
    spec = specification_of(
        {
            "id": MODEL,
            "name": "demonstration",
            "kind": "lightgbm",
            "parameters": {"n_estimators": 80, "early_stopping_rounds": 20, "num_leaves": 31},
            "features": [f"{LIBRARY}.{factor.id}" for factor in choice.factors],
            "label": {"horizon": 5, "transform": "rank"},
            "split": {
                "train": train,
                "valid": min(_VALID, int(days * _PART_VALID)),
                "test": min(_TEST, int(days * _PART_TEST)),
            },
        }
    )
    try:
        made = models.train(spec, control=True)
        day = str(loaded.raw.times[-1])
        models.predict(MODEL, day, version=made.version.version, save=True)
        request = ScoreRequest.model_validate(
            {
                "date": day,
                "method": "model",
                "models": {"ids": [MODEL]},
                "selection": {"top": _TOP}
                | ({} if loaded.industries is None else {"per_industry": _OF_ONE_INDUSTRY}),
            }
        )
        return Taught(made, scoring.select(request), "")
    except (InvalidRequest, NotFound) as error:
        return Taught(None, None, str(error))
