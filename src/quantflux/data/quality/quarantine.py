"""Lets quarantined rows into the store after all, on a person's word."""

from __future__ import annotations

import json
from collections.abc import Sequence

import polars as pl

from quantflux.core.errors import InvalidRequest
from quantflux.data.contract import MarketStore, WriteReceipt
from quantflux.data.quality.ledger import Ledger
from quantflux.data.schema import Dataset, TimeKind


def release_rows(
    ledger: Ledger, store: MarketStore, dataset: Dataset, findings: Sequence[int], reason: str
) -> WriteReceipt:
    """Write quarantined rows as they were read, and note the release.

    Parameters
    ----------
    ledger : Ledger
    store : MarketStore
    dataset : Dataset
        Whose rows these are.
    findings : sequence of int
        Numbers of quarantine findings, from `ledger.findings`.
    reason : str
        Kept with the release.

    Returns
    -------
    WriteReceipt

    Raises
    ------
    InvalidRequest
        If a number is no quarantined row of the dataset.
    InvalidData
        If the schema refuses a row (a negative price, say): no word of a person makes such a row valid. Nothing
        is written or noted.
    """
    held = ledger.quarantined(dataset.name, findings)
    missing = sorted(set(findings) - set(held))
    if missing:
        raise InvalidRequest(f"{dataset.name} has no quarantined row numbered {', '.join(map(str, missing))}")
    rows = pl.DataFrame([json.loads(raw) for raw in held.values()], infer_schema_length=None)
    wanted = [n for n in dataset.schema.names if n in rows.columns]
    time = pl.col(dataset.time).cast(pl.String)
    if dataset.kind is TimeKind.DAY:
        parsed = time.str.to_date(strict=False)
    else:
        parsed = time.str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
    floats = [pl.col(n).cast(pl.Float64) for n in wanted if n not in dataset.key]
    rows = rows.select(wanted).with_columns(parsed, *floats).with_columns(pl.col("volume").cast(pl.Int64))
    receipt = store.write(dataset, rows.to_arrow())
    ledger.release(findings, reason)
    return receipt
