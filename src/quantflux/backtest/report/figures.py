"""The charts of what an account was worth; see `quantflux.pages.charts` for how figures name words and colours.

The strategy is blue throughout, the benchmarks are grey and then coloured.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from quantflux.backtest.metrics import (
    daily_returns,
    drawdown,
    rolling_beta,
    rolling_sharpe,
    rolling_volatility,
)
from quantflux.backtest.report.cost_figures import cost_figures
from quantflux.backtest.report.texts import benchmark_in_text, benchmark_words
from quantflux.backtest.study import Benchmark, Study
from quantflux.factors.report.series import thinned
from quantflux.pages import Words
from quantflux.pages.charts import Figure, axis, date_axis, days, layout, line, numbers

ROLLING = 120
"""Days of the trailing window, about half a year."""

_OTHERS = ("$muted", "$c2", "$c3", "$c4")
_HEIGHT = 280


def figures_of(study: Study) -> dict[str, Figure]:
    """Return every chart by the id of its place on the page."""
    made = {"equity": _equity(study), "drawdown": _drawdown(study)}
    if study.benchmarks:
        made["excess"] = _excess(study)
    window = rolling_window(study)
    if window:
        made |= {"rolling-sharpe": _rolling_sharpe(study, window)}
        made |= {"rolling-volatility": _rolling_volatility(study, window)}
        if study.benchmarks:
            made["rolling-beta"] = _rolling_beta(study, window)
    return made | cost_figures(study)


def dates_of(study: Study) -> dict[str, list[str]]:
    """Return the dates that charts name by `#key`."""
    return {"days": days(study.times[thinned(len(study.times))])}


def named(study: Study) -> dict[str, Words]:
    """Return the names that come from data, as words: a figure could mistake their first letter for a mark."""
    found = {f"industry_{i}": as_label(name) for i, name in enumerate(study.exposure.industry_names)}
    for i, other in enumerate(study.benchmarks):
        name, within = benchmark_words(other.name), benchmark_in_text(other.name)
        found[f"benchmark_{i}"] = Words(escape(name.zh), escape(name.en))
        found[f"beside_{i}"] = Words(f"相对{escape(within.zh)}", f"beside {escape(within.en)}")
    return found


def as_label(name: str) -> Words:
    """Return a name from data as a label of a chart, where Plotly would read tags."""
    return Words(escape(name), escape(name))


def rolling_window(study: Study) -> int:
    """Return the days of the rolling charts, 0 where the record is too short for any."""
    return ROLLING if study.performance.days >= 2 * ROLLING else 0


def log_switch() -> list[dict[str, Any]]:
    """Return buttons below the chart that switch its first y axis between linear and logarithmic."""
    kinds = ("linear", "log")
    return [
        {
            "type": "buttons",
            "direction": "right",
            "x": 1,
            "xanchor": "right",
            "y": -0.1,
            "yanchor": "top",
            "pad": {"t": 0, "b": 0, "l": 0, "r": 0},
            "bgcolor": "$card",
            "bordercolor": "$line",
            "font": {"size": 11, "color": "$accent"},
            # Plotly knows one colour for the active button, a white one, on which the texts of the dark theme vanish.
            "showactive": False,
            "buttons": [
                {"label": f"@{kind}", "method": "relayout", "args": [{"yaxis.type": kind}]} for kind in kinds
            ],
        }
    ]


def _others(study: Study) -> Sequence[tuple[Benchmark, str, str]]:
    return [(other, f"@benchmark_{i}", _OTHERS[i % len(_OTHERS)]) for i, other in enumerate(study.benchmarks)]


def _equity(study: Study) -> Figure:
    rows = thinned(len(study.times))
    data = [
        line("#days", numbers((other.equity / other.equity[0])[rows]), name, colour)
        for other, name, colour in _others(study)
    ]
    mine = numbers((study.equity / study.equity[0])[rows])
    data.append(line("#days", mine, "@strategy", "$accent", line={"width": 2.2}))
    shown = layout(400, xaxis=date_axis(nticks=8), yaxis=axis("@net_value"), updatemenus=log_switch())
    return {"data": data, "layout": shown}


def _excess(study: Study) -> Figure:
    rows = thinned(len(study.times))
    mine = study.equity / study.equity[0]
    data = [
        line(
            "#days",
            numbers(100 * (mine / (other.equity / other.equity[0]) - 1)[rows], 2),
            f"@beside_{i}",
            colour,
        )
        for i, (other, _, colour) in enumerate(_others(study))
    ]
    data[0] |= {"line": {"color": "$accent", "width": 1.8}, "fill": "tozeroy", "fillcolor": "$accent_soft"}
    shown = layout(
        _HEIGHT,
        xaxis=date_axis(nticks=6),
        yaxis=axis(zerolinewidth=2, ticksuffix=" %"),
        showlegend=len(data) > 1,
    )
    return {"data": data, "layout": shown}


def _drawdown(study: Study) -> Figure:
    rows = thinned(len(study.times))
    data = [
        line("#days", numbers(100 * drawdown(other.equity)[rows], 2), name, colour, line={"width": 1})
        for other, name, colour in _others(study)
    ]
    mine = line(
        "#days", numbers(100 * drawdown(study.equity)[rows], 2), "@strategy", "$accent", line={"width": 1.4}
    )
    data.append(mine | {"fill": "tozeroy", "fillcolor": "$accent_soft"})
    for trace in data:
        trace["hovertemplate"] = "%{y:.1f} %"
    shown = layout(_HEIGHT, xaxis=date_axis(nticks=6), yaxis=axis(ticksuffix=" %", rangemode="tozero"))
    return {"data": data, "layout": shown}


def _rolled(study: Study, values: Sequence[tuple[np.ndarray, str, str]], **more: Any) -> Figure:
    # Figures of returns: the first row of the study has none.
    rows = thinned(len(study.times))
    data = [
        line("#days", numbers(np.concatenate([[np.nan], series])[rows], 3), name, colour)
        for series, name, colour in values
    ]
    shown = layout(_HEIGHT, xaxis=date_axis(nticks=5), yaxis=axis(zerolinewidth=2, **more))
    return {"data": data, "layout": shown | {"showlegend": len(data) > 1}}


def _rolling_sharpe(study: Study, window: int) -> Figure:
    values = [
        (rolling_sharpe(daily_returns(other.equity), window), name, colour)
        for other, name, colour in _others(study)[:1]
    ]
    mine = rolling_sharpe(daily_returns(study.equity), window)
    return _rolled(study, [*values, (mine, "@strategy", "$accent")])


def _rolling_volatility(study: Study, window: int) -> Figure:
    values = [
        (100 * rolling_volatility(daily_returns(other.equity), window), name, colour)
        for other, name, colour in _others(study)[:1]
    ]
    mine = 100 * rolling_volatility(daily_returns(study.equity), window)
    return _rolled(study, [*values, (mine, "@strategy", "$accent")], ticksuffix=" %", rangemode="tozero")


def _rolling_beta(study: Study, window: int) -> Figure:
    mine = daily_returns(study.equity)
    values = [
        (
            rolling_beta(mine, daily_returns(other.equity), window),
            name,
            "$accent" if not i else colour,
        )
        for i, (other, name, colour) in enumerate(_others(study))
    ]
    return _rolled(study, values)
