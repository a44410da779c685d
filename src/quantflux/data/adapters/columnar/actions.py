"""What a commit writes into the log: files added and removed, and a note of ours."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake.transaction import AddAction, RemoveAction

from quantflux.data.adapters.columnar.layout import PERIOD, period_of_path
from quantflux.data.contract import Span
from quantflux.data.schema import Dataset

NOTE = "quantflux"
"""The key of our note in `commitInfo`."""


@dataclass(frozen=True, slots=True)
class Note:
    """What one commit said: when, which days changed (None for maintenance), and the digest of all live files."""

    at: datetime
    span: Span | None
    digest: str

    def to_json(self) -> dict[str, Any]:
        """Return it as it stands in the log."""
        days = None if self.span is None else [self.span.first.isoformat(), self.span.last.isoformat()]
        return {"at": self.at.isoformat(), "span": days, "digest": self.digest}

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Note:
        """Read it back."""
        days = found["span"]
        span = None if days is None else Span(date.fromisoformat(days[0]), date.fromisoformat(days[1]))
        return cls(datetime.fromisoformat(found["at"]), span, found["digest"])


@dataclass(frozen=True, slots=True)
class NewFile:
    """A data file that is on disk and not yet in the log."""

    path: str
    size: int
    rows: int
    lowest: dict[str, str]
    highest: dict[str, str]

    @classmethod
    def describe(cls, data: Dataset, path: str, size: int, rows: pa.Table) -> NewFile:
        """Describe a file by the sorted rows it holds."""
        symbols = rows.column("symbol")
        times = pc.min_max(rows.column(data.time))
        ends = {"min": symbols[0].as_py(), "max": symbols[-1].as_py()}
        lowest, highest = ({"symbol": ends[e], data.time: _as_json(times[e].as_py())} for e in ("min", "max"))
        return cls(path, size, rows.num_rows, lowest, highest)

    def action(self, data_change: bool) -> AddAction:
        """Return it as Delta writes it; the statistics serve other readers of the table."""
        stats = {
            "numRecords": self.rows,
            "minValues": self.lowest,
            "maxValues": self.highest,
            "nullCount": {},
        }
        period = {PERIOD: period_of_path(self.path)}
        return AddAction(self.path, self.size, period, _milliseconds(), data_change, json.dumps(stats))


def removal(path: str, data_change: bool) -> RemoveAction:
    """Return the action that takes a file out of the newest version."""
    return RemoveAction(path, data_change, _milliseconds(), None, {PERIOD: period_of_path(path)})


def digest(paths: Iterable[str]) -> str:
    """Return a digest of file paths given in sorted order."""
    return hashlib.sha256("\n".join(paths).encode()).hexdigest()[:32]


def _as_json(when: date | datetime) -> str:
    """Return a time as Delta's statistics write it."""
    if not isinstance(when, datetime):
        return when.isoformat()
    return when.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _milliseconds() -> int:
    """Return the machine's time: Delta's own bookkeeping, in which ours has no part."""
    return time.time_ns() // 1_000_000
