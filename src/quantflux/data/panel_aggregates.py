"""Aggregates by symbol and calendar period, computed on dense blocks of daily rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from quantflux.data.contract import Aggregation, Function
from quantflux.data.panels import Block
from quantflux.data.periods import fold_rows, period_starts
from quantflux.data.sessions import Floats, run_starts


def aggregate_blocks(blocks: Sequence[Block], aggregation: Aggregation) -> pa.Table:
    """Return the aggregation of a daily dataset's rows, as `contract.Aggregation` describes it.

    Parameters
    ----------
    blocks : sequence of Block
        In time order, at least one, all with the same symbols and the columns that the aggregation reads. No period
        may lie in two of them.
    """
    periods = [period_starts(aggregation.period, block.days) for block in blocks]
    starts = [run_starts(labels) for labels in periods]
    labels = np.concatenate([days[first] for days, first in zip(periods, starts, strict=True)])

    def folded(column: str, function: Function) -> Floats:
        parts = [
            fold_rows(b.values[column], first, function) for b, first in zip(blocks, starts, strict=True)
        ]
        return np.ascontiguousarray(np.concatenate(parts).T)

    rows = folded(blocks[0].presence, Function.COUNT) > 0
    indices, groups = np.nonzero(rows)
    names = pa.array(blocks[0].symbols, pa.string()).take(pa.array(indices))
    days = pa.array(labels.astype(np.int32)[groups]).view(pa.date32())
    columns = {"symbol": names, "period_start": days}
    for measure in aggregation.measures:
        values = folded(measure.column, measure.function)[rows]
        if measure.function is Function.COUNT:
            columns[measure.name] = pa.array(values.astype(np.int64))
        else:
            columns[measure.name] = pa.array(values, from_pandas=True)
    return pa.table(columns)
