"""The report's charts as Plotly figures; see `quantflux.pages.charts` for how they name words, colours and dates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quantflux.backtest.report.figures import dates_of as backtest_dates
from quantflux.backtest.report.figures import figures_of as backtest_figures
from quantflux.cli.demo.report.learnt import learning_figures
from quantflux.cli.demo.report.portfolio import portfolio_figures
from quantflux.cli.demo.report.strategy import STRATEGY_FIGURES
from quantflux.cli.demo.results import Findings, MinuteView, Overview
from quantflux.factors import FactorReport
from quantflux.pages.charts import Figure, axis, date_axis, days, layout, line, numbers, rolling_mean

_THIN = 3  # every third day is drawn of long curves: 480 points across a few hundred pixels
_ROLLING = 120
_GROUP_COLOURS = ("$q1", "$q2", "$q3", "$q4", "$q5")
_FACTOR_COLOURS = ("$c1", "$c2", "$c3", "$c4", "$c5", "$c6")


def figures_of(findings: Findings) -> dict[str, Figure]:
    """Return every chart by the id of its place on the page."""
    made = {"rolling": _rolling(findings.reports), "decay": _decay(findings.reports)}
    for report in findings.reports:
        made[f"quantiles-{report.name}"] = _quantiles(report)
    if findings.study is not None:
        drawn = backtest_figures(findings.study)
        made |= {name: drawn[name] for name in STRATEGY_FIGURES}
    made |= learning_figures(findings.taught)
    made |= portfolio_figures(findings.proposed)
    made |= {"breadth": _breadth(findings.overview), "events": _events(findings.overview)}
    if findings.minutes is not None:
        made |= {"profile": _profile(findings.minutes), "candles": _candles(findings.minutes)}
    return made


def shared_dates(findings: Findings) -> dict[str, list[str]]:
    """Return the dates that charts name by `#key`."""
    own = {"thin": days(findings.overview.times[::_THIN])}
    return own if findings.study is None else own | backtest_dates(findings.study)


def _quantiles(report: FactorReport) -> Figure:
    begun = np.logical_or.accumulate(~np.isnan(report.tradable.portfolios.returns), axis=0)
    curves = np.where(begun, report.tradable.portfolios.curves, np.nan)[::_THIN]
    last = len(_GROUP_COLOURS) - 1
    names = {0: "@lowest", last: "@highest"}
    data = [
        line(
            "#thin",
            numbers(curves[:, group]),
            names.get(group, f"{20 * group}–{20 * (group + 1)} %"),
            colour,
            line={"width": 2 if group in names else 1},
        )
        for group, colour in enumerate(_GROUP_COLOURS)
    ]
    return {
        "data": data,
        "layout": layout(230, showlegend=False, yaxis=axis(nticks=5), xaxis=date_axis(nticks=6)),
    }


def _rolling(reports: Sequence[FactorReport]) -> Figure:
    data = [
        line(
            "#thin",
            numbers(rolling_mean(report.tradable.rank_ic, _ROLLING, _ROLLING // 2)[::_THIN]),
            f"@factor_{report.name}",
            colour,
        )
        for report, colour in zip(reports, _FACTOR_COLOURS, strict=False)
    ]
    return {"data": data, "layout": layout(380, yaxis=axis("@rank_ic", zerolinewidth=2))}


def _decay(reports: Sequence[FactorReport]) -> Figure:
    data = [
        line(
            [str(horizon) for horizon in report.tradable.decay],
            numbers(list(report.tradable.decay.values())),
            f"@factor_{report.name}",
            colour,
            mode="lines+markers",
        )
        for report, colour in zip(reports, _FACTOR_COLOURS, strict=False)
    ]
    shown = layout(380, xaxis=axis("@horizon_days", type="category"), yaxis=axis("@rank_ic", zerolinewidth=2))
    return {"data": data, "layout": shown}


def _breadth(overview: Overview) -> Figure:
    traded = line("#thin", numbers(overview.traded[::_THIN]), "@traded", "$c1")
    suspended = line("#thin", numbers(overview.suspended[::_THIN]), "@suspended", "$c2", line={"width": 1.2})
    shown = layout(280, yaxis=axis("@names", rangemode="tozero"))
    return {"data": [traded | {"fill": "tozeroy", "fillcolor": "$accent_soft"}, suspended], "layout": shown}


def _events(overview: Overview) -> Figure:
    months = overview.times.astype("datetime64[M]")
    each, place = np.unique(months, return_inverse=True)
    data = []
    for counts, name, colour, sign in (
        (overview.opened_up, "@opened_up", "$up", 1),
        (overview.opened_down, "@opened_down", "$down", -1),
    ):
        monthly = sign * np.bincount(place, weights=counts)
        data.append(
            {
                "type": "bar",
                "x": [str(month) for month in each],
                "y": numbers(monthly),
                "name": name,
                "marker": {"color": colour},
            }
        )
    return {"data": data, "layout": layout(280, barmode="relative", yaxis=axis("@per_month"))}


def _profile(minutes: MinuteView) -> Figure:
    bars = {
        "type": "bar",
        "x": minutes.labels.tolist(),
        "y": numbers(100 * minutes.share, 3),
        "marker": {"color": "$accent"},
        "hovertemplate": "%{x}  %{y:.2f} %<extra></extra>",
    }
    ticks = ["09:31", "10:00", "10:30", "11:00", "11:30", "13:30", "14:00", "14:30", "15:00"]
    shown = layout(
        300,
        bargap=0.1,
        xaxis=axis(type="category", tickvals=ticks, showgrid=False),
        yaxis=axis("@share_of_day"),
        showlegend=False,
    )
    return {"data": [bars], "layout": shown}


def _candles(minutes: MinuteView) -> Figure:
    bars = minutes.candles
    rising = bars["close"] >= bars["open"]
    x = bars["label"].tolist()
    sides = {
        side: {"line": {"color": colour, "width": 1.2}, "fillcolor": colour}
        for side, colour in (("increasing", "$up"), ("decreasing", "$down"))
    }
    candles = {"type": "candlestick", "x": x, "name": minutes.symbol, "yaxis": "y2"} | sides
    candles |= {name: numbers(bars[name], 2) for name in ("open", "high", "low", "close")}
    volume = {
        "type": "bar",
        "x": x,
        "y": numbers(bars["volume"], 0),
        "name": "@volume",
        "marker": {"color": ["$up" if up else "$down" for up in rising.tolist()], "opacity": 0.55},
    }
    shown = layout(
        300,
        showlegend=False,
        xaxis=axis(type="category", rangeslider={"visible": False}, nticks=9, showgrid=False),
        yaxis=axis("@volume", domain=[0, 0.22], nticks=3),
        yaxis2=axis("@price", domain=[0.28, 1]),
    )
    return {"data": [candles, volume], "layout": shown}
