"""What the rules found, summed up."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from quantflux.data.quality.catalogue import EVERY_RULE
from quantflux.data.quality.rules import Severity


@dataclass(frozen=True, slots=True)
class RuleCount:
    """One rule's findings: how many, in how many symbols, and a few of them as text."""

    rule: str
    description: str
    severity: Severity
    count: int
    symbols: int
    examples: tuple[str, ...]


@dataclass
class QualityReport:
    """Counts by rule over an import, sync or audit.

    Attributes
    ----------
    rows : int
        Rows judged.
    quarantined : int
        Rows kept out of the store.
    """

    rows: int = 0
    quarantined: int = 0
    _counts: dict[str, int] = field(default_factory=dict)
    _symbols: dict[str, set[str]] = field(default_factory=dict)
    _examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, rows: int, quarantined: int, findings: pl.DataFrame) -> None:
        """Count one batch."""
        self.rows += rows
        self.quarantined += quarantined
        for (rule,), group in findings.group_by("rule", maintain_order=True):
            name = str(rule)
            self._counts[name] = self._counts.get(name, 0) + group.height
            self._symbols.setdefault(name, set()).update(group["symbol"].drop_nulls().unique())
            examples = self._examples.setdefault(name, [])
            for symbol, at, detail in (
                group.select("symbol", "at", "detail").head(3 - len(examples)).iter_rows()
            ):
                examples.append(" ".join(part for part in (symbol, at, detail) if part))

    @property
    def clean(self) -> bool:
        """Whether nothing was quarantined, no cell either."""
        return not any(c.severity is Severity.QUARANTINE for c in self.by_rule)

    @property
    def by_rule(self) -> list[RuleCount]:
        """Rules with findings, in the order in which they run."""
        return [
            RuleCount(
                r.id,
                r.description,
                r.severity,
                self._counts[r.id],
                len(self._symbols[r.id]),
                tuple(self._examples[r.id]),
            )
            for r in EVERY_RULE
            if r.id in self._counts
        ]

    def count(self, rule: str) -> int:
        """Return how often a rule was broken."""
        return self._counts.get(rule, 0)
