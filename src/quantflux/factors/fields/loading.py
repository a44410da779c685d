"""Loads fields of the catalogue into one panel.

1. The daily bars that the fields need are read; their days and symbols are the axes of everything else
   (`_Loader.axes`).
2. Each field is laid on those axes, in the way of its source (`_Loader._laid`).
3. If a dataset was written to meanwhile, all is read again, so that the versions told are those of the values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from quantflux.core.errors import InvalidRequest, NotFound, VersionConflict
from quantflux.core.panel import Panel
from quantflux.data.access import DataAccessLayer
from quantflux.data.contract import Query, Span, day_of
from quantflux.data.request import WhenLike, parse_symbols, parse_when
from quantflux.data.schema import DAILY, INSTRUMENTS, Dataset
from quantflux.factors.fields.catalogue import (
    AdjustedPrice,
    AdjustmentFactor,
    AverageLevel,
    AveragePrice,
    Column,
    Field,
    Industry,
    Level,
    TrailingYear,
    field_named,
)
from quantflux.factors.fields.daily import Axes, DailyColumns
from quantflux.factors.fields.industry import industries
from quantflux.factors.fields.prices import Prices, StandIns
from quantflux.factors.fields.statements import REPORT_TYPES, ReportHistory

_ATTEMPTS = 3


@dataclass(frozen=True, eq=False)
class FieldSet:
    """Fields on common axes, and what has to be known about them.

    Attributes
    ----------
    panel : Panel
        float64 arrays; rows are the days on which any symbol has a bar. NaN where a value is not known.
    notes : tuple of str
        What a reader of the values should know: stand-ins, missing factors, fields without a value.
    dataset_versions : mapping of str to int
        The version of each dataset that was read.
    labels : mapping of str to tuple of str
        For fields of codes, the names behind them: `labels["industry"][code]`.
    stand_ins : StandIns
        What was taken for data that no day has.
    """

    panel: Panel
    notes: tuple[str, ...]
    dataset_versions: Mapping[str, int]
    labels: Mapping[str, tuple[str, ...]]
    stand_ins: StandIns


def load_fields(
    data: DataAccessLayer,
    names: Iterable[str],
    symbols: Sequence[str] | None = None,
    start: WhenLike = None,
    end: WhenLike = None,
) -> FieldSet:
    """Load fields by name.

    Daily values stand on their own day only. Prices are adjusted backward as by `DataAccessLayer.panel`, except that a
    symbol without any `adj_factor` counts as adjusted already; a day whose factor alone is missing has no adjusted
    price. Statements are as known at the close of each day; see `quantflux.factors.fields.statements`. A value
    does not depend on the span and the symbols that were asked for.

    Parameters
    ----------
    data : DataAccessLayer
    names : iterable of str
        Of the catalogue.
    symbols : sequence of str, optional
        In any spelling. Unless given, all shares with a bar in the span.
    start, end : day, optional
        Both inclusive; None is open.

    Returns
    -------
    FieldSet
        Its panel has the fields in the order of their names.

    Raises
    ------
    NotFound
        If a field is unknown, or its dataset holds no rows.
    UnknownSymbol
        If a symbol has no bar at all.
    InvalidRequest
        If the span makes no sense, or one field would exceed the limits of the data access layer.
    VersionConflict
        If the data were written to again and again while they were read.
    """
    fields = [field_named(name) for name in dict.fromkeys(names)]
    sources = {DAILY.name: DAILY} | {f.source.dataset.name: f.source.dataset for f in fields}
    _require_rows(data, fields)
    wanted = parse_symbols(symbols, data.limits)
    if wanted == ():
        raise InvalidRequest("the list of symbols is empty; leave it out to load all shares")
    span = _span(data, start, end)
    for _ in range(_ATTEMPTS):
        versions = {name: _version(data, source) for name, source in sources.items()}
        loader = _Loader(data, fields, wanted, span)
        panel = loader.panel()
        if versions == {name: _version(data, source) for name, source in sources.items()}:
            return FieldSet(panel, tuple(loader.notes), versions, loader.labels, loader.stand_ins)
    raise VersionConflict(
        f"{', '.join(sources)} were written to during each of {_ATTEMPTS} attempts to read them; try again later"
    )


def _require_rows(data: DataAccessLayer, fields: Sequence[Field]) -> None:
    for name, source in [("a panel", DAILY), *((repr(f.name), f.source.dataset) for f in fields)]:
        if data.store.span(source) is None:
            raise NotFound(
                f"{name} is read from {source.name}, which holds no rows here; import or sync it, or ask for fields of "
                "datasets that do"
            )


def _span(data: DataAccessLayer, start: WhenLike, end: WhenLike) -> Span:
    """Return the days asked for, as far as there are bars; the first lies after the last if there are none."""
    low, high = parse_when(start, "start"), parse_when(end, "end")
    asked = Query(DAILY, None, low, high)  # refuses spans that are no spans
    known = data.store.span(DAILY)
    assert known is not None  # noqa: S101 - `_require_rows` was here
    first = known.first if asked.start is None else max(known.first, day_of(asked.start))
    last = known.last if asked.end is None else min(known.last, day_of(asked.end))
    return Span(first, last)


def _version(data: DataAccessLayer, dataset: Dataset) -> int:
    """Return the version that reads show: panels may lag a little behind the store."""
    panels = None if data.panels is None else data.panels.of(dataset)
    shown = None if panels is None else panels.state()
    return data.version(dataset) if shown is None else shown[1]


class _Loader:
    """One attempt at loading. Methods return new arrays of shape (T, N)."""

    def __init__(
        self, data: DataAccessLayer, fields: Sequence[Field], symbols: tuple[str, ...] | None, span: Span
    ) -> None:
        self._data, self._fields, self._symbols, self._span = data, fields, symbols, span
        self._histories: dict[str, ReportHistory] = {}
        self.notes: list[str] = []
        self.labels: dict[str, tuple[str, ...]] = {}

    def panel(self) -> Panel:
        """Return the fields asked for."""
        days, count = self.axes.shape
        self._data.limits.check_cells(count, days)
        laid = {field.name: self._laid(field) for field in self._fields}
        if days and count:
            void = [name for name, values in laid.items() if np.isnan(values).all()]
            if void:
                self.notes.append(f"no value of {', '.join(void)} is known for these days and symbols")
        return Panel(self.axes.days, self.axes.symbols, laid)

    @cached_property
    def axes(self) -> Axes:
        """The days and symbols of the bars."""
        return self._daily[DAILY.name].axes()

    @cached_property
    def _daily(self) -> dict[str, DailyColumns]:
        """The columns that the fields need of each daily dataset."""
        needed: dict[Dataset, dict[str, None]] = {DAILY: {"close": None}}
        for source in (field.source for field in self._fields):
            if source.dataset.panel:
                needed.setdefault(source.dataset, {}).update(dict.fromkeys(source.columns))
        return {
            dataset.name: DailyColumns(self._data, dataset, list(columns), self._symbols, self._span)
            for dataset, columns in needed.items()
        }

    def _laid(self, field: Field) -> np.ndarray:
        match field.source:
            case Column(dataset, column):
                laid = self._daily[dataset.name].lay(column, self.axes)
            case AdjustedPrice(column):
                laid = self._prices.adjusted(column)
            case AveragePrice():
                laid = self._prices.average()
            case AdjustmentFactor():
                laid = self._prices.multiplier.copy()
            case Industry():
                laid = self._industry()
            case Level(item, previous_year):
                laid = self._history(field).level(item.column, previous_year=previous_year)
            case AverageLevel(item):
                laid = self._history(field).average(item.column)
            case TrailingYear(item, previous_year):
                laid = self._history(field).trailing_year(
                    item.column, financials=item.financials, previous_year=previous_year
                )
        return laid

    @cached_property
    def _prices(self) -> Prices:
        return Prices(self._data, self._daily[DAILY.name], self.axes, self._span, self.notes)

    @property
    def stand_ins(self) -> StandIns:
        """What was taken for data that no day has, to be asked when the panel is there."""
        return self._prices.stand_ins if "_prices" in self.__dict__ else StandIns()

    def _industry(self) -> np.ndarray:
        rows = self._data.store.read(Query(INSTRUMENTS, columns=Industry().columns))
        found = industries(rows, self.axes.days, self.axes.symbols)
        self.labels["industry"] = found.labels
        if found.backdated:
            self.notes.append(
                f"the industry of {found.backdated} symbols before their first row in {INSTRUMENTS.name} is that of "
                "this row"
            )
        return found.codes

    def _history(self, field: Field) -> ReportHistory:
        """Return the reports of a field's statement, with every column that the fields need."""
        statement = field.source.dataset
        if statement.name not in self._histories:
            columns = {"comp_type": None}
            for source in (f.source for f in self._fields if f.source.dataset is statement):
                columns |= dict.fromkeys(source.columns)
            query = Query(statement, self._symbols, None, self._span.last, tuple(columns))
            rows = self._data.store.read(query)
            _require_reports(statement, rows)
            history = ReportHistory(rows, self.axes.days, self.axes.symbols)
            if history.premature:
                self.notes.append(
                    f"{history.premature} reports in {statement.name} claim to have been announced before their period "
                    "was over; they are left out"
                )
            self._histories[statement.name] = history
        return self._histories[statement.name]


def _require_reports(statement: Dataset, rows: pa.Table) -> None:
    kinds = set(rows.column("report_type").unique().to_pylist())
    if kinds and kinds.isdisjoint(REPORT_TYPES):
        raise NotFound(
            f"{statement.name} holds {rows.num_rows} reports of type {', '.join(sorted(kinds))} and none of type "
            f"{', '.join(sorted(REPORT_TYPES))}, the consolidated ones that fields are made of"
        )
