"""The section about the portfolio of the last day."""

from __future__ import annotations

import re
from html import escape

from quantflux.cli.demo.proposing import CAPITAL, Position, largest
from quantflux.cli.demo.report.texts import PORTFOLIO_NOTES
from quantflux.cli.demo.results import Proposed
from quantflux.pages.charts import Figure
from quantflux.pages.markup import (
    both,
    card,
    facts,
    number,
    paragraph,
    percent,
    place,
    section,
    table,
    words,
)
from quantflux.portfolio.doctor import Price
from quantflux.portfolio.report import figures_of
from quantflux.portfolio.service import Proposal
from quantflux.portfolio.year import ROOT_OF_YEAR, TRADING_DAYS

_FIGURES = ("industries", "risk_parts", "active_parts")
_PARTS, _LARGEST, _DEAREST = 10, 10, 10
_NAN = float("nan")
_NOISE = 1e-9  # utility a day: what loosening a limit that costs nothing may seem to bring
_SIDES = {"at most": "不高于", "at least": "不低于"}
_LIMIT = re.compile(
    r"(?P<every>every weight|tracking error|industry (?P<industry>.+?))(?P<apart> against the benchmark)? "
    r"(?P<side>at most|at least) (?P<bound>-?[\d.]+ %)(?: a year)?"
    r"(?: \((?P<count>\d+) names\))?"
)


def portfolio_section(proposed: Proposed) -> str:
    """Return the section about the portfolio, or one that says why there is none."""
    title = both("最后一日的组合", "A portfolio for the last day")
    proposal = proposed.proposal
    if proposal is None:
        lead = paragraph("这些数据不足以优化组合：", "These data do not allow a portfolio:")
        return section(title, lead, f"<p class='small'>{escape(proposed.why)}</p>")
    notes = "".join(f"<li>{words(PORTFOLIO_NOTES[key])}</li>" for key in proposed.notes)
    return section(
        title,
        _lead(),
        _cards(proposal),
        _facts(proposal),
        f"<ul class='small'>{notes}</ul>" if notes else "",
        _weights(proposal),
        _risk(proposed),
        _limits(proposed),
    )


def portfolio_figures(proposed: Proposed) -> dict[str, Figure]:
    """Return the section's charts, which are some of those of a portfolio's own page."""
    if proposed.proposal is None:
        return {}
    drawn = figures_of(proposed.proposal, _PARTS)
    return {name: drawn[name] for name in _FIGURES if name in drawn}


def _lead() -> str:
    return paragraph(
        "指数增强：以全部因子得分的平均 z 值为预期收益（假设 IC 为 0.03、20 日，不由本段历史拟合），"
        "以风险模型约束对基准的跟踪误差，均值-方差优化；行业、个股与跟踪误差均有上限。"
        f"再按整手取整，共 {CAPITAL:,.0f} 元，从现金建仓。",
        "Index enhancement: the mean z-score of all factors becomes expected returns (with an IC of 0.03 over 20 days, "
        "assumed, not fitted to this history), a risk model holds the tracking error, and mean-variance finds the "
        "weights under limits on industries, names and tracking error. They are then rounded to whole lots and bought "
        f"from cash, {CAPITAL:,.0f} yuan.",
    )


def _cards(proposal: Proposal) -> str:
    figures, lots = proposal.portfolio.statistics, proposal.lots
    shown = (
        ("持股数", "names", str(figures.names)),
        ("预期年收益", "expected return a year", _yearly(figures.expected_return, TRADING_DAYS)),
        ("年化风险", "risk a year", _yearly(figures.risk, ROOT_OF_YEAR)),
        ("跟踪误差", "tracking error a year", _yearly(figures.tracking_error, ROOT_OF_YEAR)),
        ("取整增加的误差", "tracking error that lots add", _yearly(lots.tracking_error, ROOT_OF_YEAR, 2)),
    )
    return f'<div class="cards">{"".join(card(both(zh, en), figure) for zh, en, figure in shown)}</div>'


def _yearly(value: float | None, scale: float, digits: int = 1) -> str:
    return percent(_NAN if value is None else value * scale, digits)


def _facts(proposal: Proposal) -> str:
    figures, orders = proposal.portfolio.statistics, proposal.orders
    return facts(
        [
            (both("日期", "Day"), proposal.case.day.isoformat()),
            (both("等效持股数", "As good as equal names"), number(figures.effective_names, 0)),
            (both("买入指令", "Orders to buy"), number(len(orders.orders), 0)),
            (both("当日不能成交", "Not to be traded that day"), number(len(orders.refusals), 0)),
            (both("买入金额（元）", "Bought, yuan"), number(orders.bought, 0)),
            (both("费用（元）", "Fees, yuan"), f"{number(orders.fees, 0)} ({orders.fees_bp:.1f} bp)"),
            (both("剩余现金（元）", "Cash left, yuan"), number(orders.cash_after, 0)),
        ]
    )


def _weights(proposal: Proposal) -> str:
    fees = {order.symbol: order.fees for order in proposal.orders.orders}
    head = [
        both("最大持仓", "Largest positions"),
        both("权重", "Weight"),
        both("股数", "Shares"),
        both("费用（元）", "Fees, yuan"),
    ]
    rows = [
        [
            _named(each),
            percent(each.weight, 2),
            number(each.shares, 0),
            number(fees.get(each.symbol, _NAN)),
        ]
        for each in largest(proposal, _LARGEST)
    ]
    positions = table(head, rows)
    if not any(proposal.case.industries):
        return positions
    heading = both("行业权重与基准（%）", "Weights of industries beside the benchmark, %")
    return f"<h3>{heading}</h3>{place('industries')}{positions}"


def _named(position: Position) -> str:
    company = "" if position.name == position.symbol else position.name
    told = " · ".join(part for part in (company, position.industry) if part)
    return f"{escape(position.symbol)}<span class='sub'>{escape(told)}</span>"


def _risk(proposed: Proposed) -> str:
    drawn = portfolio_figures(proposed)
    left, right = (
        f"<div><h3>{title}</h3>{place(key)}</div>" if key in drawn else ""
        for key, title in (
            (
                "risk_parts",
                both("风险从何而来（占方差，最大几项）", "Where the risk comes from, largest parts"),
            ),
            ("active_parts", both("跟踪误差从何而来（同上）", "Where the tracking error comes from")),
        )
    )
    return f'<div class="pair">{left}{right}</div>'


def _limits(proposed: Proposed) -> str:
    title = f"<h3>{both('约束的代价', 'What the limits cost')}</h3>"
    dear = sorted(
        (price for price in proposed.prices if (price.utility or 0.0) > _NOISE),
        key=lambda price: -(price.utility or 0.0),
    )
    if not dear:
        binding = () if proposed.proposal is None else proposed.proposal.binding
        if not binding:
            return title + paragraph("没有起作用的约束。", "No limit binds.", "small")
        listed = "".join(f"<li>{limit_words(words.partition(': ')[2])}</li>" for words in binding)
        return title + f"<ul class='small'>{listed}</ul>"
    lead = paragraph(
        "组合正处在这些限制上。每放宽一步，组合每年的预期收益、风险与跟踪误差改变多少；最贵的在前。",
        "The portfolio stands at these limits. By how much its expected return, risk and tracking error of a year "
        "change when a limit is loosened by a step; the dearest first.",
        "small",
    )
    head = [
        both("约束", "Limit"),
        both("放宽", "Loosened by"),
        both("预期收益", "Return"),
        both("风险", "Risk"),
        both("跟踪误差", "Tracking error"),
    ]
    return title + lead + table(head, [_price(price) for price in dear[:_DEAREST]])


def _price(price: Price) -> list[str]:
    count = f" ({price.names} names)" if price.names > 1 else ""
    changes = (price.expected_return, price.risk, price.tracking_error)
    return [
        limit_words(price.words + count),
        price.step.replace(" a year", "").replace(" ", "&nbsp;"),
        *map(_change, changes),
    ]


def _change(value: float | None) -> str:
    # Rounded beforehand, so that noise around 0 has no sign.
    known = _NAN if value is None else round(value, 5)
    return percent(known + 0.0, 3, sign=known != 0)


def limit_words(told: str) -> str:
    """Return a limit in both languages; what it is not known how to say in Chinese stays as it is.

    Examples
    --------
    >>> limit_words("every weight at most 3 % (4 names)")
    '<span lang="zh">每只权重不高于 3 %（4 只）</span><span lang="en">every weight at most 3 % (4 names)</span>'
    >>> limit_words("weight of A stays at 0 %")
    'weight of A stays at 0 %'
    """
    found = _LIMIT.fullmatch(told)
    if found is None:
        return escape(told)
    side, bound = found["side"], found["bound"]
    count = ("", "") if found["count"] is None else (f"（{found['count']} 只）", f" ({found['count']} names)")
    if found["industry"] is not None:
        apart = ("比基准" if found["apart"] else "", found["apart"] or "")
        return (
            both("行业 ", "industry ")
            + escape(found["industry"])
            + both(f" {apart[0]}{_SIDES[side]} {bound}", f"{apart[1]} {side} {bound}")
        )
    if found["every"] == "tracking error":
        return both(f"跟踪误差每年{_SIDES[side]} {bound}", f"{found['every']} {side} {bound} a year")
    return both(f"每只权重{_SIDES[side]} {bound}{count[0]}", f"{found['every']} {side} {bound}{count[1]}")
