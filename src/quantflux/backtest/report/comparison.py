"""Several strategies side by side: one table, one chart, one HTML file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

import numpy as np

import quantflux
from quantflux.backtest.metrics import daily_returns, drawdown
from quantflux.backtest.report.figures import as_label, log_switch
from quantflux.backtest.report.texts import CHART_WORDS, benchmark_words
from quantflux.backtest.report.verdicts import probability, title_of
from quantflux.backtest.study import Study
from quantflux.core.errors import InvalidRequest
from quantflux.factors.report.series import thinned
from quantflux.pages import Page, Words
from quantflux.pages.charts import Figure, axis, date_axis, days, layout, line, numbers
from quantflux.pages.markup import (
    DASH,
    both,
    coloured,
    number,
    paragraph,
    percent,
    place,
    section,
    table,
    tools,
    words,
)

COLOURS = ("$accent", "$c2", "$c3", "$c4", "$c5", "$c6", "$c1")
"""Of the strategies; they begin anew, dashed, where there are more."""

_MOST_ACROSS = 5


def comparison_page(studies: Sequence[Study], banner: Words | None = None) -> Page:
    """Return a page with several strategies.

    Parameters
    ----------
    studies : sequence of Study
        With names of their own. They may cover different days: figures are those of each, curves begin at 1 on each
        one's first day.
    banner : Words, optional
        What the reader must know before anything else.

    Raises
    ------
    InvalidRequest
        If there is no study, or two have one name.
    """
    names = [study.name for study in studies]
    if not names:
        raise InvalidRequest("there is nothing to compare: give at least one study")
    if len(set(names)) < len(names):
        raise InvalidRequest(f"studies that are compared need names of their own, were {', '.join(names)}")
    return Page(
        title=Words("策略对比", "Strategies compared"),
        header=_header(studies, banner),
        sections=_sections(studies),
        footer=paragraph(
            f"仅供研究，不构成投资建议。历史表现不代表未来。quantflux {quantflux.__version__}。",
            "For research only; not investment advice. The past does not foretell the future. "
            f"quantflux {quantflux.__version__}.",
            "note",
        ),
        figures=_figures(studies),
        words={**CHART_WORDS, **_named(studies)},
        dates={f"days_{i}": days(_shown_times(study)) for i, study in enumerate(studies)},
    )


def _header(studies: Sequence[Study], banner: Words | None) -> str:
    first, last = min(study.times[0] for study in studies), max(study.times[-1] for study in studies)
    lead = paragraph(
        f"{len(studies)} 个策略，{first} – {last}", f"{len(studies)} strategies, {first} – {last}"
    )
    title = both("策略对比", "Strategies compared")
    shown = f'<div class="banner">{words(banner)}</div>' if banner is not None else ""
    return f'<div class="top"><div><h1>{title}</h1>{lead}</div>{tools()}</div>{shown}'


def _sections(studies: Sequence[Study]) -> str:
    parts = [
        section(
            both("净值", "Net value"),
            place("equity"),
            f"<h3>{both('回撤', 'Drawdown')}</h3>",
            place("drawdown"),
        ),
        section(both("关键数字", "Key numbers"), _differing_days(studies), _table(studies)),
    ]
    if len(studies) > 1:
        parts.append(
            section(
                both("收益的相关系数", "Correlation of returns"),
                paragraph(
                    "共同交易日的日收益；相近的策略放在一起并不分散风险。",
                    "Of daily returns on the days that both have; strategies that move together do not diversify.",
                ),
                place("correlation"),
            )
        )
    return "".join(parts)


def _differing_days(studies: Sequence[Study]) -> str:
    if len({(study.times[0], study.times[-1]) for study in studies}) == 1:
        return ""
    return paragraph(
        "各策略的起止日期不同，数字不能直接比较。",
        "The strategies cover different days: their figures cannot be compared directly.",
    )


def _annual(study: Study) -> str:
    gain = study.performance.annual_return
    return coloured(percent(gain, sign=True), gain)


def _ahead(study: Study) -> str:
    if study.comparison is None:
        return DASH
    gain = study.comparison.excess_return
    return coloured(percent(gain, sign=True), gain)


def _rules(study: Study) -> str:
    return DASH if study.ladder is None else percent(study.ladder.ideal - study.ladder.real, 2)


_ROWS: Sequence[tuple[str, Callable[[Study], str]]] = (
    (both("年化收益", "Annual return"), _annual),
    (both("年化超额", "Ahead a year"), _ahead),
    (
        both("信息比率", "Information ratio"),
        lambda s: number(s.comparison.information_ratio) if s.comparison else DASH,
    ),
    (both("年化波动", "Volatility"), lambda s: percent(s.performance.volatility)),
    (both("夏普比率", "Sharpe ratio"), lambda s: number(s.performance.sharpe)),
    (both("索提诺比率", "Sortino ratio"), lambda s: number(s.performance.sortino)),
    (both("卡玛比率", "Calmar ratio"), lambda s: number(s.performance.calmar)),
    (both("最大回撤", "Largest drawdown"), lambda s: percent(-s.performance.max_drawdown)),
    (both("夏普不是运气的概率", "Sharpe not by chance"), lambda s: escape(probability(s.luck.deflated))),
    (both("年换手（单边）", "Turnover a year, one side"), lambda s: f"{number(s.turnover, 1)}×"),
    (both("费用与滑点（年）", "Costs and slippage a year"), lambda s: percent(s.cost_drag, 2)),
    (both("规则的代价（年）", "All rules took, a year"), _rules),
    (both("往返胜率", "Round trips won"), lambda s: percent(s.trips.hit_rate, 0)),
    (both("平均持有天数", "Days held, on average"), lambda s: number(s.trips.mean_held, 0)),
)


def _table(studies: Sequence[Study]) -> str:
    """Return figures down and strategies across; the other way round, and less of it, where there are many."""
    if len(studies) <= _MOST_ACROSS:
        verdict = [both("结论", "Verdict"), *(words(title_of(study)) for study in studies)]
        days_of = [
            [both("首日", "First day"), *(str(study.times[0]) for study in studies)],
            [both("末日", "Last day"), *(str(study.times[-1]) for study in studies)],
        ]
        cells = [(label, [write(study) for study in studies]) for label, write in _ROWS]
        rows = [[label, *found] for label, found in cells if set(found) != {DASH}]
        return table(["", *(escape(study.name) for study in studies)], [verdict, *rows, *days_of])
    rows = [[escape(study.name), *(write(study) for _, write in _ROWS)] for study in studies]
    return table(["", *(label for label, _ in _ROWS)], rows, "factors")


def _named(studies: Sequence[Study]) -> dict[str, Words]:
    found = {f"study_{i}": as_label(study.name) for i, study in enumerate(studies)}
    benchmark = studies[0].benchmark
    if benchmark is None:
        return found
    name = benchmark_words(benchmark.name)
    return found | {"benchmark": Words(escape(name.zh), escape(name.en))}


def _shown_times(study: Study) -> np.ndarray:
    return np.asarray(study.times[thinned(len(study.times))])


def _stroke(place_of: int) -> dict[str, object]:
    return {"width": 1.6, "dash": "solid" if place_of < len(COLOURS) else "dash"}


def _figures(studies: Sequence[Study]) -> dict[str, Figure]:
    data, under = [], []
    for i, study in enumerate(studies):
        rows, colour = thinned(len(study.times)), COLOURS[i % len(COLOURS)]
        value = numbers((study.equity / study.equity[0])[rows])
        fall = numbers(100 * drawdown(study.equity)[rows], 2)
        data.append(line(f"#days_{i}", value, f"@study_{i}", colour, line=_stroke(i)))
        under.append(line(f"#days_{i}", fall, f"@study_{i}", colour, line=_stroke(i) | {"width": 1.1}))
        under[-1]["hovertemplate"] = "%{y:.1f} %"
    benchmark = studies[0].benchmark
    if benchmark is not None:
        value = numbers((benchmark.equity / benchmark.equity[0])[thinned(len(benchmark.equity))])
        data.append(line("#days_0", value, "@benchmark", "$muted", line={"dash": "dot"}))
    dates = date_axis(nticks=8)
    made = {
        "equity": {
            "data": data,
            "layout": layout(440, xaxis=dates, yaxis=axis("@net_value"), updatemenus=log_switch()),
        },
        "drawdown": {
            "data": under,
            "layout": layout(260, xaxis=dates, yaxis=axis(ticksuffix=" %"), showlegend=False),
        },
    }
    if len(studies) > 1:
        made["correlation"] = _correlation(studies)
    return made


def _correlation(studies: Sequence[Study]) -> Figure:
    matrix = [[_correlated(mine, other) for other in studies] for mine in studies]
    names = [f"@study_{i}" for i in range(len(studies))]
    heat = {
        "type": "heatmap",
        "x": names,
        "y": names,
        "z": [numbers(row, 3) for row in matrix],
        "zmin": -1,
        "zmax": 1,
        "colorscale": [[0, "$c2"], [0.5, "$card"], [1, "$c1"]],
        "texttemplate": "%{z:.2f}" if len(names) <= 12 else "",
        "showscale": False,
        "hovertemplate": "%{y} · %{x}  %{z:.3f}<extra></extra>",
    }
    shown = layout(
        max(40 * len(names) + 110, 220),
        hovermode="closest",
        xaxis=axis(type="category", showgrid=False, tickangle=-35),
        yaxis=axis(type="category", showgrid=False, autorange="reversed"),
    )
    return {"data": [heat], "layout": shown}


def _correlated(mine: Study, other: Study) -> float:
    """Return the correlation of two studies' returns on the days that both have."""
    _, left, right = np.intersect1d(mine.times[1:], other.times[1:], return_indices=True)
    a, b = daily_returns(mine.equity)[left], daily_returns(other.equity)[right]
    if len(a) < 3 or a.std() == 0 or b.std() == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])
