"""The report on one factor: one HTML file with everything in it, no network needed.

`verdicts.py` says in words what the figures amount to, `sections.py` and `tables.py` write the page, `figures.py` and
`series.py` its charts; `quantflux.pages` puts it together.
"""

from __future__ import annotations

from pathlib import Path

import quantflux
from quantflux.factors.evaluation import FactorReport
from quantflux.factors.report.figures import figures_of, named
from quantflux.factors.report.head import header_of
from quantflux.factors.report.sections import sections_of
from quantflux.factors.report.texts import CHART_WORDS
from quantflux.pages import Page, Words
from quantflux.pages.markup import paragraph

__all__ = ["page_of", "write_factor_report"]


def write_factor_report(report: FactorReport, path: Path, *, banner: Words | None = None) -> None:
    """Write the report on a factor as one self-contained HTML file.

    Parameters
    ----------
    report : FactorReport
    path : Path
        Its folder is made if need be.
    banner : Words, optional
        What the reader must know before anything else, such as that the data are synthetic.
    """
    page_of(report, banner).write(path)


def page_of(report: FactorReport, banner: Words | None = None) -> Page:
    """Return the page; see `write_factor_report`."""
    return Page(
        title=Words(f"{report.name} · 因子检验", f"{report.name} · factor report"),
        header=header_of(report, banner),
        sections=sections_of(report),
        footer=_footer(),
        figures=figures_of(report),
        words={**CHART_WORDS, **named(report)},
    )


def _footer() -> str:
    return paragraph(
        "仅供研究，不构成投资建议。历史表现不代表未来。佣金不计每笔最低收费，不计冲击成本与融券费用；"
        f"A 股多数股票难以融券，多空收益只用于衡量因子。quantflux {quantflux.__version__}。",
        "For research only; not investment advice. The past does not foretell the future. The least charge of an "
        "order, market impact and the cost of borrowing are left out; most A-shares cannot be sold short, so the "
        f"long-short return measures the factor, not a strategy. quantflux {quantflux.__version__}.",
        "note",
    )
