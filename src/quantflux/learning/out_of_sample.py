"""Keeps what each version of a model predicted of days that it had not seen: what it can be judged by again, any day.

One Parquet file a version, beside the registry: a row a cell, with the prediction and, where a model has classes, the
probability of each. It can be deleted: the model stays, and training brings it back.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from quantflux.core.errors import NotFound, StoreCorrupt, StoreUnavailable
from quantflux.learning.registry import ModelVersion

_PREDICTION, _CLASS = "prediction", "probability_{}"
_ALWAYS = ["symbol", "trade_date", _PREDICTION]
_MANIFEST = b"manifest"  # SHA-256 of that of the model which predicted


class OutOfSample:
    """Predictions by version.

    Parameters
    ----------
    folder : Path
        Made when something is first kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(
        self,
        version: ModelVersion,
        days: np.ndarray,
        symbols: np.ndarray,
        predictions: np.ndarray,
        probabilities: np.ndarray | None = None,
    ) -> None:
        """Keep predictions of shape (T, N), NaN where there is none, and those cells' probabilities: (T, N, C).

        Raises
        ------
        StoreUnavailable
            If the file cannot be written.
        """
        row, column = np.nonzero(~np.isnan(predictions))
        names = pa.array(symbols.tolist(), pa.string())
        of_classes: dict[str, np.ndarray] = {}
        if probabilities is not None:
            for place in range(probabilities.shape[2]):
                of_classes[_CLASS.format(place)] = probabilities[row, column, place]
        table = pa.table(
            {
                "symbol": pa.DictionaryArray.from_arrays(pa.array(column.astype(np.int32)), names),
                "trade_date": pa.array(days.astype("datetime64[D]")[row]),
                _PREDICTION: predictions[row, column],
                **of_classes,
            }
        ).replace_schema_metadata({_MANIFEST: version.digest})
        path = self._path(version)
        fresh = path.with_suffix(f".{os.getpid()}.new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table, fresh, compression="zstd")
            fresh.replace(path)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise StoreUnavailable(f"{path} cannot be written: {error.strerror or error}") from error

    def read(self, version: ModelVersion, days: np.ndarray, symbols: np.ndarray) -> np.ndarray:
        """Return the predictions of a version on these days and symbols, shape (T, N); NaN where there is none.

        Raises
        ------
        NotFound
            If none are kept.
        StoreCorrupt
            If the file is damaged.
        """
        return self._read(version, days, symbols, [_PREDICTION])[..., 0]

    def read_probabilities(
        self, version: ModelVersion, days: np.ndarray, symbols: np.ndarray, classes: int
    ) -> np.ndarray | None:
        """Return the probability of each class, shape (T, N, C).

        None if there are no classes, or the version was trained before their probabilities were kept. Raises as `read`
        does.
        """
        found = self._read(version, days, symbols, [_CLASS.format(place) for place in range(classes)])
        return found if found.shape[2] == classes > 0 else None

    def _read(
        self, version: ModelVersion, days: np.ndarray, symbols: np.ndarray, columns: list[str]
    ) -> np.ndarray:
        """Return those of some columns that there are, laid out on these days and symbols: shape (T, N, columns)."""
        path = self._path(version)
        try:
            schema = pq.read_schema(path)
            # A number can come again, after older rows of the registry were brought back: the file is not this model's.
            if (schema.metadata or {}).get(_MANIFEST, version.digest.encode()) != version.digest.encode():
                raise FileNotFoundError
            optional = set(columns).intersection(schema.names).difference(_ALWAYS)
            table = pq.read_table(path, columns=[*_ALWAYS, *optional])
        except FileNotFoundError:
            raise NotFound(
                f"what {version.label} predicted out of sample is not kept here; train it again to judge it"
            ) from None
        except (pa.ArrowException, OSError) as error:
            raise StoreCorrupt(f"{path} cannot be read: {error}; delete it", str(path)) from error
        there = [name for name in columns if name in table.column_names]
        found = np.full((len(days), len(symbols), len(there)), np.nan)
        names = table.column("symbol").combine_chunks()
        column = places(np.array(names.dictionary.to_pylist(), dtype=np.str_), symbols)
        column = column[names.indices.to_numpy()]
        row = places(table.column("trade_date").to_numpy().astype("datetime64[D]"), days)
        here = (row >= 0) & (column >= 0)
        for place, name in enumerate(there):
            found[row[here], column[here], place] = table.column(name).to_numpy()[here]
        return found

    def _path(self, version: ModelVersion) -> Path:
        return self._folder / version.id / f"{version.version}.parquet"


def places(wanted: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Return where each value stands on a sorted axis that is not empty; -1 where it does not.

    Examples
    --------
    >>> places(np.array(["b", "x"]), np.array(["a", "b"])).tolist()
    [1, -1]
    """
    place = np.minimum(np.searchsorted(axis, wanted), len(axis) - 1)
    return np.where(axis[place] == wanted, place, -1)
