"""Imports a planned file into a store.

1. Read the whole file, in batches, into a spill cut by period; gather evidence. A damaged file ends here, with
   nothing stored.
2. Settle units, adjustment and labels on the evidence of every row.
3. Judge the periods in ascending order; findings go to the ledger before the rows they concern go to the store.
4. Write what is new or changed, in batches of some hundred thousand rows.

Cut short anywhere, the import can be run again: rows and findings are keyed, so that a second run adds nothing twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from quantflux.core.clock import Clock
from quantflux.core.errors import InvalidData
from quantflux.data.contract import MarketStore, Span
from quantflux.data.quality import Adjustment, Checker, Context, Ledger, QualityReport, latest_day
from quantflux.data.schema import TimeKind
from quantflux.data.sources.files.evidence import Evidence
from quantflux.data.sources.files.minutes import closing_labels
from quantflux.data.sources.files.normalise import normalise
from quantflux.data.sources.files.plan import (
    ImportPlan,
    Settled,
    chosen_rows,
    columns_of,
    days_of,
    in_canonical_units,
    settle,
)
from quantflux.data.sources.files.reading import batches
from quantflux.data.sources.files.spill import Spill
from quantflux.data.sources.upsert import write_changes

WRITE_ROWS = 300_000

Progress = Callable[[str, int, int | None], None]
"""Called with the phase ("read" or "store"), rows done, and rows in all if known."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did, or with `dry_run` would have done.

    Attributes
    ----------
    rows_read : int
        Rows of the file that belong to the dataset.
    rows_stored : int
        Rows that were new or different from what the store held.
    rows_unchanged : int
        Rows that the store held already.
    rows_quarantined : int
        Rows kept out; their raw values are in the ledger.
    duplicates : int
        Of those, rows whose key occurs more than once in the file.
    folded : int
        Auction bars merged into their neighbours.
    version : int or None
        Of the dataset afterwards; None for a dry run.
    run : int or None
        Number of the run in the ledger.
    """

    file: str
    sha256: str
    layout: str
    dataset: str
    volume_unit: str
    amount_unit: str
    adjustment: Adjustment
    rows_read: int
    rows_stored: int
    rows_unchanged: int
    rows_quarantined: int
    duplicates: int
    folded: int
    symbols: int
    span: Span | None
    quality: QualityReport
    seconds: float
    version: int | None
    run: int | None
    dry_run: bool
    warnings: tuple[str, ...]


def run_import(
    plan: ImportPlan,
    store: MarketStore,
    *,
    sessions: np.ndarray,
    clock: Clock,
    ledger: Ledger | None = None,
    listed: Mapping[str, date] | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
    folder: Path | None = None,
) -> ImportReport:
    """Import a file as planned.

    Parameters
    ----------
    plan : ImportPlan
        From `inspect_file`.
    store : MarketStore
    sessions : array of datetime64[D]
        Trading days; an empty array means that the calendar is not asked.
    clock : Clock
    ledger : Ledger or None
        Where findings and provenance are kept. Without one they are only counted.
    listed : mapping of symbol to date, optional
        Listing days, for the days without a price limit.
    dry_run : bool
        Do everything but write, to the store and to the ledger.
    progress : callable, optional
    folder : Path or None
        Where the spill goes: about the size of the file. The system's temporary folder by default.

    Returns
    -------
    ImportReport

    Raises
    ------
    InvalidData
        If the file is damaged or contradicts the plan; nothing was stored.
    StoreError
        If the store fails; run the same import again.
    """
    return _Import(
        plan, store, sessions, clock, None if dry_run else ledger, listed or {}, dry_run, progress
    ).run(folder)


class _Import:
    """The state of one import."""

    def __init__(
        self,
        plan: ImportPlan,
        store: MarketStore,
        sessions: np.ndarray,
        clock: Clock,
        ledger: Ledger | None,
        listed: Mapping[str, date],
        dry_run: bool,
        progress: Progress | None,
    ) -> None:
        self.plan = plan
        self.store = store
        self.sessions = sessions
        self.clock = clock
        self.ledger = ledger
        self.listed = listed
        self.dry_run = dry_run
        self.progress = progress or (lambda _phase, _done, _total: None)
        self.rows_read = self.stored = self.unchanged = self.folded = 0
        self.quality = QualityReport()
        self.symbols: set[str] = set()
        self.span: Span | None = None
        self.run_number: int | None = None
        self.sha256 = ""
        self.held = store.span(plan.dataset)
        self._pending: list[pl.DataFrame] = []

    def run(self, folder: Path | None) -> ImportReport:
        started = self.clock.monotonic()
        data = self.plan.dataset
        self.sha256 = _sha256(self.plan.path)
        with Spill(data, folder) as spill:
            evidence = self._read(spill)
            if _sha256(self.plan.path) != self.sha256:
                raise InvalidData(
                    f"{self.plan.path.name} changed while it was read; nothing was stored",
                    dataset=data.name,
                    rule="file",
                )
            settled = settle(self.plan.layout, self.plan.options, self.plan.reading, evidence)
            self._begin(settled)
            self._judge_and_write(spill, settled)
        version = None if self.dry_run else self.store.version(data)
        report = self._report(settled, version, self.clock.monotonic() - started)
        if self.ledger is not None and self.run_number is not None:
            self.ledger.finish(self.run_number, _facts(report))
        return report

    def _read(self, spill: Spill) -> Evidence:
        plan, evidence, row = self.plan, Evidence(), 1
        for batch in batches(plan.opened, columns_of(plan.layout, plan.reading, plan.opened)):
            frame = normalise(chosen_rows(batch, plan.layout, plan.mapping), plan.reading, row)
            row += batch.height
            evidence.add(frame)
            spill.add(frame)
            self.rows_read += frame.height
            self.progress("read", row - 1, plan.rows)
        if not self.rows_read:
            raise InvalidData(
                f"{plan.path.name} has no rows to import; nothing was stored", dataset=plan.dataset.name
            )
        return evidence

    def _begin(self, settled: Settled) -> None:
        if self.ledger is None:
            return
        facts = {
            "file": self.plan.path.name,
            "layout": self.plan.layout.name,
            "volume_unit": settled.units.volume,
            "amount_unit": settled.units.amount,
            "units_confirmed": settled.units.confirmed,
            "adjustment": settled.adjustment.value,
            "adjustment_reason": settled.adjustment_reason,
        }
        self.run_number = self.ledger.begin(self.plan.dataset.name, "import", self.sha256, facts)

    def _judge_and_write(self, spill: Spill, settled: Settled) -> None:
        data = self.plan.dataset
        latest = latest_day(data, self.clock)
        checker = Checker(Context(data, self.sessions, settled.adjustment, self.listed, latest))
        done = 0
        for part in spill.parts():
            done += part.height
            rows = in_canonical_units(part, settled.units)
            if data.kind is TimeKind.MINUTE:
                rows = closing_labels(rows, settled.label)
                self.folded += part.height - rows.height
            checked = checker.check(rows)
            self.quality.add(rows.height, checked.quarantined_rows, checked.findings)
            if self.ledger is not None and self.run_number is not None:
                self.ledger.record(self.run_number, data.name, self.sha256, checked.findings)
            if checked.kept.height:
                self._take(checked.kept, settled)
            self.progress("store", done, self.rows_read)
        self._write()

    def _take(self, kept: pl.DataFrame, settled: Settled) -> None:
        data = self.plan.dataset
        if data.kind is TimeKind.DAY and settled.adjustment.by_vendor and "adj_factor" not in kept.columns:
            kept = kept.with_columns(pl.lit(1.0).alias("adj_factor"))
        days = days_of(kept, data)
        span = Span(days.min(), days.max())  # type: ignore[arg-type]
        self.span = span if self.span is None else self.span | span
        self.symbols.update(kept["symbol"].unique())
        self._pending.append(kept.with_columns(pl.col("volume").cast(pl.Int64)))
        if sum(f.height for f in self._pending) >= WRITE_ROWS:
            self._write()

    def _write(self) -> None:
        if not self._pending:
            return
        table = pl.concat(self._pending).to_arrow()
        self._pending = []
        written = write_changes(self.store, self.plan.dataset, table, held=self.held, dry_run=self.dry_run)
        self.stored += written
        self.unchanged += table.num_rows - written

    def _report(self, settled: Settled, version: int | None, seconds: float) -> ImportReport:
        quality = self.quality
        return ImportReport(
            file=str(self.plan.path),
            sha256=self.sha256,
            layout=self.plan.layout.name,
            dataset=self.plan.dataset.name,
            volume_unit=settled.units.volume,
            amount_unit=settled.units.amount,
            adjustment=settled.adjustment,
            rows_read=self.rows_read,
            rows_stored=self.stored,
            rows_unchanged=self.unchanged,
            rows_quarantined=quality.quarantined,
            duplicates=quality.count("duplicate_identical") + quality.count("duplicate_conflicting"),
            folded=self.folded,
            symbols=len(self.symbols),
            span=self.span,
            quality=quality,
            seconds=seconds,
            version=version,
            run=self.run_number,
            dry_run=self.dry_run,
            warnings=settled.warnings,
        )


def _facts(report: ImportReport) -> dict[str, object]:
    facts = asdict(report)
    facts["quality"] = {c.rule: c.count for c in report.quality.by_rule}
    facts["span"] = None if report.span is None else [report.span.first, report.span.last]
    facts["file"] = Path(report.file).name
    return facts


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
