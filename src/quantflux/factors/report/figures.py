"""The report's charts as Plotly figures; see `quantflux.pages.charts` for how they name words and colours.

Paper is grey and tradable is blue throughout; orange is after costs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from quantflux.factors.evaluation import Correlations, FactorReport, Variant
from quantflux.factors.report.series import compounded, cumulated, monthly_means, thinned
from quantflux.pages import Words
from quantflux.pages.charts import Figure, axis, bars, date_axis, days, layout, line, numbers

_HEIGHT = 320
_SIDES = (("paper", "$muted"), ("tradable", "$accent"))


def figures_of(report: FactorReport) -> dict[str, Figure]:
    """Return every chart by the id of its place on the page."""
    made = {
        "ic": _ic(report),
        "histogram": _histogram(report),
        "decay": _by_days(report, "decay", "@days_held"),
        "ageing": _by_days(report, "ageing", "@signal_age"),
        "quantiles": _quantiles(report),
        "curves": _curves(report),
        "long-short": _long_short(report),
        "turnover": _turnover(report),
        "autocorrelation": _autocorrelation(report),
        "years": _years(report),
        "years-net": _years_net(report),
        "distribution": _distribution(report),
        "coverage": _coverage(report),
    }
    if report.tradable.industries:
        made["industries"] = _industries(report)
    if report.correlations is not None:
        made["correlations"] = _correlations(report.correlations)
    return made


def named(report: FactorReport) -> dict[str, Words]:
    """Return the names that come from data, as words: a figure could mistake their first letter for a mark."""
    found = {f"industry_{i}": Words(name, name) for i, name in enumerate(report.tradable.industries)}
    others = report.correlations.names if report.correlations is not None else ()
    return found | {f"factor_{i}": Words(name, name) for i, name in enumerate(others)}


def _sides(report: FactorReport) -> Iterable[tuple[str, str, Variant]]:
    return (("@" + name, colour, getattr(report, name)) for name, colour in _SIDES)


def _ic(report: FactorReport) -> Figure:
    months, means = monthly_means(report.times, report.tradable.rank_ic)
    rows = thinned(len(report.times))
    dates = days(report.times[rows])
    data = [bars([f"{month}-15" for month in months], numbers(means), "@monthly", "$accent", opacity=0.45)]
    for name, colour in _SIDES:
        running = cumulated(getattr(report, name).rank_ic)[rows]
        data.append(line(dates, numbers(running, 2), f"@cumulative_{name}", colour, yaxis="y2"))
    shown = layout(
        400,
        xaxis=date_axis(nticks=8),
        yaxis=axis("@rank_ic", domain=[0, 0.4], zerolinewidth=2, nticks=5),
        yaxis2=axis("@cumulative", domain=[0.47, 1], nticks=5),
    )
    return {"data": data, "layout": shown}


def _histogram(report: FactorReport) -> Figure:
    both = np.concatenate([report.paper.rank_ic, report.tradable.rank_ic])
    both = both[~np.isnan(both)]
    low, high = (float(both.min()), float(both.max())) if len(both) else (-1.0, 1.0)
    edges = np.linspace(low, high if high > low else low + 0.01, 41)
    middles = numbers((edges[:-1] + edges[1:]) / 2)
    data: list[Figure] = []
    for name, colour, found in _sides(report):
        counts = np.histogram(found.rank_ic[~np.isnan(found.rank_ic)], edges)[0]
        shares = numbers(100 * counts / max(counts.sum(), 1), 2)
        if name == "@tradable":
            data.insert(0, bars(middles, shares, name, colour, opacity=0.55))
        else:
            data.append(line(middles, shares, name, colour, line={"shape": "hvh", "width": 1.4}))
    shown = layout(
        _HEIGHT,
        bargap=0.04,
        xaxis=axis("@rank_ic", zerolinewidth=2, hoverformat=".3f"),
        yaxis=axis("@share_of_days"),
    )
    return {"data": data, "layout": shown}


def _by_days(report: FactorReport, what: str, title: str) -> Figure:
    data = [
        line(
            [str(day) for day in getattr(found, what)],
            numbers(list(getattr(found, what).values())),
            name,
            colour,
            mode="lines+markers",
        )
        for name, colour, found in _sides(report)
    ]
    shown = layout(
        _HEIGHT,
        xaxis=axis(title, type="category"),
        yaxis=axis("@rank_ic", zerolinewidth=2, range=_ic_range(data)),
    )
    return {"data": data, "layout": shown}


def _ic_range(data: list[Figure], along: str = "y") -> list[float]:
    """Return a range with zero in it, wide enough that noise looks as small as it is."""
    known = _known(data, along)
    low, high = min([*known, -0.005]), max([*known, 0.02])
    return [1.08 * low, 1.08 * high]


def _known(data: list[Figure], along: str = "y") -> list[float]:
    return [value for trace in data for value in trace[along] if value is not None]


def _quantile_numbers(report: FactorReport) -> list[str]:
    return [str(quantile + 1) for quantile in range(report.plan.quantiles)]


def _quantiles(report: FactorReport) -> Figure:
    data = []
    for name, colour, found in _sides(report):
        above = found.quantile_means - found.quantile_means.mean()
        points = numbers(1e4 * above / report.plan.horizon, 2)
        data.append(bars(_quantile_numbers(report), points, name, colour))
    shown = layout(
        440,
        barmode="group",
        bargap=0.3,
        xaxis=axis("@quantile", type="category"),
        yaxis=axis("@points_a_day", zerolinewidth=2),
    )
    return {"data": data, "layout": shown}


def _curves(report: FactorReport) -> Figure:
    book, rows = report.tradable.portfolios, thinned(len(report.times))
    relative = 100 * cumulated(book.returns - book.market[:, None])[rows]
    dates, last = days(report.times[rows]), report.plan.quantiles - 1
    data = [
        line(
            dates,
            numbers(relative[:, quantile], 2),
            str(quantile + 1),
            f"$q:{quantile / last:.4f}",
            line={"width": 2 if quantile in {0, last} else 1.2},
        )
        for quantile in range(last + 1)
    ]
    return {
        "data": data,
        "layout": layout(460, yaxis=axis("@percent", zerolinewidth=2), xaxis=date_axis(nticks=8)),
    }


def _long_short(report: FactorReport) -> Figure:
    rows = thinned(len(report.times))
    dates = days(report.times[rows])
    book = report.tradable.portfolios
    curves = (
        (report.paper.portfolios.long_short, "@paper_gross", "$muted", 1.4),
        (book.long_short, "@tradable_gross", "$accent", 1.6),
        (book.long_short_net, "@tradable_net", "$c2", 2.2),
        (book.excess_net, "@top_net", "$c4", 1.4),
    )
    data = [
        line(dates, numbers(100 * cumulated(returns)[rows], 2), name, colour, line={"width": width})
        for returns, name, colour, width in curves
    ]
    value = compounded(book.long_short_net)
    peak = np.fmax.accumulate(np.fmax(value, 1.0))
    under = line(dates, numbers(100 * (value / peak - 1)[rows], 2), "@drawdown", "$c2", line={"width": 1})
    data.append(
        under | {"yaxis": "y2", "showlegend": False, "hovertemplate": "%{y:.1f} %", "fill": "tozeroy"}
    )
    shown = layout(
        460,
        xaxis=date_axis(anchor="y2", nticks=8),
        yaxis=axis("@percent", domain=[0.32, 1], zerolinewidth=2),
        yaxis2=axis("@drawdown", domain=[0, 0.24], ticksuffix=" %", nticks=4),
    )
    return {"data": data, "layout": shown}


def _turnover(report: FactorReport) -> Figure:
    data = [
        bars(_quantile_numbers(report), numbers(100 * found.turnover, 1), name, colour)
        for name, colour, found in _sides(report)
    ]
    shown = layout(
        _HEIGHT,
        barmode="group",
        bargap=0.3,
        xaxis=axis("@quantile", type="category"),
        yaxis=axis("@new_names", rangemode="tozero"),
    )
    return {"data": data, "layout": shown}


def _autocorrelation(report: FactorReport) -> Figure:
    data = [
        line(
            [str(lag) for lag in found.autocorrelation],
            numbers(list(found.autocorrelation.values())),
            name,
            colour,
            mode="lines+markers",
        )
        for name, colour, found in _sides(report)
    ]
    shown = layout(
        _HEIGHT,
        xaxis=axis("@lag", type="category"),
        yaxis=axis("@correlation", zerolinewidth=2, range=[min([0.0, *_known(data)]) - 0.05, 1.05]),
    )
    return {"data": data, "layout": shown}


def _years(report: FactorReport) -> Figure:
    data = [
        bars(
            [str(year) for year in found.years],
            numbers([result.rank_ic_mean for result in found.years.values()]),
            name,
            colour,
        )
        for name, colour, found in _sides(report)
    ]
    shown = layout(
        _HEIGHT,
        barmode="group",
        xaxis=axis(type="category"),
        yaxis=axis("@rank_ic", zerolinewidth=2, range=_ic_range(data)),
    )
    return {"data": data, "layout": shown}


def _years_net(report: FactorReport) -> Figure:
    years = report.tradable.years
    gains = [100 * result.long_short_net for result in years.values()]
    colours = ["$up" if gain >= 0 else "$down" for gain in gains]
    data = [bars([str(year) for year in years], numbers(gains, 2), "@net", colours)]
    shown = layout(
        _HEIGHT,
        showlegend=False,
        xaxis=axis(type="category"),
        yaxis=axis("@return_percent", zerolinewidth=2),
    )
    return {"data": data, "layout": shown}


def _industries(report: FactorReport) -> Figure:
    found = report.tradable.industries
    order = sorted(range(len(found)), key=lambda i: list(found.values())[i].rank_ic_mean)
    results, paper = list(found.values()), report.paper.industries
    names = list(found)
    labels = [f"@industry_{i}" for i in order]
    on_paper = [paper[names[i]].rank_ic_mean if names[i] in paper else math.nan for i in order]
    data = [
        bars(
            numbers([results[i].rank_ic_mean for i in order]), labels, "@tradable", "$accent", orientation="h"
        ),
        bars(numbers(on_paper), labels, "@paper", "$muted", orientation="h"),
    ]
    # The first bars and the first label stand lowest.
    shown = layout(
        max(24 * len(order) + 90, 200),
        barmode="group",
        bargap=0.35,
        hovermode="y unified",
        xaxis=axis("@rank_ic", zerolinewidth=2, range=_ic_range(data, "x")),
        yaxis=axis(type="category"),
    )
    return {"data": data, "layout": shown}


def _distribution(report: FactorReport) -> Figure:
    found = report.distribution
    middles = (found.edges[:-1] + found.edges[1:]) / 2
    x = [float(f"{value:.6g}") if math.isfinite(value) else None for value in middles.tolist()]
    data = [bars(x, numbers(found.counts, 0), "@count", "$accent", opacity=0.7)]
    shown = layout(_HEIGHT, showlegend=False, bargap=0.04, xaxis=axis("@values"), yaxis=axis("@count"))
    return {"data": data, "layout": shown}


def _coverage(report: FactorReport) -> Figure:
    rows = thinned(len(report.times))
    dates = days(report.times[rows])
    data = [
        line(dates, numbers(100 * found.coverage[rows], 1), name, colour)
        for name, colour, found in _sides(report)
    ]
    shown = layout(
        _HEIGHT, xaxis=date_axis(nticks=6), yaxis=axis("@coverage", range=[0, 102], ticksuffix=" %")
    )
    return {"data": data, "layout": shown}


def _correlations(found: Correlations) -> Figure:
    names = [f"@factor_{i}" for i in range(len(found.names))]
    scale = [[0, "$c2"], [0.5, "$card"], [1, "$c1"]]
    heat: dict[str, object] = {
        "type": "heatmap",
        "x": names,
        "y": names,
        "z": [numbers(row, 3) for row in found.matrix],
        "zmin": -1,
        "zmax": 1,
        "colorscale": scale,
        "texttemplate": "%{z:.2f}" if len(names) <= 12 else "",
        "showscale": False,
        "hovertemplate": "%{y} · %{x}  %{z:.3f}<extra></extra>",
    }
    shown = layout(
        max(40 * len(names) + 110, 240),
        hovermode="closest",
        xaxis=axis(type="category", showgrid=False, tickangle=-35),
        yaxis=axis(type="category", showgrid=False, autorange="reversed"),
    )
    return {"data": [heat], "layout": shown}
