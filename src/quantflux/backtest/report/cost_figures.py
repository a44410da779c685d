"""The charts of what trading cost, of what was held, and of round trips."""

from __future__ import annotations

import numpy as np

from quantflux.backtest.ladder import RuleLadder
from quantflux.backtest.report.texts import COSTS
from quantflux.backtest.study import Study
from quantflux.factors.report.series import thinned
from quantflux.pages.charts import Figure, axis, bars, date_axis, layout, line, numbers

_COLOURS = ("$c1", "$c2", "$c4", "$c3", "$c5")
_INDUSTRIES = ("$c1", "$c2", "$c3", "$c4", "$c5", "$c6", "$q2", "$q4")
_HEIGHT = 300


def cost_figures(study: Study) -> dict[str, Figure]:
    """Return the charts by the id of their place on the page."""
    made = {"costs": _costs(study), "exposure": _exposure(study), "names": _names(study)}
    if study.ladder is not None and study.ladder.rungs:
        made["ladder"] = _ladder(study.ladder)
    if len(study.trips):
        made["trips"] = _trips(study)
    if study.exposure.industries is not None:
        made["industries"] = _industries(study, study.exposure.industries)
    return made


def _ladder(ladder: RuleLadder) -> Figure:
    costs = [100 * rung.cost for rung in ladder.rungs]
    values = numbers([100 * ladder.ideal, *(-cost for cost in costs), 100 * ladder.real], 3)
    texts = [
        f"{100 * ladder.ideal:+.2f} %",
        *(f"{-cost:+.2f}" if abs(cost) >= 0.005 else "0.00" for cost in costs),
        f"{100 * ladder.real:+.2f} %",
    ]
    trace = {
        "type": "waterfall",
        "orientation": "h",
        "y": ["@ideal", *(f"@rule_{rung.rule}" for rung in ladder.rungs), "@real"],
        "x": values,
        "measure": ["absolute", *("relative" for _ in costs), "total"],
        "text": texts,
        "textposition": "outside",
        "cliponaxis": False,
        "connector": {"line": {"color": "$line", "width": 1}},
        "increasing": {"marker": {"color": "$up"}},
        "decreasing": {"marker": {"color": "$down"}},
        "totals": {"marker": {"color": "$accent"}},
        "hovertemplate": "%{y}  %{text}<extra></extra>",
    }
    steps = np.cumsum([ladder.ideal, *(-rung.cost for rung in ladder.rungs)])
    low, high = 100 * min(0.0, float(steps.min())), 100 * max(0.0, float(steps.max()))
    # Room for the texts that stand outside of the bars.
    room = 0.16 * (high - low)
    left = low - room if low < 0 else 0.0
    shown = layout(
        90 + 34 * len(values),
        hovermode="closest",
        showlegend=False,
        xaxis=axis("@annual_percent", zerolinewidth=2, range=[left, high + room]),
        yaxis=axis(type="category", autorange="reversed", showgrid=False),
        waterfallgap=0.35,
    )
    return {"data": [trace], "layout": shown}


def _costs(study: Study) -> Figure:
    years = [str(year) for year in study.yearly_costs]
    data = [
        bars(
            years,
            numbers([getattr(paid, kind) / 1e4 for paid in study.yearly_costs.values()], 2),
            f"@cost_{kind}",
            colour,
        )
        for kind, colour in zip(COSTS, _COLOURS, strict=True)
        if getattr(study.costs, kind)
    ]
    if not data:
        data = [bars(years, [0.0] * len(years), "@cost_commission", _COLOURS[0])]
    shown = layout(
        _HEIGHT, barmode="stack", xaxis=axis(type="category"), yaxis=axis("@ten_thousand", rangemode="tozero")
    )
    return {"data": data, "layout": shown}


def _exposure(study: Study) -> Figure:
    rows, held = thinned(len(study.times)), study.exposure
    data = [
        line("#days", numbers(100 * held.invested[rows], 1), "@invested", "$accent"),
        line("#days", numbers(100 * held.cash[rows], 1), "@cash", "$muted", line={"width": 1}),
        line("#days", numbers(100 * held.largest[rows], 2), "@largest", "$c2", line={"width": 1.2}),
    ]
    data[0] |= {"fill": "tozeroy", "fillcolor": "$accent_soft"}
    shown = layout(_HEIGHT, xaxis=date_axis(nticks=6), yaxis=axis("@percent_of_account", rangemode="tozero"))
    return {"data": data, "layout": shown}


def _names(study: Study) -> Figure:
    rows, held = thinned(len(study.times)), study.exposure
    data = [
        line("#days", numbers(held.names[rows], 0), "@held", "$accent"),
        line("#days", numbers(held.effective[rows], 1), "@effective", "$c2", line={"width": 1.2}),
    ]
    shown = layout(_HEIGHT, xaxis=date_axis(nticks=6), yaxis=axis("@names", rangemode="tozero"))
    return {"data": data, "layout": shown}


def _industries(study: Study, within: np.ndarray) -> Figure:
    rows = thinned(len(study.times))
    mean = within.mean(axis=0)
    known = len(study.exposure.industry_names)
    largest = [group for group in np.argsort(-mean).tolist() if group < known and mean[group] > 0]
    shown_ones, rest = largest[: len(_INDUSTRIES)], largest[len(_INDUSTRIES) :]
    parts = [
        (within[:, group], f"@industry_{group}", colour)
        for group, colour in zip(shown_ones, _INDUSTRIES, strict=False)
    ]
    if rest:
        parts.append((within[:, rest].sum(axis=1), "@other_industries", "$q3"))
    if mean[known] > 0:
        parts.append((within[:, known], "@no_industry", "$muted"))
    data = [
        line("#days", numbers(100 * values[rows], 1), name, colour, line={"width": 0.5})
        | {"stackgroup": "all", "fillcolor": colour}
        for values, name, colour in parts
    ]
    shown = layout(380, xaxis=date_axis(nticks=8), yaxis=axis("@percent_of_account", rangemode="tozero"))
    return {"data": data, "layout": shown}


def _trips(study: Study) -> Figure:
    gains = 100 * study.trips.returns
    low, high = np.quantile(gains, [0.005, 0.995]).tolist()
    edges = np.linspace(low, high if high > low else low + 1.0, 41)
    counts = np.histogram(np.clip(gains, edges[0], edges[-1]), edges)[0]
    middles = (edges[:-1] + edges[1:]) / 2
    colours = ["$up" if middle >= 0 else "$down" for middle in middles.tolist()]
    data = [bars(numbers(middles, 3), numbers(100 * counts / len(gains), 2), "@trips", colours)]
    shown = layout(
        _HEIGHT,
        showlegend=False,
        bargap=0.06,
        xaxis=axis("@profit_percent", zerolinewidth=2, hoverformat=".1f"),
        yaxis=axis("@share_of_trips"),
    )
    return {"data": data, "layout": shown}
