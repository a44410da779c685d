"""The report on a backtest: one HTML file with everything in it, no network needed; and the same figures as JSON.

`verdicts.py` says in words what the figures amount to; `head.py`, `sections.py`, `tables.py`, `heatmap.py` and
`notes.py` write the page, `figures.py` and `cost_figures.py` its charts; `comparison.py` sets several strategies side
by side; `plain.py` is for machines. `quantflux.pages` puts pages together.
"""

from __future__ import annotations

from pathlib import Path

import quantflux
from quantflux.backtest.report.comparison import comparison_page
from quantflux.backtest.report.figures import dates_of, figures_of, named
from quantflux.backtest.report.head import header_of
from quantflux.backtest.report.plain import as_plain, to_json
from quantflux.backtest.report.sections import sections_of
from quantflux.backtest.report.texts import CHART_WORDS
from quantflux.backtest.report.verdicts import Verdict, verdict_of
from quantflux.backtest.study import Study
from quantflux.pages import Page, Words
from quantflux.pages.markup import paragraph

__all__ = [
    "Verdict",
    "as_plain",
    "backtest_page",
    "comparison_page",
    "to_json",
    "verdict_of",
    "write_backtest_report",
]


def write_backtest_report(study: Study, path: Path, *, banner: Words | None = None) -> None:
    """Write the report on a backtest as one self-contained HTML file.

    Parameters
    ----------
    study : Study
    path : Path
        Its folder is made if need be.
    banner : Words, optional
        What the reader must know before anything else, such as that the data are synthetic.
    """
    backtest_page(study, banner).write(path)


def backtest_page(study: Study, banner: Words | None = None) -> Page:
    """Return the page; see `write_backtest_report`."""
    return Page(
        title=Words(f"{study.name} · 回测", f"{study.name} · backtest"),
        header=header_of(study, banner),
        sections=sections_of(study),
        footer=_footer(),
        figures=figures_of(study),
        words={**CHART_WORDS, **named(study)},
        dates=dates_of(study),
    )


def _footer() -> str:
    return paragraph(
        f"仅供研究，不构成投资建议。历史表现不代表未来。quantflux {quantflux.__version__}。",
        "For research only; not investment advice. The past does not foretell the future. "
        f"quantflux {quantflux.__version__}.",
        "note",
    )
