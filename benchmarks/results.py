"""Writes what a run measured: JSON for programs, a Markdown table for people."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.timing import Timing

FOLDER = Path(__file__).parent / "results"


@dataclass
class Row:
    """One measured thing: seconds or bytes by rival, ours among them."""

    name: str
    unit: str
    figures: dict[str, float]
    p99: dict[str, float] = field(default_factory=dict)
    wanted: float | None = None
    """Least ratio of v1's way to ours that the project promises."""

    @property
    def ratio(self) -> float | None:
        """How many times better ours is than v1's way: fewer seconds or bytes, or more a second."""
        if not self.figures.get("v1") or not self.figures.get("ours"):
            return None
        ratio = self.figures["v1"] / self.figures["ours"]
        return 1 / ratio if self.unit.endswith("/s") else ratio


@dataclass
class Report:
    """All rows of one run at one size."""

    title: str
    size: dict[str, Any]
    rows: list[Row] = field(default_factory=list)

    def add_timing(self, name: str, timings: dict[str, Timing], wanted: float | None = None) -> Row:
        """Add the timings of one query."""
        row = Row(
            name,
            "ms",
            {rival: t.median * 1e3 for rival, t in timings.items()},
            {rival: t.p99 * 1e3 for rival, t in timings.items()},
            wanted,
        )
        self.rows.append(row)
        return row

    def add(self, name: str, unit: str, figures: dict[str, float], wanted: float | None = None) -> Row:
        """Add figures of one kind: seconds, megabytes."""
        row = Row(name, unit, figures, {}, wanted)
        self.rows.append(row)
        return row

    def write(self, stem: str) -> tuple[Path, Path]:
        """Write both files and return their paths."""
        FOLDER.mkdir(exist_ok=True)
        machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()}
        content = {
            "title": self.title,
            "size": self.size,
            "machine": machine,
            "rows": [asdict(r) for r in self.rows],
        }
        as_json, as_text = FOLDER / f"{stem}.json", FOLDER / f"{stem}.md"
        as_json.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        as_text.write_text(self.markdown(), encoding="utf-8")
        return as_json, as_text

    def markdown(self) -> str:
        """Return the table."""
        size = ", ".join(f"{value:,} {name}" for name, value in self.size.items())
        how = f"Medians, P99 in brackets; {os.cpu_count()} cores; answers were checked equal before they were timed."
        names = (
            "what",
            "unit",
            "quantflux",
            "v1's way on MariaDB",
            "InfluxDB read directly",
            "better than v1",
            "promised",
        )
        head = [
            f"### {self.title}",
            "",
            f"{size}. {how}",
            "",
            f"| {' | '.join(names)} |",
            "|---|---|---:|---:|---:|---:|---:|",
        ]
        return "\n".join([*head, *(self._line(row) for row in self.rows)]) + "\n"

    def _line(self, row: Row) -> str:
        cells = [self._cell(row, rival) for rival in ("ours", "v1", "influx")]
        ratio = "" if row.ratio is None else f"**{_short(row.ratio)}x**"
        wanted = "" if row.wanted is None else f"{row.wanted:g}x"
        return f"| {row.name} | {row.unit} | {' | '.join(cells)} | {ratio} | {wanted} |"

    @staticmethod
    def _cell(row: Row, rival: str) -> str:
        if rival not in row.figures:
            return ""
        p99 = f" ({_short(row.p99[rival])})" if rival in row.p99 else ""
        return f"{_short(row.figures[rival])}{p99}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
