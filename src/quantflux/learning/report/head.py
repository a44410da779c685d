"""The head of the page: the verdict, and the way from what was learnt to what is left."""

from __future__ import annotations

from html import escape

from quantflux.factors.evaluation.results import mean_of
from quantflux.learning.evaluation import TITLES, Verdict, reason_of
from quantflux.learning.report.contents import ModelReport
from quantflux.learning.report.remarks import remarks
from quantflux.pages import Words
from quantflux.pages.markup import both, card, coloured, number, paragraph, percent, tools, words

_TONE = {Verdict.FOUND: "good", Verdict.UNKNOWN: "unsure"}


def header_of(report: ModelReport, banner: Words | None) -> str:
    """Return the head of the page."""
    found, name = report.evaluation, escape(report.name)
    span = f"{found.times[0]} – {found.times[-1]}"
    days, folds = found.significance.count, len(report.folds)
    lead = paragraph(
        f"{span}，{days:,} 个样本外交易日{f'，{folds} 折' if folds else ''}；预测今后 {found.horizon} 日",
        f"{span}, {days:,} days out of sample{f' in {folds} folds' if folds else ''}; predictions look "
        f"{found.horizon} days ahead",
    )
    title = both(f"模型检验：{name}", f"Model report: {name}")
    top = f'<div class="top"><div><h1>{title}</h1>{lead}</div>{tools()}</div>'
    shown = f'<div class="banner">{words(banner)}</div>' if banner is not None else ""
    return f"{top}{shown}{_verdict(report)}{_cards(report)}"


def _verdict(report: ModelReport) -> str:
    found = report.evaluation
    more = "".join(f"<li>{both(remark.zh, remark.en)}</li>" for remark in remarks(report))
    points = f"<ul>{more}</ul>" if more else ""
    return (
        f'<div class="verdict {_TONE.get(found.verdict, "bad")}"><h2>{words(TITLES[found.verdict])}</h2>'
        f"<p>{words(reason_of(found))}</p>{points}</div>"
    )


def _cards(report: ModelReport) -> str:
    found = report.evaluation
    real = found.factor.tradable
    learnt = mean_of(found.label_ic)
    if found.top is None:
        gain, label = (
            real.portfolios.excess.annual,
            both("最高组超额年化，扣费后", "top quantile above all, after costs"),
        )
    else:
        gain = found.top.beside.comparison.excess_return
        label = both(
            f"前 {found.top.top} 名超额年化，扣费后", f"best {found.top.top} above all a year, after costs"
        )
    chain = [
        (both("与所学标签的 RankIC", "RankIC with the label learnt"), number(learnt, 4, sign=True), learnt),
        (
            both("可交易 RankIC", "tradable RankIC"),
            number(real.rank_ic_mean, 4, sign=True),
            real.rank_ic_mean,
        ),
        (label, percent(gain, sign=True), gain),
    ]
    steps = '<div class="arrow">→</div>'.join(
        card(title, coloured(text, value)) for title, text, value in chain
    )
    needed = number(found.significance.needed(found.level), 1)
    rest = [
        card(
            both(f"t 值（需要 {needed}）", f"t-value ({needed} needed)"),
            number(found.significance.t_value, 1),
        ),
        card(both("ICIR（日）", "ICIR (daily)"), number(real.icir)),
        card(both("RankIC 为正的天数", "days with a RankIC above 0"), percent(_positive(report), 0)),
        card(both("单调性", "monotonicity"), number(real.monotonicity)),
    ]
    return f'<div class="chain">{steps}</div><div class="cards">{"".join(rest)}</div>'


def _positive(report: ModelReport) -> float:
    """Return the part of the days on which the RankIC was above zero."""
    real = report.evaluation.factor.tradable
    return real.hit_rate if real.rank_ic_mean >= 0 else 1 - real.hit_rate
