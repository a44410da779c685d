"""A model that is ready to predict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.learning.models.contract import Predictor
from quantflux.learning.models.known import predict_known
from quantflux.learning.registry.records import ModelVersion
from quantflux.learning.registry.reference import Reference
from quantflux.learning.scaling import Scaler
from quantflux.learning.specification import ModelSpec


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A version of a model, loaded.

    Attributes
    ----------
    version : ModelVersion
        As it was when it was loaded; its stage may have changed since.
    spec : ModelSpec
    predictor : Predictor
    scaler : Scaler
    digests : mapping of str to str
        Digest of the expression behind each feature, in the order of the features.
    reference : Reference
        How the features looked where it learnt.
    """

    version: ModelVersion
    spec: ModelSpec
    predictor: Predictor
    scaler: Scaler
    digests: Mapping[str, str]
    reference: Reference

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Predict from features as they are computed: float32, shape (K, F); returns float64, shape (K,).

        NaN where there is none of them, whatever the scaler would fill in.
        """
        return predict_known(self.predictor, self.scaler, features)

    def check_features(self, digests: Mapping[str, str]) -> None:
        """Check that what would be computed now is what the model learnt from.

        Raises
        ------
        InvalidRequest
            Naming the features that are missing, new, changed or in another order.
        """
        check_features(self.version.label, self.digests, digests)


@dataclass(frozen=True, eq=False)
class Serving:
    """The model that predicts now.

    Attributes
    ----------
    model : LoadedModel
    problem : str
        Why it is not the version in production, if it is an earlier one.
    """

    model: LoadedModel
    problem: str = ""


def check_features(label: str, learnt: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Check that features are those which a model learnt from, in the same order; see `LoadedModel`."""
    if list(learnt.items()) == list(now.items()):
        return
    found = {
        "missing": [name for name in learnt if name not in now],
        "not learnt from": [name for name in now if name not in learnt],
        "computed otherwise": [name for name in learnt if name in now and now[name] != learnt[name]],
    }
    said = [
        f"{len(names)} {what} ({', '.join(names[:5])}{', ...' if len(names) > 5 else ''})"
        for what, names in found.items()
        if names
    ]
    raise InvalidRequest(
        f"{label} was made for other features: {'; '.join(said) or 'they are in another order'}; valid are the "
        f"{len(learnt)} it learnt from, or a model trained anew"
    )
