"""The page on a portfolio: one HTML file with its weights, figures, orders and the sources of its risk."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import quantflux
from quantflux.pages import Page, Words
from quantflux.pages.charts import Figure, axis, bars, layout, numbers
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
    tools,
)
from quantflux.portfolio.decomposition import RiskSplit
from quantflux.portfolio.year import ROOT_OF_YEAR, TRADING_DAYS

if TYPE_CHECKING:
    from quantflux.portfolio.service import Proposal

CHART_WORDS: Mapping[str, Words] = MappingProxyType(
    {
        "weight": Words("权重", "weight"),
        "benchmark": Words("基准", "benchmark"),
        "share": Words("占方差", "of the variance"),
    }
)
"""Texts inside figures; a figure names them as `@key`."""

_MOST_BARS = 25
_NAN = float("nan")


def write_portfolio_report(proposal: Proposal, path: Path) -> None:
    """Write the page; its folder is made if need be."""
    page_of(proposal).write(path)


def page_of(proposal: Proposal) -> Page:
    """Return the page."""
    name = proposal.case.file.name
    return Page(
        title=Words(f"{name} · 组合", f"{name} · portfolio"),
        header=_header(proposal),
        sections=_holdings(proposal)
        + _limits(proposal)
        + _risk(proposal)
        + _orders(proposal)
        + _notes(proposal),
        footer=paragraph(
            f"仅供研究，不构成投资建议。quantflux {quantflux.__version__}。",
            f"For research only; not investment advice. quantflux {quantflux.__version__}.",
            "note",
        ),
        figures=figures_of(proposal),
        words=CHART_WORDS,
    )


def _header(proposal: Proposal) -> str:
    case, portfolio = proposal.case, proposal.portfolio
    figures, lots = portfolio.statistics, proposal.lots
    yearly = {
        "risk": _NAN if figures.risk is None else figures.risk * ROOT_OF_YEAR,
        "apart": _NAN if figures.tracking_error is None else figures.tracking_error * ROOT_OF_YEAR,
        "return": _NAN if figures.expected_return is None else figures.expected_return * TRADING_DAYS,
    }
    cards = "".join(
        card(both(zh, en), figure)
        for zh, en, figure in (
            ("持股数", "names", str(figures.names)),
            ("预期年收益", "expected return, a year", percent(yearly["return"])),
            ("年化风险", "risk, a year", percent(yearly["risk"])),
            ("跟踪误差", "tracking error, a year", percent(yearly["apart"])),
            ("换手", "turnover", percent(_NAN if figures.turnover is None else figures.turnover)),
            ("取整后现金", "cash after lots", number(lots.cash, 0)),
        )
    )
    title = f"<h1>{escape(case.file.name)}</h1>"
    told = facts(
        [
            (both("日期", "date"), case.day.isoformat()),
            (both("方法", "method"), escape(portfolio.method)),
            (both("状态", "status"), escape(f"{portfolio.status} {portfolio.solver or ''}".strip())),
            (both("资金（元）", "value, yuan"), number(case.value, 0)),
            (both("等效持股数", "as good as equal names"), number(figures.effective_names, 1)),
            (both("取整错配", "misplaced by lots"), percent(lots.drift, 2)),
        ]
    )
    return f'{tools()}{title}<div class="cards">{cards}</div>{told}'


def _holdings(proposal: Proposal) -> str:
    head = [
        both("代码", "symbol"),
        both("权重", "weight"),
        both("价格", "price"),
        both("原持股", "held"),
        both("股数", "shares"),
        both("金额", "amount"),
    ]
    rows = [
        [
            _named(row["symbol"], " · ".join(part for part in (row["name"], row["industry"]) if part)),
            percent(row["weight"], 2),
            number(_NAN if row["price"] is None else row["price"]),
            number(row["held"], 0),
            number(row["shares"], 0),
            number(row["amount"], 0),
        ]
        for row in proposal.to_dict()["lots"]
    ]
    charts = _chart("weights", "最大权重", "Largest weights")
    if any(proposal.case.industries):
        charts += _chart("industries", "行业权重", "Weights of industries")
    return section(both("持仓", "Holdings"), charts, table(head, rows))


def _chart(figure: str, zh: str, en: str) -> str:
    return f"<h3>{both(zh, en)}</h3>{place(figure)}"


def _named(symbol: str, told: str) -> str:
    return f'{escape(symbol)}<span class="sub">{escape(told)}</span>'


def _limits(proposal: Proposal) -> str:
    binding = proposal.binding
    if not binding:
        return section(both("约束", "Limits"), paragraph("没有起作用的约束。", "No limit binds."))
    listed = "".join(f"<li>{escape(words)}</li>" for words in binding)
    lead = paragraph("权重正处在以下限制上。", "The weights stand at these limits.")
    return section(both("起作用的约束", "Limits that bind"), lead, f"<ul>{listed}</ul>")


def _risk(proposal: Proposal) -> str:
    if proposal.risk is None:
        return ""
    parts = [_chart("risk_parts", "组合风险", "Risk of the portfolio")]
    if proposal.active_risk is not None and proposal.active_risk.deviation > 0:
        parts.append(_chart("active_parts", "跟踪误差", "Tracking error"))
    lead = paragraph(
        "因子模型按因子拆分方差，其余按个股拆分；各部分之和为 100%。",
        "A factor model splits the variance by factor, any other by name; all parts add up to 100 %.",
    )
    return section(both("风险从何而来", "Where the risk comes from"), lead, *parts)


def _orders(proposal: Proposal) -> str:
    orders = proposal.orders
    head = [both("方向", "side"), both("代码", "symbol"), both("股数", "shares"), both("价格", "price")]
    head += [both("金额", "amount"), both("费用", "fees")]
    names = dict(zip(proposal.case.symbols, proposal.case.names, strict=True))
    sides = {"buy": both("买", "buy"), "sell": both("卖", "sell")}
    rows = [
        [
            sides[order.side],
            _named(order.symbol, names[order.symbol]),
            number(abs(order.shares), 0),
            number(order.price),
            number(order.amount),
            number(order.fees),
        ]
        for order in orders.orders
    ]
    refused = "".join(f"<li>{escape(str(refusal))}</li>" for refusal in orders.refusals)
    lead = paragraph(
        f"费用合计 {number(orders.fees)} 元（{orders.fees_bp:.1f} bp），换手 {percent(orders.turnover)}。",
        f"Fees {number(orders.fees)} yuan ({orders.fees_bp:.1f} bp), turnover {percent(orders.turnover)}.",
    )
    return section(both("指令", "Orders"), lead, table(head, rows), f"<ul>{refused}</ul>" if refused else "")


def _notes(proposal: Proposal) -> str:
    if not (told := proposal.notes):
        return ""
    return section(
        both("说明", "Notes"), "<ul>" + "".join(f"<li>{escape(note)}</li>" for note in told) + "</ul>"
    )


def figures_of(proposal: Proposal, most: int = _MOST_BARS) -> dict[str, Figure]:
    """Return the charts: `weights`, and where there is something to show `industries`, `risk_parts`, `active_parts`.

    Weights and parts of risk are the largest ones, at most `most`.
    """
    case, portfolio = proposal.case, proposal.portfolio
    held = list(portfolio.held().items())[:most]
    names = dict(zip(case.symbols, case.names, strict=True))
    made: dict[str, Figure] = {
        "weights": {
            "data": [
                bars([names[s] for s, _ in held], numbers([100 * w for _, w in held]), "@weight", "$accent")
            ],
            "layout": _layout(260),
        }
    }
    industries = _by_industry(proposal)
    if industries:
        labels, weights, against = industries
        traces = [bars(labels, numbers(weights), "@weight", "$accent")]
        if against is not None:
            traces.append(bars(labels, numbers(against), "@benchmark", "$muted"))
        made["industries"] = {"data": traces, "layout": _layout(260)}
    for key, split in (("risk_parts", proposal.risk), ("active_parts", proposal.active_risk)):
        if split is not None and split.deviation > 0:
            labels, parts = _parts(split, [names[s] for s in portfolio.symbols], most)
            made[key] = {"data": [bars(labels, numbers(parts), "@share", "$accent")], "layout": _layout(260)}
    return made


def _layout(height: int) -> dict[str, Any]:
    return layout(height, xaxis=axis(type="category"), yaxis=axis("%"), barmode="group")


def _by_industry(proposal: Proposal) -> tuple[list[str], list[float], list[float] | None] | None:
    case, portfolio = proposal.case, proposal.portfolio
    labels = [case.industries[i] for i in case.places]
    known = sorted({label for label in labels if label})
    if not known:
        return None
    benchmark = case.problem.benchmark

    def total(weights: Any) -> list[float]:
        return [
            100 * sum(float(w) for w, label in zip(weights, labels, strict=True) if label == each)
            for each in known
        ]

    return known, total(portfolio.weights), None if benchmark is None else total(benchmark)


def _parts(split: RiskSplit, names: list[str], most: int) -> tuple[list[str], list[float]]:
    if split.factors:
        pairs = list(split.factors.items())[: most - 1]
        return [*(name for name, _ in pairs), "specific"], [
            *(100 * part for _, part in pairs),
            100 * split.specific,
        ]
    order = sorted(range(len(names)), key=lambda i: -abs(split.names[i]))[:most]
    return [names[i] for i in order], [100 * float(split.names[i]) for i in order]
