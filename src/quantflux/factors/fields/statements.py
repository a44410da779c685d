"""Point-in-time statements: what the reports said, as far as they were known, on every day.

1. Kept are consolidated reports as of the end of a quarter: report types 1 (as last published), 5 (as first published,
   kept when 1 was corrected) and 4 (the year-ago figures that a later report printed beside its own, often restated).
   Single-quarter (2, 3) and parent-company (6 to 12) reports are other things.
2. A row counts from the first trading day *after* its `f_ann_date`: most announcements come after the close. A row
   that claims to have been announced before its period was over is left out.
3. Of the rows about one period, the one announced last holds. Of those announced on one day, 4 wins over 5 and 5 over
   1: a correction may have been written over the row of type 1, and 5 is what it said on that day.
4. The newest report of a company is the one with the latest period among those known, whichever was announced last: a
   restatement of an older period never takes its place.
5. Flows are published cumulatively from January, so the last four quarters of a report are its own figure plus the
   last annual one less the year-ago one. The last two have to be on the same footing: figures of type 4 about the
   year-ago period are taken only if the annual report came no earlier; else mergers would be subtracted that were
   never added.
6. Everything can change only on days on which a row of a company takes effect. Values are computed for those moments,
   by binary search among the sorted rows, and then spread over the days (`Steps`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quantflux.factors.fields.steps import Steps

REPORT_TYPES = ("1", "5", "4")
"""The types of reports that are read; of those announced on one day, later ones in this list win."""

_RESTATED = REPORT_TYPES.index("4")
_FINANCIALS = ("2", "3", "4")
_REACH = 8  # quarters that a value may look back from its newest report: two years


class ReportHistory:
    """The reports of one statement.

    Parameters
    ----------
    rows : pyarrow.Table
        Rows of one statement dataset with `symbol`, `end_date`, `report_type`, `f_ann_date`, `comp_type` and figures,
        in any order. Those of other symbols are ignored.
    days : datetime64[D] array of shape (T,)
        Trading days, increasing.
    symbols : sequence of str, length N
        Increasing.

    Attributes
    ----------
    premature : int
        Rows left out because they claim to have been announced before their period was over.
    """

    def __init__(self, rows: pa.Table, days: np.ndarray, symbols: Sequence[str] | np.ndarray) -> None:
        self._shape = (len(days), len(symbols))
        column = _positions(rows.column("symbol"), pa.array(symbols, pa.string()))
        kind = _positions(rows.column("report_type"), pa.array(REPORT_TYPES))
        end, announced = (_days(rows.column(name)) for name in ("end_date", "f_ann_date"))
        from_row = np.searchsorted(days, announced, side="right")
        wanted = (column >= 0) & (kind >= 0) & _is_quarter_end(end)
        self.premature = int(np.count_nonzero(wanted & (announced <= end)))
        kept = np.flatnonzero(wanted & (announced > end) & (from_row < len(days)))

        line = self._lines(column[kept], end[kept])
        kept = kept[np.lexsort((kind[kept], announced[kept], line))]
        line.sort()
        self._rows = rows.take(pa.array(kept))
        self._line = line
        self._column, self._from_row = column[kept], from_row[kept]
        self._announced = announced[kept].astype(np.int64)
        self._first_printed = np.flatnonzero(kind[kept] != _RESTATED)
        self._moments()

    def _lines(self, column: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Return one number for company and period: consecutive quarters of a company have consecutive numbers.

        Its remainder by 4 is the quarter of the year. Before each company's first quarter some numbers are free, so
        that looking back never reaches the company before.
        """
        quarter = end.astype("datetime64[M]").astype(np.int64) // 3
        if not len(quarter):
            return quarter
        first = quarter.min() // 4 * 4
        years = (quarter.max() - first) // 4 + 1
        return np.asarray(column * (4 * years + _REACH) + _REACH + quarter - first)

    def _moments(self) -> None:
        """Note each company and day on which rows take effect, and which report is its newest from then on."""
        moment = self._column * self._shape[0] + self._from_row
        order = np.argsort(moment, kind="stable")
        newest = np.maximum.accumulate(self._line[order])
        last = np.flatnonzero(np.diff(moment[order], append=-1))
        self._newest = newest[last]
        self._at_row, self._at_column = self._from_row[order][last], self._column[order][last]

    @cached_property
    def _steps(self) -> Steps:
        return Steps(self._shape, self._at_row, self._at_column)

    def level(self, item: str, *, previous_year: bool = False) -> np.ndarray:
        """Return an amount as of the end of the newest report's period, shape (T, N).

        Parameters
        ----------
        item : str
            A column of the statement.
        previous_year : bool
            The same as of one year before that, as it is known now.
        """
        values = self._values(item)
        return self._steps.spread(values[self._known(self._newest - 4 * previous_year)])

    def average(self, item: str) -> np.ndarray:
        """Return the mean of an amount in the newest report and in the one before it, shape (T, N).

        The one before is that of the latest earlier period, at most a year earlier, that was known.
        """
        values = self._values(item)
        before = np.full(len(self._newest), -1)
        for quarters in range(1, 5):
            before = np.where(before < 0, self._known(self._newest - quarters), before)
        return self._steps.spread((values[self._known(self._newest)] + values[before]) / 2)

    def trailing_year(
        self, item: str, *, financials: str | None = None, previous_year: bool = False
    ) -> np.ndarray:
        """Return the sum of a flow over the four quarters up to the newest report, shape (T, N).

        NaN if a report that it is made of is not known, or does not tell.

        Parameters
        ----------
        item : str
            A column of the statement that is published cumulatively from January.
        financials : str, optional
            The column to read where banks, insurers and brokers (company types 2, 3, 4) leave `item` empty.
        previous_year : bool
            The four quarters one year before, as they are known now.
        """
        values = self._values(item, financials)
        line = self._newest - 4 * previous_year
        quarter = line % 4
        annual = self._known(line - quarter - 1)
        rest = values[annual] - values[self._on_footing_of(annual, line - 4)]
        return self._steps.spread(values[self._known(line)] + np.where(quarter == 3, 0.0, rest))

    def _values(self, item: str, financials: str | None = None) -> np.ndarray:
        """Return a column of the kept rows, and NaN behind it: what is not known has the position -1."""
        column = self._rows.column(item)
        if financials is not None:
            financial = pc.is_in(self._rows.column("comp_type"), value_set=pa.array(_FINANCIALS))
            column = pc.coalesce(column, pc.if_else(financial, self._rows.column(financials), None))
        return np.append(np.asarray(column.to_numpy()), np.nan)

    def _known(self, line: np.ndarray) -> np.ndarray:
        """Return the position of the row that holds for a company and period at each moment, or -1."""
        total = self._shape[0]
        keys = self._line * total + self._from_row
        return self._last_of(keys, line * total + self._at_row, line)

    def _on_footing_of(self, annual: np.ndarray, line: np.ndarray) -> np.ndarray:
        """Return the position of the row about a period that goes with a company's annual report, or -1."""
        total, own = self._shape[0], self._first_printed
        keys = (self._line * total + self._from_row)[own]
        at = np.searchsorted(keys, line * total + self._at_row, side="right") - 1
        printed = np.append(own, -1)[at]
        printed = np.where((printed >= 0) & (self._padded_line[printed] == line), printed, -1)
        day = np.append(self._announced, 0)
        span = int(day.max()) + 1
        restated = self._last_of(self._line * span + self._announced, line * span + day[annual], line)
        return np.asarray(
            np.maximum(printed, restated)
        )  # rows of a period stand in the order of their announcement

    @cached_property
    def _padded_line(self) -> np.ndarray:
        return np.append(self._line, -1)

    def _last_of(self, keys: np.ndarray, up_to: np.ndarray, line: np.ndarray) -> np.ndarray:
        at = np.searchsorted(keys, up_to, side="right") - 1
        return np.where(self._padded_line[at] == line, at, -1)


def _positions(column: pa.ChunkedArray, labels: pa.Array) -> np.ndarray:
    """Return where each value stands among the labels, -1 for those that do not."""
    encoded = column.combine_chunks().dictionary_encode()
    found = pc.index_in(encoded.dictionary, value_set=labels).fill_null(-1).to_numpy(zero_copy_only=False)
    if not len(found):
        return np.zeros(0, dtype=np.int64)
    return np.asarray(found.astype(np.int64)[encoded.indices.to_numpy()])


def _days(column: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(column.cast(pa.int32()).to_numpy().astype("datetime64[D]"))


def _is_quarter_end(day: np.ndarray) -> np.ndarray:
    month = day.astype("datetime64[M]")
    last = (day + 1).astype("datetime64[M]") != month
    return np.asarray(last & (month.astype(np.int64) % 3 == 2))
