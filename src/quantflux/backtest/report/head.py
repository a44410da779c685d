"""The head of the page: the verdict and the key numbers."""

from __future__ import annotations

from html import escape

from quantflux.backtest.report.texts import costs_words
from quantflux.backtest.report.verdicts import Verdict, reason, remarks, title_of, verdict_of
from quantflux.backtest.study import Study
from quantflux.pages import Words
from quantflux.pages.markup import both, card, coloured, number, paragraph, percent, tools, words

_TONE = {Verdict.CONVINCING: "good", Verdict.CHANCE: "unsure", Verdict.SHORT: "unsure"}


def header_of(study: Study, banner: Words | None) -> str:
    """Return the head of the page."""
    name = escape(study.name)
    capital = study.run.capital
    lead = paragraph(
        f"{study.times[0]} – {study.times[-1]}，{study.performance.days:,} 个交易日；本金 {capital / 1e4:,.0f} 万元",
        f"{study.times[0]} – {study.times[-1]}, {study.performance.days:,} trading days; began with ¥{capital:,.0f}",
    )
    title = both(f"回测：{name}", f"Backtest: {name}")
    top = f'<div class="top"><div><h1>{title}</h1>{lead}</div>{tools()}</div>'
    shown = f'<div class="banner">{words(banner)}</div>' if banner is not None else ""
    cards = f'<div class="cards">{"".join(key_cards(study))}</div>'
    return f"{top}{shown}{verdict_box(study)}{cards}"


def verdict_box(study: Study) -> str:
    """Return the verdict, its reason and remarks."""
    points = "".join(f"<li>{words(remark)}</li>" for remark in remarks(study))
    return (
        f'<div class="verdict {_TONE.get(verdict_of(study), "bad")}"><h2>{words(title_of(study))}</h2>'
        f"<p>{words(reason(study))}</p>{f'<ul>{points}</ul>' if points else ''}</div>"
    )


def key_cards(study: Study) -> list[str]:
    """Return the key numbers as cards."""
    mine, beside = study.performance, study.comparison
    costs = costs_words(study.run.execution)
    made = [
        card(
            both(f"年化收益（{costs.zh}）", f"annual return {costs.en}"),
            coloured(percent(mine.annual_return, sign=True), mine.annual_return),
        )
    ]
    if beside is not None:
        made += [
            card(
                both("年化超额收益", "ahead of the benchmark a year"),
                coloured(percent(beside.excess_return, sign=True), beside.excess_return),
            ),
            card(both("信息比率", "information ratio"), number(beside.information_ratio)),
        ]
    return [
        *made,
        card(both("夏普比率", "Sharpe ratio"), number(mine.sharpe)),
        card(both("最大回撤", "largest drawdown"), percent(-mine.max_drawdown)),
        card(both("年换手（单边）", "turnover a year, one side"), f"{number(study.turnover, 1)}×"),
    ]
