"""Runs the rules over what a store holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta

import numpy as np
import polars as pl

from quantflux.core.clock import Clock
from quantflux.core.errors import Unsupported
from quantflux.data.contract import MarketStore, Query, Span
from quantflux.data.quality.checker import Checker
from quantflux.data.quality.ex_dates import judge_ex_dates
from quantflux.data.quality.ledger import Ledger
from quantflux.data.quality.reconcile import reconcile
from quantflux.data.quality.report import QualityReport
from quantflux.data.quality.rules import Adjustment, Context, latest_day
from quantflux.data.schema import DAILY, MINUTE, Dataset, TimeKind

GROUP = 1_000
"""Symbols judged at a time: a year of days, or ten days of minutes, of so many fit a few hundred megabytes."""

AUDITED = frozenset({DAILY.name, MINUTE.name})


def audit_dataset(
    store: MarketStore,
    dataset: Dataset,
    *,
    sessions: np.ndarray,
    clock: Clock,
    symbols: tuple[str, ...] | None = None,
    start: date | None = None,
    end: date | None = None,
    ledger: Ledger | None = None,
    adjustment: Adjustment | None = None,
    listed: Mapping[str, date] | None = None,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> QualityReport:
    """Judge stored rows by every rule.

    Minute bars are also compared with the daily bars beside them, and the steps of daily adjustment factors with
    corporate actions, if any are stored.

    Nothing is changed in the store: a rule that would quarantine a row on import only reports it here.

    Parameters
    ----------
    store : MarketStore
    dataset : Dataset
        Daily or minute bars.
    sessions : array of datetime64[D]
        Trading days.
    clock : Clock
    symbols, start, end : optional
        What to judge; everything by default.
    ledger : Ledger or None
        Where findings go, under the source "audit".
    adjustment : Adjustment or None
        How the stored prices were adjusted; by default what the ledger says of the imports they came from, else raw.
    listed : mapping of symbol to date, optional
    progress : callable, optional
        Called with "audit", rows judged, and None.

    Returns
    -------
    QualityReport

    Raises
    ------
    Unsupported
        If the dataset holds no bars.
    """
    if dataset.name not in AUDITED:
        raise Unsupported(f"the rules judge bars: {', '.join(sorted(AUDITED))}; not {dataset.name}")
    report = QualityReport()
    if adjustment is None:
        adjustment = stored_adjustment(ledger, dataset)
    latest = latest_day(dataset, clock)
    context = Context(dataset, sessions, adjustment, listed or {}, latest)
    run = ledger.begin(dataset.name, "audit", "audit", {"adjustment": adjustment.value}) if ledger else None
    for query in _queries(store, dataset, symbols, start, end):
        checker = Checker(context)
        for period in _periods(dataset, query):
            findings = _judge(store, period, checker, report)
            if ledger is not None and run is not None:
                ledger.record(run, dataset.name, "audit", findings)
            if progress is not None:
                progress("audit", report.rows, None)
        if dataset.name == DAILY.name and not adjustment.by_vendor:
            findings = judge_ex_dates(store, query)
            report.add(0, 0, findings)
            if ledger is not None and run is not None:
                ledger.record(run, dataset.name, "audit", findings)
    if ledger is not None and run is not None:
        counts = {c.rule: c.count for c in report.by_rule}
        ledger.finish(run, {"rows_read": report.rows, "quality": counts})
    return report


def _judge(store: MarketStore, query: Query, checker: Checker, report: QualityReport) -> pl.DataFrame:
    table = store.read(query)
    if not table.num_rows:
        return pl.DataFrame()
    rows = pl.DataFrame(table).with_columns(pl.col("volume").cast(pl.Float64))
    checked = checker.check(rows)
    findings = checked.findings
    if query.dataset.kind is TimeKind.MINUTE:
        columns = ("open", "high", "low", "close", "volume")
        daily = store.read(Query(DAILY, query.symbols, query.start, query.end, columns))
        if daily.num_rows:
            findings = pl.concat([findings, reconcile(rows, pl.DataFrame(daily), checker.context)])
    report.add(rows.height, checked.quarantined_rows, findings)
    return findings


def _queries(
    store: MarketStore,
    dataset: Dataset,
    symbols: tuple[str, ...] | None,
    start: date | None,
    end: date | None,
) -> Iterator[Query]:
    held = store.span(dataset)
    if held is None:
        return
    span = Span(max(start or held.first, held.first), min(end or held.last, held.last))
    if span.first > span.last:
        return
    every = symbols if symbols is not None else tuple(store.symbols(dataset))
    size = GROUP if dataset.kind is TimeKind.DAY else GROUP // 10
    for at in range(0, len(every), size):
        yield Query(dataset, every[at : at + size], span.first, span.last)


def _periods(dataset: Dataset, query: Query) -> Iterator[Query]:
    """Cut a read into calendar years, or months for minutes."""
    (start, end) = query.start, query.end
    if start is None or end is None:
        raise ValueError("a read must be bounded to be cut into periods")
    first = date(start.year, start.month, 1)
    while first <= end:
        if dataset.kind is TimeKind.DAY:
            following = date(first.year + 1, 1, 1)
        else:
            following = (first + timedelta(days=32)).replace(day=1)
        yield query.narrowed(max(start, first), min(end, following - timedelta(days=1)))
        first = following


def stored_adjustment(ledger: Ledger | None, dataset: Dataset) -> Adjustment:
    """Return the adjustment of the imports so far: that of the latest one whose prices were not raw, if any."""
    for run in ledger.runs(dataset.name, limit=10_000) if ledger else ():
        found = run.facts.get("adjustment")
        if run.kind != "audit" and found in set(Adjustment) and found != Adjustment.RAW:
            return Adjustment(found)
    return Adjustment.RAW
