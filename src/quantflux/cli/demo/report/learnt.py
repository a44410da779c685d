"""The section about the model."""

from __future__ import annotations

from html import escape

import numpy as np

from quantflux.cli.demo.learning_summary import way_of
from quantflux.cli.demo.report.texts import FACTOR_NAMES
from quantflux.cli.demo.results import Findings, Taught
from quantflux.learning.evaluation import TITLES, Evaluation, reason_of
from quantflux.learning.service import TrainedModel
from quantflux.pages.charts import Figure, axis, days, layout, line, numbers
from quantflux.pages.markup import (
    both,
    card,
    coloured,
    number,
    paragraph,
    percent,
    place,
    section,
    signed_bar,
    table,
    words,
)

_THIN = 3
_SHOWN = 6
_WAYS = {
    "is better": both("越大越好", "is better"),
    "is worse": both("越小越好", "is worse"),
    "it depends": both("视情况而定", "it depends"),
}


def learning_section(findings: Findings) -> str:
    """Return what a model found out of sample, beside luck, what it looks at, and which names it likes best."""
    made = findings.taught.model
    title = both("机器学习", "A model that learns")
    if made is None:
        why = paragraph(
            "数据不足，没有训练模型。", f"The data allow no model: {escape(findings.taught.why)}.", "small"
        )
        return section(title, why)
    return section(
        title,
        _lead(made),
        _cards(made),
        place("learnt"),
        f'<div class="pair"><div>{_features(made, findings)}</div><div>{_chosen(findings.taught)}</div></div>',
    )


def learning_figures(taught: Taught) -> dict[str, Figure]:
    """Return the section's chart: RankIC added up, of the model and of luck."""
    made = taught.model
    if made is None:
        return {}
    data = []
    for found, name, colour, dash in (
        (made.evaluation, "@model", "$accent", "solid"),
        (made.control, "@shuffled", "$c3", "dot"),
    ):
        if found is None:
            continue
        running = np.cumsum(np.nan_to_num(found.rank_ic))[::_THIN]
        shown = days(found.times[::_THIN])
        data.append(line(shown, numbers(running, 2), name, colour, line={"dash": dash, "width": 2}))
    return {"learnt": {"data": data, "layout": layout(300, yaxis=axis("@running_ic", zerolinewidth=2))}}


def _lead(made: TrainedModel) -> str:
    folds, told = len(made.folds), reason_of(made.evaluation)
    kind = "LightGBM" if made.version.kind == "lightgbm" else made.version.kind
    control = (
        ""
        if made.control is None
        else both(
            f"标签在每天内打乱后再训练一次作为对照：{reason_of(made.control).zh}",
            f"The same model taught shuffled labels, as a control: {reason_of(made.control).en}",
        )
    )
    return (
        paragraph(
            f"{kind} 用以上因子学习此后 5 日收益的名次，向前滚动 {folds} 折：每折只用当时已知的标签，"
            "与测试期之间剔除标签重叠的样本。以下数字全部来自样本外。",
            f"{kind} learns the rank of the next five days' return from these factors, walking forward in "
            f"{folds} folds: each knows only labels that were known then, and samples whose labels reach into the test "
            "are left out. Every figure is out of sample.",
        )
        + f"<p><b>{words(TITLES[made.evaluation.verdict])}</b><br>{words(told)}</p>"
        + (f'<p class="small">{control}</p>' if control else "")
    )


def _cards(made: TrainedModel) -> str:
    found = made.evaluation.figures
    shown = [
        (
            both("样本外 RankIC", "RankIC out of sample"),
            coloured(number(found["rank_ic"], 4, sign=True), found["rank_ic"]),
        ),
        (both("t 值", "t"), number(found["t_value"], 1)),
        (both("打乱标签的 RankIC", "RankIC of shuffled labels"), _of_control(made.control)),
        (
            both("最优组合年超额", "The best names, beyond all, a year"),
            percent(found.get("top_excess", float("nan")), 1, sign=True),
        ),
    ]
    return f'<div class="cards">{"".join(card(name, figure) for name, figure in shown)}</div>'


def _of_control(control: Evaluation | None) -> str:
    return number(float("nan") if control is None else control.figures["rank_ic"], 4, sign=True)


def _features(made: TrainedModel, findings: Findings) -> str:
    told = made.explanation
    total = float(told.strength.sum()) or 1.0
    head = [both("它看什么", "What it looks at"), both("占比", "Share"), "", both("方向", "More of it")]
    if findings.planted:
        head.append(both("真相", "Truth"))
    rows = []
    for at in told.strongest(_SHOWN):
        name, share = told.names[at], float(told.strength[at]) / total
        cells = [
            words(FACTOR_NAMES[name]) if name in FACTOR_NAMES else escape(name),
            percent(share, 0),
            signed_bar(share, 1.0),
            _WAYS[way_of(float(told.direction[at]))],
        ]
        if findings.planted:
            known = name in findings.planted
            label = both("埋入", "planted") if known else both("未埋入", "not planted")
            cells.append(f'<span class="tag {"yes" if known else ""}">{label}</span>')
        rows.append(cells)
    return table(head, rows)


def _chosen(taught: Taught) -> str:
    if taught.chosen is None:
        return ""
    head = [
        both("最看好的股票", "Names that it likes best"),
        both("行业", "Industry"),
        both("百分位", "Percentile"),
    ]
    rows = [
        [
            f"{escape(row['symbol'])}<span class='sub'>{escape(row['name'] or '')}</span>",
            escape(row["industry"] or ""),
            number(row["percentile_rank"], 1),
        ]
        for row in taught.chosen.rows[:_SHOWN]
    ]
    return table(head, rows)
