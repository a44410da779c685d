"""Tables of rivals that ran in turn, for programs and for people."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.results import FOLDER
from benchmarks.rivals.measuring import Measured

_HEAD = (
    "| what | seconds | of processors | peak memory, MB | times ours | agrees |",
    "|---|---:|---:|---:|---:|---|",
)


@dataclass
class Table:
    """One task on one market, a row for each rival.

    Attributes
    ----------
    agreement : dict
        By label: how many answers were found equal, in words.
    note : str
        How the answers were checked.
    compared : bool
        Whether rows are divided by our first one on as many threads or processes.
    """

    title: str
    size: dict[str, int]
    rows: list[Measured] = field(default_factory=list)
    agreement: dict[str, str] = field(default_factory=dict)
    note: str = ""
    compared: bool = True

    def markdown(self) -> list[str]:
        """Return the lines of the table."""
        size = ", ".join(f"{value:,} {name}" for name, value in self.size.items())
        return [f"#### {self.title}", "", f"{size}. {self.note}", "", *_HEAD, *map(self._line, self.rows), ""]

    def _line(self, row: Measured) -> str:
        ours = next((r for r in self.rows if r.label.startswith(OURS) and r.parallel == row.parallel), None)
        times = (
            "" if ours is None or row is ours or not self.compared else f"{row.seconds / ours.seconds:.1f}"
        )
        cells = (
            row.label,
            _short(row.seconds),
            _short(row.cpu),
            f"{row.peak / 1e6:,.0f}" if row.peak else "",
            times,
        )
        return f"| {' | '.join(cells)} | {self.agreement.get(row.label, '')} |"


@dataclass
class Grid:
    """A table with columns of its own, for what is said besides time and memory.

    Attributes
    ----------
    columns : list of str
        The first one names the rows, the others hold figures.
    rows : list of list
        Text or numbers.
    """

    title: str
    columns: list[str]
    rows: list[list[str | float]]
    note: str = ""

    def markdown(self) -> list[str]:
        """Return the lines of the table."""
        head = [f"| {' | '.join(self.columns)} |", f"|---{'|---:' * (len(self.columns) - 1)}|"]
        lines = [f"| {' | '.join(map(_cell, row))} |" for row in self.rows]
        return [f"#### {self.title}", "", self.note, "", *head, *lines, ""]


OURS = "quantflux"
"""How the rows begin that others on as many threads or processes are compared with."""


_HOW = (
    f"Medians of rivals run in turn, each in a process of its own; {os.cpu_count()} cores. Only computing is timed, "
    "with data loaded and code compiled. Peak memory includes the inputs and all results."
)


@dataclass
class RivalReport:
    """All tables of one run of a benchmark.

    Attributes
    ----------
    how : str
        What was done and timed.
    """

    title: str
    versions: list[str] = field(default_factory=list)
    tables: list[Table | Grid] = field(default_factory=list)
    how: str = _HOW

    def markdown(self) -> str:
        """Return all tables."""
        versions = [f"{'; '.join(self.versions)}.", ""] if self.versions else []
        lines = [f"### {self.title}", "", self.how, "", *versions]
        return "\n".join([*lines, *(line for table in self.tables for line in table.markdown())])

    def write(self, stem: str) -> tuple[Path, Path]:
        """Write both files and return their paths."""
        FOLDER.mkdir(exist_ok=True)
        content: dict[str, Any] = {
            "machine": {
                "cores": os.cpu_count(),
                "python": platform.python_version(),
                "system": platform.system(),
            },
            **asdict(self),
        }
        as_json, as_text = FOLDER / f"{stem}.json", FOLDER / f"{stem}.md"
        as_json.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        as_text.write_text(self.markdown(), encoding="utf-8")
        return as_json, as_text


def _cell(value: str | float) -> str:
    return value if isinstance(value, str) else _short(value)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
