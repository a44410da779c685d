"""The table of monthly returns, coloured by size."""

from __future__ import annotations

import math

import numpy as np

from quantflux.backtest import Run, Study, monthly_returns
from quantflux.pages.markup import DASH, both, percent

_FULL = 0.08  # a month of 8 % has the full colour


def monthly_heatmap(study: Study) -> str:
    """Return the strategy's return of every month, and each year beside the benchmark's."""
    mine, other = _months(study.run, study), _months(study.benchmark, study)
    months = "".join(f"<th>{month}</th>" for month in range(1, 13))
    totals = (both("全年", "year"), both("等权市场", "market"), both("超额", "excess"))
    head = f"<tr><th></th>{months}{''.join(f'<th>{total}</th>' for total in totals)}</tr>"
    years = sorted({month.astype("datetime64[Y]") for month in mine})
    body = "".join(_year(year, mine, other) for year in years)
    return f'<div class="scroll"><table class="heat"><thead>{head}</thead><tbody>{body}</tbody></table></div>'


def _months(run: Run, study: Study) -> dict[np.datetime64, float]:
    since = study.run.first
    return monthly_returns(run.times[since:], run.equity[since:])


def _year(year: np.datetime64, mine: dict[np.datetime64, float], other: dict[np.datetime64, float]) -> str:
    months = [year.astype("datetime64[M]") + month for month in range(12)]
    cells = [_cell(mine.get(month, math.nan), other.get(month, math.nan)) for month in months]
    whole, rival = (math.prod(1 + found.get(month, 0.0) for month in months) - 1 for found in (mine, other))
    totals = (_total(whole), _total(rival), _total(whole - rival))
    return f"<tr><td>{year}</td>{''.join((*cells, *totals))}</tr>"


def _cell(value: float, rival: float) -> str:
    if math.isnan(value):
        return f"<td>{DASH}</td>"
    colour = "var(--up-rgb)" if value >= 0 else "var(--down-rgb)"
    strength = min(abs(value) / _FULL, 1) * 0.55 + 0.05
    title = f"{percent(value, 2, sign=True)} / {percent(rival, 2, sign=True)}"
    return f'<td title="{title}" style="background:rgba({colour},{strength:.2f})">{100 * value:+.1f}</td>'


def _total(value: float) -> str:
    return f'<td class="total {"up" if value >= 0 else "down"}">{percent(value, sign=True)}</td>'
