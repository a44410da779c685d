"""Runs the rules over batches of bars.

1. `_marked` adds what the row rules ask about: day, session number, copies of the same key.
2. Row rules run; a row is quarantined by the first rule that it breaks, a bad cell is emptied.
3. The `Sequencer` sets each surviving row beside the one before it, in this batch or an earlier one.
4. Sequence rules run and flag.

Batches must come in time order for each symbol; the checker remembers one row a symbol between them, so memory is
bounded by the batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from quantflux.data.quality.rulebook import RULES
from quantflux.data.quality.rules import Context, Rule, Scope, Severity
from quantflux.data.quality.sequence import BARS, Sequencer
from quantflux.data.schema import TimeKind

FINDING_SCHEMA = pl.Schema(
    {
        "rule": pl.String(),
        "severity": pl.String(),
        "symbol": pl.String(),
        "day": pl.Date(),
        "at": pl.String(),
        "cell": pl.String(),
        "source_row": pl.Int64(),
        "detail": pl.String(),
        "raw": pl.String(),
    }
)
"""One row a finding. `at` is the row's time as text, `source_row` its
number in the source (0 if unknown); `raw`, for quarantine, is the row as JSON, before any change."""

_OPTIONAL = ("amount", "adj_factor", "pre_close")
_DERIVED = ("bad_cells", "source_row")


@dataclass(frozen=True)
class Checked:
    """A batch after the rules: rows to store (canonical columns only, sorted by key) and findings."""

    kept: pl.DataFrame
    findings: pl.DataFrame
    quarantined_rows: int


class Checker:
    """Judges the batches of one import or audit, in time order.

    Parameters
    ----------
    context : Context
    rules : tuple of Rule
        All shipped rules by default.
    """

    def __init__(self, context: Context, rules: tuple[Rule, ...] = RULES) -> None:
        self.context = context
        self.rules = rules
        self._sequencer = Sequencer(context)

    def check(self, frame: pl.DataFrame) -> Checked:
        """Judge one batch.

        Parameters
        ----------
        frame : DataFrame
            symbol, the dataset's time column, open, high, low, close, volume (floats, canonical units) and any of
            amount, adj_factor, pre_close, bad_cells (text: what could not be read), source_row.

        Returns
        -------
        Checked
        """
        marked = self._marked(frame)
        rules = [r for r in self.rules if r.applies(self.context, frame.columns)]
        survivors, findings = self._apply_row_rules(marked, [r for r in rules if r.scope is Scope.ROW])
        quarantined = marked.height - survivors.height
        sequence = [r for r in rules if r.scope is Scope.SEQUENCE]
        if sequence and survivors.height:
            findings.extend(self._apply_sequence_rules(survivors, sequence))
        time = self.context.dataset.time
        columns = [c for c in ("symbol", time, *BARS, *_OPTIONAL[:2]) if c in frame.columns]
        kept = survivors.select(columns)
        empty = pl.DataFrame(schema=FINDING_SCHEMA)
        return Checked(kept, pl.concat([empty, *findings]) if findings else empty, quarantined)

    def _marked(self, frame: pl.DataFrame) -> pl.DataFrame:
        data = self.context.dataset
        time = data.time
        day = pl.col(time)
        if data.kind is TimeKind.MINUTE:
            day = day.dt.convert_time_zone("Asia/Shanghai").dt.date()
        if "bad_cells" not in frame.columns:
            frame = frame.with_columns(pl.lit(None, pl.String).alias("bad_cells"))
        frame = frame.with_columns(day.alias("day")).sort("symbol", time, maintain_order=True)
        frame = frame.with_columns(self._session_numbers(frame["day"]), self._outside())
        same = _same_key(time)
        if not frame.select(same.any()).item():
            return frame.with_columns(pl.lit(False).alias("repeated"), pl.lit(False).alias("conflicting"))
        return _with_duplicates(frame, time)

    def _session_numbers(self, days: pl.Series) -> pl.Series:
        """Number the trading days; -1 for a day without trading, -2 for one outside the calendar."""
        sessions = self.context.sessions.astype("datetime64[D]")
        if not len(sessions):
            return pl.repeat(-2, len(days), dtype=pl.Int64, eager=True).alias("session")
        known = days.fill_null(pl.lit(0).cast(pl.Date)).to_numpy().astype("datetime64[D]")
        index = np.searchsorted(sessions, known)
        inside = (known >= sessions[0]) & (known <= sessions[-1])
        hit = sessions[np.minimum(index, len(sessions) - 1)] == known
        return pl.Series("session", np.where(inside, np.where(hit, index, -1), -2).astype(np.int64))

    def _outside(self) -> pl.Expr:
        latest = self.context.latest
        late = pl.lit(False) if latest is None else pl.col("day") > latest
        return ((pl.col("day") < self.context.dataset.earliest) | late).fill_null(False).alias("outside")

    def _apply_row_rules(
        self, frame: pl.DataFrame, rules: list[Rule]
    ) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
        tests = frame.select(r.test(self.context).fill_null(False).alias(r.id) for r in rules)
        findings: list[pl.DataFrame] = []
        standing = np.ones(frame.height, dtype=bool)
        emptied: dict[str, np.ndarray] = {}
        for r in rules:
            hits = tests[r.id].to_numpy() & standing
            if r.cell in emptied:
                hits &= ~emptied[r.cell]
            if not hits.any():
                continue
            findings.append(self._findings(r, frame.filter(pl.Series(hits))))
            if r.cell:
                emptied[r.cell] = emptied.get(r.cell, np.zeros(frame.height, dtype=bool)) | hits
            elif r.severity is Severity.QUARANTINE:
                standing &= ~hits
        if emptied:
            blank = [
                pl.when(pl.Series(mask)).then(None).otherwise(pl.col(name)).alias(name)
                for name, mask in emptied.items()
            ]
            frame = frame.with_columns(blank)
        return frame if standing.all() else frame.filter(pl.Series(standing)), findings

    def _apply_sequence_rules(self, survivors: pl.DataFrame, rules: list[Rule]) -> list[pl.DataFrame]:
        known = [n for n in (*_OPTIONAL, "source_row") if n in survivors.columns]
        absent = [pl.lit(None, pl.Float64).alias(n) for n in _OPTIONAL if n not in survivors.columns]
        time = self.context.dataset.time
        sequenced = self._sequencer.add(
            survivors.select("symbol", time, "day", "session", *BARS, *known, *absent)
        )
        tests = sequenced.select(r.test(self.context).fill_null(False).alias(r.id) for r in rules)
        hits = {r: tests[r.id] for r in rules if tests[r.id].any()}
        return [self._findings(r, sequenced.filter(hit)) for r, hit in hits.items()]

    def _findings(self, r: Rule, rows: pl.DataFrame) -> pl.DataFrame:
        time = self.context.dataset.time
        shown = [n for n in r.shows if n in rows.columns]
        parts = [pl.format("{}={}", pl.lit(n), pl.col(n).cast(pl.String).fill_null("null")) for n in shown]
        raw = pl.lit(None, pl.String)
        if r.severity is Severity.QUARANTINE:
            kept = ("symbol", time, *BARS, *_OPTIONAL, *_DERIVED)
            raw = pl.struct(n for n in kept if n in rows.columns).struct.json_encode()
        return rows.select(
            pl.lit(r.id).alias("rule"),
            pl.lit(r.severity.value).alias("severity"),
            pl.col("symbol"),
            pl.col("day"),
            pl.col(time).cast(pl.String).alias("at"),
            pl.lit(r.cell).alias("cell"),
            (pl.col("source_row") if "source_row" in rows.columns else pl.lit(0, pl.Int64)).alias(
                "source_row"
            ),
            (pl.concat_str(parts, separator=", ") if parts else pl.lit("")).alias("detail"),
            raw.alias("raw"),
        )


def _same_key(time: str) -> pl.Expr:
    return (
        (pl.col("symbol") == pl.col("symbol").shift(1)) & (pl.col(time) == pl.col(time).shift(1))
    ).fill_null(False)


def _with_duplicates(frame: pl.DataFrame, time: str) -> pl.DataFrame:
    """Mark keys that occur more than once: `conflicting` if their values differ, else `repeated` from the second on."""
    values = [n for n in (*BARS, *_OPTIONAL) if n in frame.columns]
    group = pl.struct("symbol", time)
    readable = pl.col("symbol").is_not_null() & pl.col(time).is_not_null()
    differs = pl.any_horizontal(
        pl.col(n).fill_nan(None).ne_missing(pl.col(n).fill_nan(None).first().over(group)) for n in values
    )
    frame = frame.with_columns((readable & differs.any().over(group)).alias("conflicting"))
    copy = readable & _same_key(time) & ~pl.col("conflicting")
    return frame.with_columns(copy.alias("repeated"))
