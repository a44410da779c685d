"""Cuts a stream of rows in any order into periods, on disk, so that each can be judged whole in bounded memory."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import polars as pl

from quantflux.data.schema import Dataset, TimeKind

FLUSH_ROWS = 300_000
PART_ROWS = 250_000
"""A period with more rows than this is judged in groups of symbols."""
UNDATED = "undated"


class Spill:
    """Rows by period: one year of days, one month of minutes. A temporary folder that ends with the `with` block."""

    def __init__(self, dataset: Dataset, folder: Path | None = None) -> None:
        self._dataset = dataset
        self._folder = tempfile.TemporaryDirectory(prefix="quantflux-import-", dir=folder)
        self._pending: list[pl.DataFrame] = []
        self._pending_rows = 0
        self._rows: dict[str, int] = defaultdict(int)
        self._flushes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def add(self, frame: pl.DataFrame) -> None:
        """Take rows in."""
        self._pending.append(frame)
        self._pending_rows += frame.height
        if self._pending_rows >= FLUSH_ROWS:
            self._flush()

    def parts(self) -> Iterator[pl.DataFrame]:
        """Yield every row once, periods in ascending order; each part holds whole symbols of one period.

        Rows without a readable time come first.
        """
        self._flush()
        for period in sorted(self._rows, key=lambda p: (p != UNDATED, p)):
            scan = pl.scan_parquet(sorted((Path(self._folder.name) / period).glob("*.parquet")))
            groups = -(-self._rows[period] // PART_ROWS)
            if groups == 1:
                yield scan.collect()
                continue
            slot = pl.col("symbol").fill_null("").hash(seed=0) % groups
            for group in range(groups):
                part = scan.filter(slot == group).collect()
                if part.height:
                    yield part

    def _flush(self) -> None:
        if not self._pending:
            return
        rows = pl.concat(self._pending)
        self._pending, self._pending_rows = [], 0
        time = pl.col(self._dataset.time)
        day = time if self._dataset.kind is TimeKind.DAY else time.dt.convert_time_zone("Asia/Shanghai")
        form = "%Y" if self._dataset.kind is TimeKind.DAY else "%Y-%m"
        period = day.dt.strftime(form).fill_null(UNDATED).alias("period")
        for (name,), part in rows.with_columns(period).partition_by("period", as_dict=True).items():
            folder = Path(self._folder.name) / str(name)
            folder.mkdir(exist_ok=True)
            part.drop("period").write_parquet(folder / f"{self._flushes:06d}.parquet", compression="lz4")
            self._rows[str(name)] += part.height
        self._flushes += 1
