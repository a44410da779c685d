"""The report on a trained model: one HTML file with everything in it, no network needed.

`contents.py` is what it is written from, `head.py` and `remarks.py` say what it amounts to, `sections.py` and
`tables.py` write the page, `figures.py` its charts; `quantflux.pages` puts it together.
"""

from __future__ import annotations

from pathlib import Path

import quantflux
from quantflux.learning.report.contents import Fold, ModelReport
from quantflux.learning.report.figures import dates_of, figures_of, named
from quantflux.learning.report.head import header_of
from quantflux.learning.report.sections import sections_of
from quantflux.learning.report.texts import CHART_WORDS
from quantflux.pages import Page, Words
from quantflux.pages.markup import paragraph

__all__ = ["Fold", "ModelReport", "model_page", "write_model_report"]


def write_model_report(report: ModelReport, path: Path, *, banner: Words | None = None) -> None:
    """Write the report on a model as one self-contained HTML file.

    Parameters
    ----------
    report : ModelReport
    path : Path
        Its folder is made if need be.
    banner : Words, optional
        What the reader must know before anything else, such as that the data are synthetic.
    """
    model_page(report, banner).write(path)


def model_page(report: ModelReport, banner: Words | None = None) -> Page:
    """Return the page; see `write_model_report`."""
    return Page(
        title=Words(f"{report.name} · 模型检验", f"{report.name} · model report"),
        header=header_of(report, banner),
        sections=sections_of(report),
        footer=_footer(),
        figures=figures_of(report),
        words={**CHART_WORDS, **named(report)},
        dates=dates_of(report),
    )


def _footer() -> str:
    return paragraph(
        "仅供研究，不构成投资建议。历史表现不代表未来。所有数字都来自模型没有见过的交易日。"
        f"quantflux {quantflux.__version__}。",
        "For research only; not investment advice. The past does not foretell the future. All figures are of days that "
        f"the model had not seen. quantflux {quantflux.__version__}.",
        "note",
    )
