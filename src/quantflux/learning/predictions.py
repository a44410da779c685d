"""Predictions of a day as rows of the `predictions` dataset, and such rows laid on the days and names of a market."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quantflux.data.schema import PREDICTIONS
from quantflux.learning.out_of_sample import places
from quantflux.learning.registry import LoadedModel


def predictions_of(model: LoadedModel, day: date, names: np.ndarray, features: np.ndarray) -> pa.Table:
    """Return the predictions of a day, the best first.

    Parameters
    ----------
    model : LoadedModel
    day : date
    names : array of str, shape (K,)
    features : array of float32, shape (K, F)
        Before scaling.

    Returns
    -------
    pyarrow.Table
        See `MLService.predict`. A name without any feature has no prediction and no row.
    """
    found = model.predict(features)
    there = np.flatnonzero(np.isfinite(found))
    found, names = found[there], names[there]
    _, place = np.unique(-found, return_inverse=True)
    if model.spec.task == "classification":
        chance = model.predictor.probabilities(model.scaler.apply(features[there]))[:, -1]
    else:
        chance = np.searchsorted(np.sort(found), found) / max(len(found) - 1, 1)
    rank = place + 1
    order = np.lexsort((names, rank))
    return pa.table(
        {
            "symbol": pa.array(names[order].tolist(), pa.string()),
            "trade_date": pa.repeat(pa.scalar(day), len(order)),
            "model_id": pa.repeat(pa.scalar(model.version.id), len(order)),
            "predicted_return": found[order],
            "probability_score": chance[order],
            "rank_score": rank[order],
        }
    ).cast(PREDICTIONS.schema)


def laid_out(rows: pa.Table, model_id: str, days: np.ndarray, symbols: np.ndarray) -> np.ndarray:
    """Return what a model predicted, shape (T, N); NaN where no row says it.

    Parameters
    ----------
    rows : pyarrow.Table
        Of the `predictions` dataset: symbol, trade_date, model_id and predicted_return.
    model_id : str
    days : array of datetime64[D], shape (T,)
    symbols : array of str, shape (N,)
        Sorted, as days are.
    """
    rows = rows.filter(pc.equal(rows["model_id"], model_id))
    found = np.full((len(days), len(symbols)), np.nan)
    row = places(rows["trade_date"].to_numpy().astype("datetime64[D]"), days)
    column = places(np.array(rows["symbol"].to_pylist(), dtype=np.str_), symbols)
    here = (row >= 0) & (column >= 0)
    found[row[here], column[here]] = rows["predicted_return"].to_numpy().astype(np.float64)[here]
    return found
