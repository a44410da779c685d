"""Brings a store up to date from a vendor, symbol by symbol.

For each symbol the last stored day is asked for again with what follows it: if the vendor now tells that day
otherwise (another price, another factor), it has restated history, and the symbol is fetched whole. What was stored is
noted symbol by symbol, so that a run cut short goes on where it stopped. Corporate actions are few, and always fetched
whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import polars as pl

from quantflux.core.clock import Clock, trading_date
from quantflux.core.errors import InvalidRequest, RateLimited, SourceUnavailable, Unsupported
from quantflux.data.contract import MarketStore, Query
from quantflux.data.quality import Checker, Context, Ledger, Provenance, QualityReport, latest_day
from quantflux.data.schema import CORPORATE_ACTIONS, DAILY, MINUTE, Dataset, TimeKind
from quantflux.data.sources.contract import Batch, CanFetchActions, CanFetchMinutes, Source
from quantflux.data.sources.upsert import write_changes

FLUSH_SYMBOLS = 50
FLUSH_ROWS = 200_000
GIVE_UP_AFTER = 5
"""Symbols in a row that could not be had, after which the vendor counts as gone."""

Progress = Callable[[str, int, int | None], None]
"""Called with a symbol, symbols done and symbols in all."""


@dataclass
class SyncReport:
    """What a sync did.

    Attributes
    ----------
    resumed : int
        Symbols that an earlier run, cut short, had stored already.
    empty : list of str
        Symbols of which the vendor had no rows in the span.
    failed : dict of symbol to message
        Symbols that could not be had; the next sync asks again.
    restated : list of str
        Symbols whose history the vendor tells differently now; fetched whole.
    rows_fetched, rows_stored, rows_quarantined : int
    version : int
        Of the dataset afterwards.
    run : int or None
        In the ledger.
    """

    source: str
    dataset: str
    requested: int
    resumed: int = 0
    fetched: int = 0
    empty: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    restated: list[str] = field(default_factory=list)
    rows_fetched: int = 0
    rows_stored: int = 0
    quality: QualityReport = field(default_factory=QualityReport)
    seconds: float = 0.0
    version: int = 0
    run: int | None = None

    @property
    def rows_quarantined(self) -> int:
        """Rows kept out of the store."""
        return self.quality.quarantined


def sync(
    source: Source,
    store: MarketStore,
    symbols: Sequence[str],
    start: date,
    end: date,
    *,
    dataset: Dataset = DAILY,
    sessions: np.ndarray,
    clock: Clock,
    ledger: Ledger | None = None,
    full: bool = False,
    progress: Progress | None = None,
) -> SyncReport:
    """Fetch what the store lacks.

    Parameters
    ----------
    source : Source
    store : MarketStore
    symbols : sequence of str
        Canonical.
    start, end : date
        Both inclusive. Where the store has rows of a symbol, only what follows the last of them is asked for.
    dataset : Dataset
        Daily or minute bars, or corporate actions.
    sessions : array of datetime64[D]
        Trading days, for the quality rules of bars.
    clock : Clock
    ledger : Ledger or None
        Keeps findings, provenance and progress; without one a run cut short starts over.
    full : bool
        Ask for the whole span whatever the store holds.
    progress : callable, optional

    Returns
    -------
    SyncReport

    Raises
    ------
    InvalidRequest
        If the span is empty or the dataset is of another kind.
    Unsupported
        If the vendor has none of them.
    RateLimited, SourceUnavailable, SourceChanged
        If the vendor bars us, is gone, or has changed; what was stored until then stays, and is not asked for again
        when the same sync runs next.
    """
    if start > end:
        raise InvalidRequest(f"start must not be after end, was {start} .. {end}")
    if dataset.name == MINUTE.name and not isinstance(source, CanFetchMinutes):
        raise Unsupported(f"{source.name} has no minute bars")
    if dataset.name == CORPORATE_ACTIONS.name and not isinstance(source, CanFetchActions):
        raise Unsupported(f"{source.name} has no corporate actions")
    served = (DAILY.name, MINUTE.name, CORPORATE_ACTIONS.name)
    if dataset.name not in served:
        raise InvalidRequest(f"vendors serve {', '.join(served)}, not {dataset.name}")
    return _Sync(source, store, dataset, (start, end), sessions, clock, ledger, full).run(
        sorted(set(symbols)), progress or (lambda _symbol, _done, _total: None)
    )


class _Sync:
    """The state of one sync."""

    def __init__(
        self,
        source: Source,
        store: MarketStore,
        dataset: Dataset,
        span: tuple[date, date],
        sessions: np.ndarray,
        clock: Clock,
        ledger: Ledger | None,
        full: bool,
    ) -> None:
        self.source = source
        self.store = store
        self.dataset = dataset
        self.start, self.end = span
        self.clock = clock
        self.ledger = ledger
        self.bars = dataset.name != CORPORATE_ACTIONS.name
        self.full = full or not self.bars
        self.held = store.span(dataset)
        latest = latest_day(dataset, clock)
        self.checker = Checker(Context(dataset, sessions, latest=latest))
        self._pending: list[tuple[Batch, pl.DataFrame]] = []
        self._failures_in_a_row = 0

    def run(self, symbols: list[str], progress: Progress) -> SyncReport:
        started = self.clock.monotonic()
        report = SyncReport(self.source.name, self.dataset.name, len(symbols))
        done = self._begin(report, symbols)
        report.resumed = len(done)
        count = len(done)
        try:
            for group in _groups([s for s in symbols if s not in done]):
                held = {} if self.full else self._last_rows(group)
                for symbol in group:
                    self._one(symbol, held.get(symbol), report)
                    count += 1
                    progress(symbol, count, len(symbols))
        finally:
            self._flush(report)  # what the vendor gave before it stopped is worth keeping
        report.version = self.store.version(self.dataset)
        report.seconds = self.clock.monotonic() - started
        if self.ledger is not None and report.run is not None:
            self.ledger.finish(report.run, _facts(report))
        return report

    def _begin(self, report: SyncReport, symbols: list[str]) -> set[str]:
        """Open a run, or go on with the one cut short; return the symbols it has done."""
        if self.ledger is None:
            return set()
        facts = {"start": self.start, "end": self.end, "symbols": len(symbols), "full": self.full}
        name, kind = self.dataset.name, "sync"
        run = self.ledger.unfinished(name, kind, self.source.name, facts)
        if run is None:
            run = self.ledger.begin(name, kind, self.source.name, facts)
        report.run = run
        return {b.symbol for b in self.ledger.batches(run)} & set(symbols)

    def _last_rows(self, symbols: list[str]) -> dict[str, dict[str, object]]:
        """Return the last stored row of each symbol within the span."""
        columns = ("close", "adj_factor") if self.dataset is DAILY else ("close",)
        table = self.store.read(Query(self.dataset, tuple(symbols), self.start, self.end, columns))
        rows = pl.DataFrame(table).group_by("symbol").last()
        return {row["symbol"]: row for row in rows.iter_rows(named=True)}

    def _one(self, symbol: str, last: dict[str, object] | None, report: SyncReport) -> None:
        try:
            batch = self._fetch(symbol, last, report)
        except SourceUnavailable as exc:
            report.failed[symbol] = str(exc)
            self._failures_in_a_row += 1
            if self._failures_in_a_row >= GIVE_UP_AFTER:
                raise SourceUnavailable(
                    f"{self.source.name}: {GIVE_UP_AFTER} symbols in a row could not be had, last {symbol}: {exc}. "
                    "Run the same sync again later; it goes on from here"
                ) from exc
            return
        except RateLimited as exc:
            exc.add_note(f"at {symbol}; run the same sync again later, it goes on from here")
            raise
        except Unsupported as exc:
            if self.dataset.kind is TimeKind.MINUTE:
                raise
            report.failed[symbol] = str(exc)
            return
        self._failures_in_a_row = 0
        self._take(batch, report)

    def _fetch(self, symbol: str, last: dict[str, object] | None, report: SyncReport) -> Batch:
        if last is None:
            return self._ask(symbol, self.start)
        stamp = last[self.dataset.time]
        if self.dataset.kind is TimeKind.MINUTE:
            return self._ask(symbol, trading_date(stamp))  # type: ignore[arg-type]
        batch = self._ask(symbol, stamp)  # type: ignore[arg-type]
        if _restated(batch.rows, last):
            report.restated.append(symbol)
            return self._ask(symbol, self.start)
        return batch

    def _ask(self, symbol: str, start: date) -> Batch:
        if isinstance(self.source, CanFetchActions) and not self.bars:
            return self.source.corporate_actions(symbol, start, self.end)
        if self.dataset.kind is TimeKind.DAY:
            return self.source.daily_bars(symbol, start, self.end)
        if not isinstance(self.source, CanFetchMinutes):
            raise Unsupported(f"{self.source.name} has no minute bars")
        return self.source.minute_bars(symbol, start, self.end)

    def _take(self, batch: Batch, report: SyncReport) -> None:
        report.fetched += 1
        report.rows_fetched += batch.rows.height
        kept = batch.rows
        if not batch.rows.height:
            report.empty.append(batch.symbol)
        elif self.bars:
            checked = self.checker.check(batch.rows)
            report.quality.add(batch.rows.height, checked.quarantined_rows, checked.findings)
            if self.ledger is not None and report.run is not None:
                self.ledger.record(report.run, self.dataset.name, self.source.name, checked.findings)
            kept = checked.kept
        self._pending.append((batch, kept))
        rows = sum(frame.height for _, frame in self._pending)
        if len(self._pending) >= FLUSH_SYMBOLS or rows >= FLUSH_ROWS:
            self._flush(report)

    def _flush(self, report: SyncReport) -> None:
        """Store what is pending, and only then note it as done."""
        pending, self._pending = self._pending, []
        frames = [frame for _, frame in pending if frame.height]
        if frames:
            rows = pl.concat(frames, how="diagonal")
            if self.bars:
                rows = rows.with_columns(pl.col("volume").cast(pl.Int64))
            report.rows_stored += write_changes(self.store, self.dataset, rows.to_arrow(), held=self.held)
        if self.ledger is not None and report.run is not None:
            self.ledger.record_batches(report.run, [_provenance(b, self.dataset) for b, _ in pending])


def _groups(symbols: list[str]) -> Iterator[list[str]]:
    for at in range(0, len(symbols), FLUSH_SYMBOLS):
        yield symbols[at : at + FLUSH_SYMBOLS]


def _restated(rows: pl.DataFrame, last: dict[str, object]) -> bool:
    """Whether the vendor tells the last stored day otherwise; a day it does not tell at all is restated too."""
    again = rows.filter(pl.col("trade_date") == last["trade_date"])
    if not again.height:
        return True
    row = again.row(0, named=True)
    return any(not _same(row.get(name), last[name]) for name in ("close", "adj_factor"))


def _same(a: object, b: object) -> bool:
    if a is None or b is None:
        return a is None and b is None
    return abs(float(a) - float(b)) <= 1e-6 * abs(float(b))  # type: ignore[arg-type]


def _provenance(batch: Batch, dataset: Dataset) -> Provenance:
    span = batch.span(dataset.time)
    return Provenance(
        batch.symbol,
        batch.endpoint,
        batch.fetched_at.isoformat(),
        batch.rows.height,
        None if span is None else span.first.isoformat(),
        None if span is None else span.last.isoformat(),
        batch.digest,
    )


def _facts(report: SyncReport) -> dict[str, object]:
    return {
        "rows_read": report.rows_fetched,
        "rows_stored": report.rows_stored,
        "rows_quarantined": report.rows_quarantined,
        "failed": report.failed,
        "restated": report.restated,
        "empty": len(report.empty),
        "quality": {c.rule: c.count for c in report.quality.by_rule},
        "version": report.version,
        "adjustment": "raw",
    }
