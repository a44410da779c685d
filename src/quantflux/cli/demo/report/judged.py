"""The sections about factors."""

from __future__ import annotations

from html import escape

import numpy as np

from quantflux.cli.demo.report.texts import FACTOR_NAMES, FACTOR_WORDS
from quantflux.cli.demo.results import Findings
from quantflux.cli.demo.verdict import Verdict, verdict
from quantflux.factors import FactorReport
from quantflux.pages.markup import (
    DASH,
    both,
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

_VERDICTS = {
    Verdict.FOUND: both("埋入，已找到", "planted, found"),
    Verdict.FADED: both("埋入，已找到，正在衰减", "planted, found, fading"),
    Verdict.MISSED: both("埋入，未找到", "planted, not found"),
    Verdict.NONE: both("未埋入", "not planted"),
}


def factor_sections(findings: Findings) -> str:
    """Return the factor table, the quantile curves, and the curves over time and horizon."""
    return _table(findings) + _quantiles(findings) + _over_time()


def _table(findings: Findings) -> str:
    largest = max(
        (abs(r.tradable.rank_ic_mean) for r in findings.reports if not np.isnan(r.tradable.rank_ic_mean)),
        default=0.0,
    )
    head = [
        both("因子", "Factor"),
        both("RankIC 均值", "Mean RankIC"),
        "",
        "ICIR",
        both("t 值", "t"),
        both("多空年化", "Long-short a year"),
        both("扣费后", "After costs"),
        both("换手", "Turnover"),
        both("纸面 RankIC", "Paper RankIC"),
        both("覆盖", "Coverage"),
    ]
    if findings.planted:
        head.append(both("合成市场的真相", "Truth of the synthetic market"))
    rows = [_row(findings, report, largest) for report in findings.reports]
    return section(
        both("因子检验", "Factors, judged"),
        paragraph(
            f"RankIC 是某日因子名次与其后 {findings.horizon} 个交易日收益名次的相关系数：0 表示无用，"
            "长期平均 0.03 已有价值。"
            "收益从次日开盘算起；次日停牌或涨停开盘而买不进的股票不计入。t "
            "值考虑了重叠（Newey-West），绝对值大于 3 才算可信。"
            "“纸面”是忽略这些限制、按当日收盘价成交的结果；扣费后已计佣金、印花税与过户费。",
            "RankIC is the correlation between the ranks of a factor on a day and the ranks of the "
            "returns over the "
            f"next {findings.horizon} trading days: 0 is useless, a lasting 0.03 is worth having. Returns "
            "start at the "
            "next open; names that are suspended or open limit-up then, so that nobody could buy them, do "
            "not count. "
            "The t-value allows for overlap (Newey-West); below 3 be sceptical. “Paper” is what a "
            "careless study would "
            "show, dealing at the day's own close whatever the rules say. After costs means commission, duty "
            "and fees.",
        ),
        table(head, rows, "factors"),
        _left_out(findings),
    )


def _row(findings: Findings, report: FactorReport, largest: float) -> list[str]:
    name = f"{words(FACTOR_NAMES[report.name])}<span class='sub'>{words(FACTOR_WORDS[report.name])}</span>"
    found, book = report.tradable, report.tradable.portfolios
    coverage = found.coverage[~np.isnan(found.coverage)]
    cells = [
        name,
        coloured(number(found.rank_ic_mean, 4, sign=True), found.rank_ic_mean),
        signed_bar(found.rank_ic_mean, largest),
        number(found.icir),
        number(found.t_value, 1),
        coloured(percent(book.gross.annual, sign=True), book.gross.annual),
        coloured(percent(book.net.annual, sign=True), book.net.annual),
        percent(float(found.turnover[-1]), 0),
        number(report.paper.rank_ic_mean, 4, sign=True),
        percent(float(coverage.mean()), 0) if len(coverage) else DASH,
    ]
    if findings.planted:
        truth = verdict(report, findings.planted.get(report.name))
        cells.append(
            f'<span class="tag {"yes" if truth in (Verdict.FOUND, Verdict.FADED) else ""}">{_VERDICTS[truth]}</span>'
        )
    return cells


def _left_out(findings: Findings) -> str:
    choice = findings.choice
    lines = [
        f"<li>{words(FACTOR_NAMES[name])}{both('：缺少所需数据或历史太短。', ': ')}{escape(why)}</li>"
        for name, why in (*choice.replaced.items(), *choice.omitted.items())
    ]
    if not lines:
        return ""
    title = both("替代与省略的因子", "Stand-ins and factors left out")
    return f"<h3>{title}</h3><ul class='small'>{''.join(lines)}</ul>"


def _quantiles(findings: Findings) -> str:
    parts = [
        f"<div><h3>{words(FACTOR_NAMES[report.name])}</h3>{place(f'quantiles-{report.name}')}</div>"
        for report in findings.reports
    ]
    steps = (
        both("最低 20%", "lowest 20 %"),
        "20–40 %",
        "40–60 %",
        "60–80 %",
        both("最高 20%", "highest 20 %"),
    )
    legend = "".join(f'<span><i data-q="{i + 1}"></i>{step}</span>' for i, step in enumerate(steps))
    return section(
        both("分组净值", "Quantile portfolios"),
        paragraph(
            f"每天把股票按因子分为五组，等权持有 {findings.horizon} 日（不计费用）。"
            "好的因子五条线应依次分开，红线（最高组）在上。",
            "Every day the names are cut into fifths by the factor and each is held for "
            f"{findings.horizon} days in equal "
            "weights, before costs. With a good factor the five lines fan out in order, the red one "
            "(highest) on top.",
        ),
        f'<div class="legend">{legend}</div><div class="trio">{"".join(parts)}</div>',
    )


def _over_time() -> str:
    left = "<div><h3>{}</h3>{}{}</div>".format(
        both("滚动 120 日 RankIC", "RankIC over the last 120 days"),
        paragraph(
            "因子会失效：看线是否向零靠近。", "Factors die: watch for lines that sink to zero.", "small"
        ),
        place("rolling"),
    )
    right = "<div><h3>{}</h3>{}{}</div>".format(
        both("RankIC 随持有期变化", "RankIC by days held"),
        paragraph(
            "信息能保留多久：短线因子很快回落，慢因子越久越高。",
            "How long the information lasts: fast factors fall off, slow ones build up.",
            "small",
        ),
        place("decay"),
    )
    return section(both("随时间与持有期", "Over time and horizon"), f'<div class="pair">{left}{right}</div>')
