"""The page's charts as Plotly figures; see `quantflux.pages.charts` for how they name words and colours.

What can be traded is blue throughout, what is on paper or only for comparison is grey.
"""

from __future__ import annotations

from html import escape

import numpy as np

from quantflux.factors.report.series import cumulated, monthly_means, thinned
from quantflux.learning.evaluation import Calibration, Evaluation, Groups, Reliability, TopHeld
from quantflux.learning.explanation import Explanation
from quantflux.learning.report.contents import Fold, ModelReport
from quantflux.pages import Words
from quantflux.pages.charts import Figure, axis, bars, date_axis, days, layout, line, numbers

SHOWN_FEATURES = 20
_HEIGHT = 320
_LABEL = 24
"""Characters of a feature's name that a chart shows."""

_SURE = 0.3
"""Direction from which on a feature is said to raise or lower predictions."""


def figures_of(report: ModelReport) -> dict[str, Figure]:
    """Return every chart by the id of its place on the page."""
    found = report.evaluation
    made = {
        "ic": _ic(report),
        "years": _years(found),
        "quantiles": _quantiles(found),
        "curves": _curves(found),
    }
    if report.folds:
        made["folds"] = _folds(report)
    if found.top is not None:
        made |= {"equity": _equity(found.top), "excess": _excess(found.top)}
    if found.calibration is not None:
        made["calibration"] = _calibration(found.calibration)
    if found.reliability is not None:
        made["reliability"] = _reliability(found.reliability)
    if report.explanation is not None:
        made["importance"] = _importance(report.explanation)
    return made


def dates_of(report: ModelReport) -> dict[str, list[str]]:
    """Return the dates that charts name by `#key`."""
    found = report.evaluation
    made = {"days": days(found.times[thinned(len(found.times))])}
    if found.top is not None:
        times = found.top.study.times
        made["held"] = days(times[thinned(len(times))])
    return made


def named(report: ModelReport) -> dict[str, Words]:
    """Return the names that come from data, as words: a figure could mistake their first letter for a mark."""
    made = {}
    if report.explanation is not None:
        for place in report.explanation.strongest(SHOWN_FEATURES):
            name = report.explanation.names[place]
            shown = escape(name if len(name) <= _LABEL else name[: _LABEL - 1] + "…")
            made[f"feature_{place}"] = Words(shown, shown)
    kinds = 0 if report.evaluation.reliability is None else len(report.evaluation.reliability.curves)
    return made | {f"class_{kind}": Words(f"类别 {kind}", f"class {kind}") for kind in range(kinds)}


def _ic(report: ModelReport) -> Figure:
    found = report.evaluation
    months, means = monthly_means(found.times, found.rank_ic)
    rows = thinned(len(found.times))
    data = [bars([f"{month}-15" for month in months], numbers(means), "@monthly", "$accent", opacity=0.45)]
    curves = [(found.label_ic, "@label", "$c2"), (found.factor.paper.rank_ic, "@paper", "$muted")]
    curves += [(found.rank_ic, "@tradable", "$accent")]
    for values, name, colour in curves:
        data.append(line("#days", numbers(cumulated(values)[rows], 2), name, colour, yaxis="y2"))
    if report.control is not None:
        control = report.control
        drawn = thinned(len(control.times))
        running = numbers(cumulated(control.rank_ic)[drawn], 2)
        dashes = {"dash": "dot", "width": 1.4}
        data.append(line(days(control.times[drawn]), running, "@control", "$c3", yaxis="y2", line=dashes))
    shown = layout(
        420,
        xaxis=date_axis(nticks=5),
        yaxis=axis("@rank_ic", domain=[0, 0.36], zerolinewidth=2, nticks=5),
        yaxis2=axis("@cumulative", domain=[0.43, 1], zerolinewidth=2, nticks=5),
    )
    return {"data": data, "layout": shown}


def _years(found: Evaluation) -> Figure:
    data = []
    for side, colour in (("paper", "$muted"), ("tradable", "$accent")):
        years = {year: made for year, made in getattr(found.factor, side).years.items() if made.days}
        means = numbers([made.rank_ic_mean for made in years.values()])
        data.append(bars([str(year) for year in years], means, f"@{side}", colour))
    known = [value for trace in data for value in trace["y"] if value is not None]
    # Wide enough that noise looks as small as it is.
    low, high = min([*known, -0.005]), max([*known, 0.02])
    shown = layout(
        _HEIGHT,
        barmode="group",
        xaxis=axis(type="category"),
        yaxis=axis("@rank_ic", zerolinewidth=2, range=[1.08 * low, 1.08 * high]),
    )
    return {"data": data, "layout": shown}


def _folds(report: ModelReport) -> Figure:
    data = []
    width = 9 if len(report.folds) <= 12 else 4
    for side, name, colour in (("train", "@learnt", "$muted"), ("test", "@tested", "$accent")):
        dates: list[str | None] = []
        rows: list[float | None] = []
        for fold in report.folds:
            first, last = _span(fold, side)
            dates += [first, last, None]
            rows += [fold.number, fold.number, None]
        data.append(line(dates, rows, name, colour, line={"width": width}, hovertemplate="%{x}"))
    shown = layout(
        max(60 + 26 * min(len(report.folds), 14), 150),
        hovermode="closest",
        xaxis=date_axis(nticks=6),
        yaxis=axis("@fold", autorange="reversed", nticks=min(len(report.folds) + 1, 8), tickformat="d"),
    )
    return {"data": data, "layout": shown}


def _span(fold: Fold, side: str) -> tuple[str, str]:
    first, last = getattr(fold, side)
    return str(first), str(last)


def _quantiles(found: Evaluation) -> Figure:
    data = []
    for side, colour in (("paper", "$muted"), ("tradable", "$accent")):
        means = getattr(found.factor, side).quantile_means
        points = numbers(1e4 * (means - means.mean()) / found.horizon, 2)
        groups = [str(group + 1) for group in range(len(means))]
        data.append(bars(groups, points, f"@{side}", colour))
    shown = layout(
        400,
        barmode="group",
        bargap=0.3,
        xaxis=axis("@quantile", type="category"),
        yaxis=axis("@points_a_day", zerolinewidth=2),
    )
    return {"data": data, "layout": shown}


def _curves(found: Evaluation) -> Figure:
    book, rows = found.factor.tradable.portfolios, thinned(len(found.times))
    relative = 100 * cumulated(book.returns - book.market[:, None])[rows]
    last = relative.shape[1] - 1
    data = [
        line(
            "#days",
            numbers(relative[:, group], 2),
            str(group + 1),
            f"$q:{group / last:.4f}",
            line={"width": 2 if group in {0, last} else 1.2},
        )
        for group in range(last + 1)
    ]
    return {
        "data": data,
        "layout": layout(400, yaxis=axis("@percent", zerolinewidth=2), xaxis=date_axis(nticks=6)),
    }


def _equity(held: TopHeld) -> Figure:
    rows = thinned(len(held.study.times))
    data = [
        line("#held", numbers((equity / equity[0])[rows]), name, colour, line={"width": width})
        for equity, name, colour, width in (
            (held.beside.equity, "@everything", "$muted", 1.6),
            (held.study.equity, "@held", "$accent", 2.2),
        )
    ]
    return {"data": data, "layout": layout(380, xaxis=date_axis(nticks=6), yaxis=axis("@net_value"))}


def _excess(held: TopHeld) -> Figure:
    rows = thinned(len(held.study.times))
    mine, other = held.study.equity / held.study.equity[0], held.beside.equity / held.beside.equity[0]
    values = numbers(100 * (mine / other - 1)[rows], 2)
    area = line("#held", values, "@excess", "$accent") | {"fill": "tozeroy", "fillcolor": "$accent_soft"}
    shown = layout(
        380, showlegend=False, xaxis=date_axis(nticks=6), yaxis=axis(zerolinewidth=2, ticksuffix=" %")
    )
    return {"data": [area], "layout": shown}


def _points(made: Groups, name: str, colour: str) -> Figure:
    return line(numbers(made.predicted, 6), numbers(made.realised, 6), name, colour, mode="lines+markers")


def _straight(ends: list[float], slope: float, intercept: float, name: str, dash: str) -> Figure:
    values = numbers([intercept + slope * end for end in ends], 6)
    return line(numbers(ends, 6), values, name, "$muted", line={"dash": dash, "width": 1.3})


def _calibration(made: Calibration) -> Figure:
    data = [_points(made.groups, "@realised", "$accent")]
    if len(made.groups.predicted):
        ends = [float(made.groups.predicted[0]), float(made.groups.predicted[-1])]
        data.append(_straight(ends, 1.0, 0.0, "@perfect", "dot"))
        data.append(_straight(ends, made.slope, made.intercept, "@line", "dash"))
    shown = layout(
        380,
        hovermode="closest",
        xaxis=axis("@predicted", nticks=6),
        yaxis=axis("@realised", zerolinewidth=2, nticks=6),
    )
    return {"data": data, "layout": shown}


def _reliability(made: Reliability) -> Figure:
    last = max(len(made.curves) - 1, 1)
    data = [
        _points(curve, f"@class_{kind}", f"$q:{kind / last:.4f}") for kind, curve in enumerate(made.curves)
    ]
    highest = max(float(curve.predicted.max()) for curve in made.curves)
    lowest = min(float(curve.predicted.min()) for curve in made.curves)
    data.append(_straight([lowest, highest], 1.0, 0.0, "@perfect", "dot"))
    shown = layout(
        380, hovermode="closest", xaxis=axis("@probability", nticks=6), yaxis=axis("@frequency", nticks=6)
    )
    return {"data": data, "layout": shown}


def _importance(found: Explanation) -> Figure:
    order = found.strongest(SHOWN_FEATURES)[::-1]  # the first bar stands lowest
    labels = [f"@feature_{place}" for place in order]
    shares, direction = 100 * found.shares[order], np.nan_to_num(found.direction[order])
    data = []
    for name, colour, mine in (
        ("@raises", "$up", direction >= _SURE),
        ("@lowers", "$down", direction <= -_SURE),
        ("@depends", "$muted", np.abs(direction) < _SURE),
    ):
        if mine.any():
            values = numbers(np.where(mine, shares, np.nan), 2)
            data.append(bars(values, labels, name, colour, orientation="h"))
    shown = layout(
        max(24 * len(order) + 90, 200),
        barmode="overlay",
        bargap=0.3,
        hovermode="closest",
        xaxis=axis("@share", rangemode="tozero"),
        yaxis=axis(type="category", categoryorder="array", categoryarray=labels),
    )
    return {"data": data, "layout": shown}
