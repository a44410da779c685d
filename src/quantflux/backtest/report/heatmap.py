"""The table of monthly returns, coloured by size."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from quantflux.backtest.report.texts import benchmark_words
from quantflux.backtest.study import Benchmark, Study
from quantflux.pages.markup import DASH, both, percent, words

_FULL = 0.08  # a month of 8 % has the full colour


def monthly_heatmap(study: Study) -> str:
    """Return the strategy's return of every month, and each year beside the first benchmark's."""
    other = study.benchmark
    months = "".join(f"<th>{month}</th>" for month in range(1, 13))
    totals = [both("全年", "year")]
    if other is not None:
        totals += [words(benchmark_words(other.name)), both("超额", "ahead")]
    head = f"<tr><th></th>{months}{''.join(f'<th>{total}</th>' for total in totals)}</tr>"
    body = "".join(_year(year, study, other) for year in study.years)
    return f'<div class="scroll"><table class="heat"><thead>{head}</thead><tbody>{body}</tbody></table></div>'


def _year(year: np.datetime64, study: Study, other: Benchmark | None) -> str:
    rivals: Mapping[np.datetime64, float] = {} if other is None else other.months
    months = [year.astype("datetime64[M]") + month for month in range(12)]
    cells = [_cell(study.months.get(month, math.nan), rivals.get(month, math.nan)) for month in months]
    whole = study.years[year]
    totals = [_total(whole)]
    if other is not None:
        totals += [_total(other.years[year]), _total(whole - other.years[year])]
    return f"<tr><td>{year}</td>{''.join((*cells, *totals))}</tr>"


def _cell(value: float, rival: float) -> str:
    if math.isnan(value):
        return f"<td>{DASH}</td>"
    colour = "var(--up-rgb)" if value >= 0 else "var(--down-rgb)"
    strength = min(abs(value) / _FULL, 1) * 0.55 + 0.05
    title = percent(value, 2, sign=True) + ("" if math.isnan(rival) else f" / {percent(rival, 2, sign=True)}")
    return f'<td title="{title}" style="background:rgba({colour},{strength:.2f})">{100 * value:+.1f}</td>'


def _total(value: float) -> str:
    return f'<td class="total {"up" if value >= 0 else "down"}">{percent(value, sign=True)}</td>'
