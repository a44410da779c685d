"""How quality findings are shown after an import, a download or an audit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantflux.cli.output import add_row, answers, table

if TYPE_CHECKING:
    from quantflux.data.quality import QualityReport


def print_findings(report: QualityReport) -> None:
    """Print one line for each rule that was broken; nothing if none was."""
    if not report.by_rule:
        return
    made = table("rule", "severity", "rows", "symbols", "for example", right=("rows", "symbols"))
    for found in report.by_rule:
        example = found.examples[0] if found.examples else ""
        add_row(made, found.rule, str(found.severity), f"{found.count:,}", f"{found.symbols:,}", example)
    answers.print(made)
