"""Looks at a file and says how it would be imported, before anything is stored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from quantflux.core.errors import InvalidData, InvalidRequest
from quantflux.core.symbols import parse_symbol
from quantflux.data.contract import Span
from quantflux.data.quality.rules import Adjustment
from quantflux.data.schema import Dataset, TimeKind
from quantflux.data.sources.files.evidence import (
    Evidence,
    Units,
    check_units_fit,
    settle_adjustment,
    settle_labels,
    settle_units,
)
from quantflux.data.sources.files.layouts import Layout, Match, normal_header, recognise
from quantflux.data.sources.files.normalise import AMOUNT_UNITS, VOLUME_UNITS, Reading, normalise
from quantflux.data.sources.files.reading import Opened, batches, open_file

SAMPLE_ROWS = 150_000
_SYMBOL_IN_NAME = re.compile(
    r"(?i)(?<![0-9a-z])((?:sh|sz|bj)[._]?\d{6}|\d{6}(?:[._](?:sh|ss|sz|bj|xshg|xshe))?)(?![0-9a-z])"
)
_FLAGS = {"1": "backward", "2": "forward", "3": "raw"}


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What the user decides instead of the file.

    Attributes
    ----------
    layout : str or None
        A layout by name.
    volume_unit : {"shares", "lots"} or None
    amount_unit : {"yuan", "thousand", "ten-thousand"} or None
    adjustment : {"raw", "multiplicative", "subtractive", "rounded"} or None
        How the vendor adjusted the prices.
    label : {"close", "open"} or None
        Which end of its minute labels a bar.
    timezone : str
        Of minute times that name none.
    symbol : str or None
        Of a file without a symbol column.
    """

    layout: str | None = None
    volume_unit: str | None = None
    amount_unit: str | None = None
    adjustment: str | None = None
    label: str | None = None
    timezone: str = "Asia/Shanghai"
    symbol: str | None = None


@dataclass(frozen=True)
class ImportPlan:
    """How a file would be imported.

    Attributes
    ----------
    path : Path
    layout : Layout
    reasons : tuple of str
        Why this layout, and how well others fit.
    mapping : mapping of field to header
    ignored : tuple of str
        Headers of which nothing is made.
    units : Units
    adjustment : Adjustment
    adjustment_reason : str
    label : str
        "close" or "open" for minute files, else empty.
    rows : int or None
        Rows in the file, where its metadata says so.
    sampled : int
        Rows looked at.
    symbols : tuple of str
        Those among the rows looked at.
    span : Span or None
        Of the rows looked at.
    sample : DataFrame
        The first rows, in canonical form and units.
    warnings : tuple of str
    """

    path: Path
    opened: Opened
    layout: Layout
    reasons: tuple[str, ...]
    mapping: Mapping[str, str]
    ignored: tuple[str, ...]
    reading: Reading
    units: Units
    adjustment: Adjustment
    adjustment_reason: str
    label: str
    rows: int | None
    sampled: int
    symbols: tuple[str, ...]
    span: Span | None
    sample: pl.DataFrame
    warnings: tuple[str, ...]
    options: ImportOptions = field(default_factory=ImportOptions)

    @property
    def dataset(self) -> Dataset:
        """Where the rows would go."""
        return self.layout.dataset


def inspect_file(path: Path, options: ImportOptions | None = None) -> ImportPlan:
    """Recognise a file: its layout, units, adjustment and labels, from its header and first rows.

    Parameters
    ----------
    path : Path
        CSV (plain, gzip, or one in a zip) or Parquet.
    options : ImportOptions or None

    Returns
    -------
    ImportPlan
        For `run_import`, which checks it again against every row.

    Raises
    ------
    InvalidRequest
        If the layout or a unit cannot be told, or an option is invalid; the message says which option decides.
    InvalidData
        If the file is damaged, or contradicts its layout.
    """
    options = options or ImportOptions()
    opened = open_file(path)
    name_symbol = _symbol_of_name(path, options)
    matches = recognise(opened.header, symbol_in_name=bool(name_symbol), wanted=options.layout)
    best = matches[0]
    reading = _reading(best, opened, name_symbol, options)
    evidence, head, seen = Evidence(), [], 0
    for batch in batches(opened, columns_of(best.layout, reading, opened)):
        frame = normalise(chosen_rows(batch, best.layout, best.mapping), reading, seen + 1)
        evidence.add(frame)
        head.append(frame)
        seen += batch.height
        if seen >= SAMPLE_ROWS:
            break
    rows = pl.concat(head) if head else pl.DataFrame()
    if not rows.height:
        raise InvalidData(
            f"{path.name} has no rows to import; nothing was stored", dataset=best.layout.dataset.name
        )
    return _plan(opened, matches, reading, options, evidence, rows)


def _plan(
    opened: Opened,
    matches: list[Match],
    reading: Reading,
    options: ImportOptions,
    evidence: Evidence,
    rows: pl.DataFrame,
) -> ImportPlan:
    best = matches[0]
    layout = best.layout
    settled = settle(layout, options, reading, evidence)
    _check_readable(opened.path, layout.dataset, rows)
    warnings = [*settled.warnings]
    if reading.symbol:
        warnings.append(f"no symbol column: all rows are taken as {reading.symbol}")
    days = days_of(rows, layout.dataset)
    first, last = days.min(), days.max()
    others = tuple(m.why() for m in matches[1:4] if m.score > 0)
    return ImportPlan(
        path=opened.path,
        opened=opened,
        layout=layout,
        reasons=(best.why(), *others),
        mapping=best.mapping,
        ignored=best.ignored,
        reading=reading,
        units=settled.units,
        adjustment=settled.adjustment,
        adjustment_reason=settled.adjustment_reason,
        label=settled.label,
        rows=opened.rows,
        sampled=rows.height,
        symbols=tuple(rows["symbol"].drop_nulls().unique().sort()),
        span=None if first is None else Span(first, last),  # type: ignore[arg-type]
        sample=in_canonical_units(rows.head(10), settled.units),
        warnings=tuple(warnings),
        options=options,
    )


@dataclass(frozen=True, slots=True)
class Settled:
    """What the evidence decided."""

    units: Units
    adjustment: Adjustment
    adjustment_reason: str
    label: str
    warnings: tuple[str, ...]


def settle(layout: Layout, options: ImportOptions, reading: Reading, evidence: Evidence) -> Settled:
    """Decide units, adjustment and labels from the evidence so far. Raises as `inspect_file` does."""
    units = settle_units(
        evidence,
        (layout.volume_unit, layout.amount_unit),
        (options.volume_unit, options.amount_unit),
        "amount" in reading.mapping,
        layout.name,
    )
    warnings = [] if units.confirmed else [f"volume in {units.volume} is not confirmed: {units.reason}"]
    adjustment, reason = settle_adjustment(evidence, units)
    if "amount" in reading.mapping and not adjustment.by_vendor:
        check_units_fit(evidence, units, all((options.volume_unit, options.amount_unit)), layout.name)
    if options.adjustment is not None:
        if options.adjustment not in set(Adjustment):
            valid = ", ".join(Adjustment)
            raise InvalidRequest(f"--adjustment must be one of {valid}, was {options.adjustment!r}")
        adjustment, reason = (
            Adjustment(options.adjustment),
            f"as given (the rows say: {adjustment}, {reason})",
        )
    if adjustment is Adjustment.SUBTRACTIVE:
        warnings.append(
            "the vendor adjusted by subtraction: returns of the past are wrong, old prices may be negative. "
            "Raw prices with a factor are needed for research"
        )
    elif adjustment.by_vendor and "adj_factor" not in reading.mapping and not reading.adjusted_close:
        warnings.append(
            "the vendor already adjusted these prices: they are stored as they are, with a factor of 1; "
            "price levels of the past are not those traded"
        )
    label = settle_labels(evidence, options.label) if layout.dataset.kind is TimeKind.MINUTE else ""
    return Settled(units, adjustment, reason, label, tuple(warnings))


def columns_of(layout: Layout, reading: Reading, opened: Opened) -> list[str]:
    """Return the headers to read from the file."""
    wanted = [*reading.mapping.values()]
    if reading.adjusted_close:
        wanted.append(reading.adjusted_close)
    special = {layout.adjust_column, layout.period_column, layout.status_column} - {""}
    return wanted + [h for h in opened.header if normal_header(h) in special and h not in wanted]


def chosen_rows(batch: pl.DataFrame, layout: Layout, mapping: Mapping[str, str]) -> pl.DataFrame:
    """Return the rows of a batch that belong to the dataset, with what the layout's special columns say applied.

    Raises
    ------
    InvalidData
        If the file says itself that it holds prices of different adjustment.
    """
    special = {normal_header(h): h for h in batch.columns}
    if layout.period_column in special:
        batch = batch.filter(
            pl.col(special[layout.period_column]).cast(pl.String).str.strip_chars() == "1min"
        )
    if layout.adjust_column in special:
        _check_one_adjustment(batch[special[layout.adjust_column]], layout)
    if layout.status_column in special:
        idle = pl.col(special[layout.status_column]).cast(pl.String) == "0"
        counts = [mapping[n] for n in ("volume", "amount") if n in mapping]
        nothing = (pl.when(idle & pl.col(n).is_null()).then(pl.lit(0).cast(batch.schema[n])) for n in counts)
        batch = batch.with_columns(
            e.otherwise(pl.col(n)).alias(n) for e, n in zip(nothing, counts, strict=True)
        )
    return batch


def _check_one_adjustment(column: pl.Series, layout: Layout) -> None:
    flags = sorted(_FLAGS.get(f, f) for f in column.cast(pl.String).drop_nulls().unique())
    if len(flags) > 1:
        raise InvalidData(
            f"column {column.name} holds {', '.join(flags)} prices in one file; import them apart; nothing was stored",
            dataset=layout.dataset.name,
            column=column.name,
            rule="schema",
        )


def in_canonical_units(frame: pl.DataFrame, units: Units) -> pl.DataFrame:
    """Return the frame with volume in shares and amount in yuan."""
    scaled = [(pl.col("volume") * VOLUME_UNITS[units.volume]).round().alias("volume")]
    if "amount" in frame.columns:
        scaled.append(pl.col("amount") * AMOUNT_UNITS[units.amount])
    return frame.with_columns(scaled)


def days_of(frame: pl.DataFrame, dataset: Dataset) -> pl.Series:
    """Return the Shanghai day of each row."""
    column = frame[dataset.time]
    return column if dataset.kind is TimeKind.DAY else column.dt.convert_time_zone("Asia/Shanghai").dt.date()


def _symbol_of_name(path: Path, options: ImportOptions) -> str:
    if options.symbol is not None:
        return parse_symbol(options.symbol)
    found = _SYMBOL_IN_NAME.search(path.name.split(".csv")[0].split(".parquet")[0])
    if not found:
        return ""
    try:
        return parse_symbol(found.group(1).replace("_", "."))
    except InvalidRequest:
        return ""


def _reading(best: Match, opened: Opened, name_symbol: str, options: ImportOptions) -> Reading:
    layout = best.layout
    adjusted = next((h for h in opened.header if normal_header(h) == layout.adjusted_close), "")
    symbol = "" if "symbol" in best.mapping else name_symbol
    return Reading(layout.dataset, best.mapping, symbol, adjusted, options.timezone)


def _check_readable(path: Path, dataset: Dataset, rows: pl.DataFrame) -> None:
    """Refuse a file most of whose rows make no sense: that is a wrong layout, not bad rows."""
    for column in ("symbol", dataset.time, "open", "high", "low", "close", "volume"):
        unreadable = rows[column].is_null() & rows["bad_cells"].is_not_null()
        if unreadable.sum() > rows.height / 2:
            note = rows.filter(unreadable)["bad_cells"][0]
            raise InvalidData(
                f"{path.name}: {int(unreadable.sum())} of the first {rows.height} rows have no readable {column} "
                f"(first: {note}); nothing was stored",
                dataset=dataset.name,
                column=column,
                rule="schema",
                count=int(unreadable.sum()),
            )
