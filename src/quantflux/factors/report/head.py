"""The head of the page: the verdict, and the way from paper to what is left."""

from __future__ import annotations

from html import escape

from quantflux.factors.evaluation import FactorReport, Verdict
from quantflux.factors.report.verdicts import PREDICTS, TITLES, reason, remarks
from quantflux.pages import Words
from quantflux.pages.markup import both, card, coloured, number, paragraph, percent, tools, words

_TONE = {
    Verdict.WORKS: "good",
    Verdict.UNSURE_GAIN: "unsure",
    Verdict.HINT: "unsure",
    Verdict.UNKNOWN: "unsure",
}


def header_of(report: FactorReport, banner: Words | None) -> str:
    """Return the head of the page."""
    plan, name = report.plan, escape(report.name)
    span = f"{report.times[0]} – {report.times[-1]}" if len(report.times) else "–"
    lead = paragraph(
        f"{span}，{len(report.times):,} 个交易日；分 {plan.quantiles} 组，持有 {plan.horizon} 日",
        f"{span}, {len(report.times):,} trading days; {plan.quantiles} quantiles, held for {plan.horizon} days",
    )
    title = both(f"因子检验：{name}", f"Factor report: {name}")
    top = f'<div class="top"><div><h1>{title}</h1>{lead}</div>{tools()}</div>'
    shown = f'<div class="banner">{words(banner)}</div>' if banner is not None else ""
    return f"{top}{shown}{_verdict(report)}{_cards(report)}"


def _verdict(report: FactorReport) -> str:
    more = "".join(f"<li>{words(remark)}</li>" for remark in remarks(report))
    points = f"<ul>{more}</ul>" if more else ""
    tone = _TONE.get(report.verdict, "bad")
    return (
        f'<div class="verdict {tone}"><h2>{words(TITLES[report.verdict])}</h2>'
        f"<p>{words(reason(report))}</p>{points}</div>"
    )


def _cards(report: FactorReport) -> str:
    paper, real = report.paper, report.tradable
    net = real.portfolios.net
    chain = [
        (both("纸面 RankIC", "paper RankIC"), number(paper.rank_ic_mean, 4, sign=True), paper.rank_ic_mean),
        (
            both("可交易 RankIC", "tradable RankIC"),
            number(real.rank_ic_mean, 4, sign=True),
            real.rank_ic_mean,
        ),
        (
            both("多空年化，扣费后", "long-short a year, after costs"),
            percent(net.annual, sign=True),
            net.annual,
        ),
    ]
    steps = '<div class="arrow">→</div>'.join(
        card(label, coloured(text, value)) for label, text, value in chain
    )
    half_life = f"{number(real.half_life, 1)}" if report.verdict in PREDICTS else "–"
    rest = [
        card(both("t 值（Newey-West）", "t-value (Newey-West)"), number(real.t_value, 1)),
        card(both("ICIR（日）", "ICIR (daily)"), number(real.icir)),
        card(both("半衰期（天）", "half-life, days"), half_life),
        card(
            both("最高组换手（每期）", "turnover of the top, per period"),
            percent(float(real.turnover[-1]), 0),
        ),
    ]
    return f'<div class="chain">{steps}</div><div class="cards">{"".join(rest)}</div>'
