"""A client in a process of its own: `python -m tests.data.conformance.writer '<json>'`.

Writes batches until it has done `batches` of them, or is killed. Mode "append": batch n is day n of the writer's own
symbols. Mode "rewrite": every batch rewrites the same days with the batch's number as price.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from quantflux.core.clock import FixedClock
from quantflux.core.errors import QuantfluxError
from quantflux.data.schema import DAILY
from quantflux.data.stores import open_store
from tests.data.conformance.history import HistoryWriter
from tests.data.conformance.samples import bars

FIRST_DAY = date(2023, 12, 1)


def batch(mode: str, symbols: list[str], number: int) -> pa.Table:
    """Return the rows of batch `number`, counted from 1; its price is its number."""
    offsets = [number] if mode == "append" else list(range(0, 90, 3))
    days = [FIRST_DAY + timedelta(days=offset) for offset in offsets]
    return pa.concat_tables([bars(symbol, days, float(number)) for symbol in symbols])


def main(task: dict[str, object]) -> None:
    """Play one writer."""
    store = open_store(str(task["store"]), task["options"], FixedClock(datetime(2041, 1, 1, tzinfo=UTC)))  # type: ignore[arg-type]
    history = HistoryWriter(Path(str(task["history"])))
    symbols = [str(s) for s in task["symbols"]]  # type: ignore[attr-defined]
    first = int(str(task.get("first", 1)))
    store.symbols(DAILY)  # whatever is slow the first time
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for number in range(first, first + int(str(task["batches"]))):
        rows = batch(str(task["mode"]), symbols, number)
        days = [str(day) for day in rows.column("trade_date").to_pylist()]
        cells = list(zip(rows.column("symbol").to_pylist(), days, strict=True))
        history.note("sent", number, cells, float(number))
        while True:
            try:
                store.write(DAILY, rows)
            except QuantfluxError as error:
                if not error.retryable:
                    raise
                continue
            break
        history.note("ok", number, cells, float(number))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
