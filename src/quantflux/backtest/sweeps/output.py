"""A sweep's table for others: as CSV, as JSON, and as one HTML file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from html import escape
from math import isfinite, nan
from typing import Any

import numpy as np

import quantflux
from quantflux.backtest.sweeps.grid import written
from quantflux.backtest.sweeps.sweep import Measured, SetResult, Sweep
from quantflux.factors.report.series import thinned
from quantflux.pages import Page, Words
from quantflux.pages.charts import Figure, axis, date_axis, days, layout, line, numbers
from quantflux.pages.markup import (
    both,
    card,
    coloured,
    number,
    paragraph,
    percent,
    place,
    section,
    table,
    tools,
)

FIGURES = ("sharpe", "deflated", "annual_return", "volatility", "max_drawdown", "sortino", "calmar")
"""Figures of a set, in the order of their columns; then `turnover` and `cost_drag`, by the year."""

_CURVES = 5
_COLOURS = ("$accent", "$c2", "$c3", "$c4", "$c5")


def figures_of(result: SetResult) -> dict[str, float]:
    """Return the figures of a set by name; NaN where there are none."""
    found = result.measured
    told = {name: nan if found is None else getattr(found.performance, name, nan) for name in FIGURES}
    told["deflated"] = result.deflated
    told["turnover"] = nan if found is None else found.turnover
    told["cost_drag"] = nan if found is None else found.cost_drag
    return told


def to_csv(sweep: Sweep) -> str:
    """Return the table, best first: place in the sweep, values, figures, problem. Unknown figures are empty."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    columns = [*FIGURES, "turnover", "cost_drag"]
    rows.writerow(["set", *sweep.keys, *columns, "problem"])
    for result in sweep.results:
        told = figures_of(result)
        shown = [repr(told[name]) if isfinite(told[name]) else "" for name in columns]
        values = [_plain(result.values[key]) for key in sweep.keys]
        rows.writerow([result.number, *values, *shown, result.problem])
    return out.getvalue()


def to_json(sweep: Sweep) -> str:
    """Return the table as JSON; null where a figure is unknown."""
    results = [
        {
            "set": result.number,
            "values": result.values,
            **{name: value if isfinite(value) else None for name, value in figures_of(result).items()},
            "problem": result.problem or None,
        }
        for result in sweep.results
    ]
    told = {
        "name": sweep.name,
        "keys": sweep.keys,
        "sets": len(sweep.results),
        "failed": len(sweep.failed),
        "processes": sweep.processes,
        "shared_bytes": sweep.shared_bytes,
        "process_bytes": sweep.process_bytes,
        "results": results,
    }
    return json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float) else json.dumps(value, ensure_ascii=False)


def sweep_page(sweep: Sweep) -> Page:
    """Return a page with the table of all sets, the curves of the best, and a map where two keys were varied."""
    figures = {"curves": _curves(sweep.done[:_CURVES])} if sweep.done else {}
    if (heat := _heat(sweep)) is not None:
        figures["heat"] = heat
    labels = {f"set_{each.number}": _label(each) for each in sweep.results}
    for axis_of, key in enumerate(sweep.keys):
        labels |= {f"value_{axis_of}_{i}": value for i, value in enumerate(_values(sweep, key))}
    names = {name: Words(label, label) for name, label in labels.items()}
    return Page(
        title=Words(f"{sweep.name} · 参数扫描", f"{sweep.name} · sweep"),
        header=_header(sweep),
        sections=_sections(sweep, figures),
        footer=paragraph(
            f"仅供研究，不构成投资建议。历史表现不代表未来。quantflux {quantflux.__version__}。",
            "For research only; not investment advice. The past does not foretell the future. "
            f"quantflux {quantflux.__version__}.",
            "note",
        ),
        figures=figures,
        words=names | {"net_value": Words("净值", "Net value"), "sharpe": Words("夏普比率", "Sharpe ratio")},
    )


def _label(result: SetResult) -> str:
    return ", ".join(f"{key} = {written(value)}" for key, value in result.values.items())


def _header(sweep: Sweep) -> str:
    count, failed = len(sweep.results), len(sweep.failed)
    lead = paragraph(
        f"{count} 组参数，{failed} 组失败；按夏普比率排序。",
        f"{count} parameter sets, {failed} failed; the highest Sharpe ratio first.",
    )
    title = both(f"参数扫描：{escape(sweep.name)}", f"Sweep: {escape(sweep.name)}")
    top = f'<div class="top"><div><h1>{title}</h1>{lead}</div>{tools()}</div>'
    if not sweep.done:
        return top
    best = sweep.done[0]
    cards = [
        card(both("最佳一组的夏普比率", "Sharpe ratio of the best"), number(figures_of(best)["sharpe"])),
        card(
            both("扣除挑选之后不是运气的概率", "not by chance, given the sets tried"),
            percent(best.deflated, 0),
        ),
        card(both("夏普比率的中位数", "median Sharpe ratio"), number(_median(sweep.done))),
    ]
    note = paragraph(
        "挑出最好的一组，总会显得比真实的好：第二个数字考虑了组数与各组之间的差异（Bailey 与 Lopez de Prado，2014）。",
        "The best of many looks better than it is: the second figure allows for the number of sets, and for how far "
        "they lie apart (Bailey and Lopez de Prado, 2014).",
        "note",
    )
    return f'{top}<div class="cards">{"".join(cards)}</div>{note}'


def _median(done: Sequence[SetResult]) -> float:
    ratios = [figures_of(each)["sharpe"] for each in done]
    known = [ratio for ratio in ratios if isfinite(ratio)]
    return float(np.median(known)) if known else nan


def _sections(sweep: Sweep, figures: dict[str, Figure]) -> str:
    parts = []
    if "heat" in figures:
        parts.append(section(both("夏普比率", "Sharpe ratio"), place("heat")))
    if "curves" in figures:
        parts.append(section(both("最好的几组", "The best sets"), place("curves")))
    parts.append(section(both("所有组", "All sets"), _table(sweep)))
    if sweep.failed:
        rows = [[str(each.number), escape(_label(each)), escape(each.problem)] for each in sweep.failed]
        head = [both("组", "Set"), both("参数", "Parameters"), both("原因", "Why")]
        parts.append(section(both("失败的组", "Sets that failed"), table(head, rows, "factors")))
    return "".join(parts)


def _table(sweep: Sweep) -> str:
    head = [
        both("组", "Set"),
        *map(escape, sweep.keys),
        both("夏普", "Sharpe"),
        both("不是运气", "Not by chance"),
        both("年化", "A year"),
        both("波动", "Volatility"),
        both("最大回撤", "Drawdown"),
        both("年换手", "Turnover"),
        both("费用", "Costs"),
    ]
    rows = []
    for each in sweep.done:
        told = figures_of(each)
        annual = told["annual_return"]
        rows.append(
            [
                str(each.number),
                *(escape(written(each.values[key])) for key in sweep.keys),
                number(told["sharpe"]),
                percent(told["deflated"], 0),
                coloured(percent(annual, sign=True), annual),
                percent(told["volatility"]),
                percent(-told["max_drawdown"]),
                f"{number(told['turnover'], 1)}×",
                percent(told["cost_drag"], 2),
            ]
        )
    return table(head, rows, "factors")


def _curves(best: Sequence[SetResult]) -> Figure:
    data = []
    for each, colour in zip(best, _COLOURS, strict=False):
        found = each.measured
        assert isinstance(found, Measured)  # noqa: S101 - only sets with a result are shown
        rows = thinned(len(found.times))
        value = numbers((found.equity / found.equity[0])[rows])
        data.append(line(days(found.times[rows]), value, f"@set_{each.number}", colour))
    return {"data": data, "layout": layout(420, xaxis=date_axis(nticks=8), yaxis=axis("@net_value"))}


def _heat(sweep: Sweep) -> Figure | None:
    """Return the Sharpe ratios as a map over two keys; None where another number of keys was varied."""
    if len(sweep.keys) != 2 or not sweep.done:
        return None
    across, down = (_values(sweep, key) for key in sweep.keys)
    grid = np.full((len(down), len(across)), nan)
    for each in sweep.results:
        x, y = (written(each.values[key]) for key in sweep.keys)
        grid[down.index(y), across.index(x)] = figures_of(each)["sharpe"]
    most = float(np.nanmax(np.abs(grid))) if np.isfinite(grid).any() else 1.0
    heat = {
        "type": "heatmap",
        "x": [f"@value_0_{i}" for i in range(len(across))],
        "y": [f"@value_1_{i}" for i in range(len(down))],
        "z": [numbers(row, 3) for row in grid],
        "zmin": -most,
        "zmax": most,
        "colorscale": [[0, "$c2"], [0.5, "$card"], [1, "$c1"]],
        "texttemplate": "%{z:.2f}" if len(across) <= 15 else "",
        "showscale": False,
        "hovertemplate": "%{x} · %{y}  %{z:.2f}<extra></extra>",
    }
    shown = layout(
        max(36 * len(down) + 110, 240),
        hovermode="closest",
        xaxis=axis(sweep.keys[0], type="category", showgrid=False),
        yaxis=axis(sweep.keys[1], type="category", showgrid=False, autorange="reversed"),
    )
    return {"data": [heat], "layout": shown}


def _values(sweep: Sweep, key: str) -> list[str]:
    """Return what a key was set to, in the order of the sweep."""
    ordered = sorted(sweep.results, key=lambda each: each.number)
    return list(dict.fromkeys(written(each.values[key]) for each in ordered))
