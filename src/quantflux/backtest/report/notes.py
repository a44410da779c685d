"""The honest notes at the end of the page: what was assumed, what was counted, and what is not known."""

from __future__ import annotations

import numpy as np

from quantflux.backtest.execution import Execution, Rule
from quantflux.backtest.report.texts import FILLS, RULES
from quantflux.backtest.study import Study
from quantflux.pages import Words
from quantflux.pages.markup import both, percent, section, words


def notes_section(study: Study) -> str:
    """Return the notes."""
    listed = "".join(f"<li>{words(note)}</li>" for note in notes_of(study))
    return section(both("假设与说明", "Assumptions and notes"), f"<ul>{listed}</ul>")


def notes_of(study: Study) -> list[Words]:
    """Return what was assumed and counted."""
    run, execution = study.run, study.run.execution
    return [
        Words(
            f"数据 {str(run.times[0])[:10]} 至 {str(run.times[-1])[:10]}，{len(run.symbols):,} 只股票；"
            f"首次决策 {study.times[0]}，此前的数据只用于计算信号。",
            f"Data from {str(run.times[0])[:10]} to {str(run.times[-1])[:10]}, {len(run.symbols):,} names; the first "
            f"decision was taken on {study.times[0]}, what lies before only served to compute signals.",
        ),
        _filled(execution, daily=np.datetime_data(run.times.dtype)[0] == "D"),
        *_rules(execution),
        _dividends(execution),
        Words(
            f"退市的股票按最后价格的 {percent(execution.recovery, 0)} 兑付。",
            f"Holders of names that left the market are paid {percent(execution.recovery, 0)} of the last price.",
        ),
        *_benchmarks(study),
        _trials(study),
        Words(
            "一年按 244 个交易日计；夏普、索提诺与信息比率按日计算再年化，无风险利率为零；回撤按收盘计。",
            "A year has 244 trading days; Sharpe, Sortino and information ratios are those of daily returns, made "
            "annual, with a riskless rate of zero; drawdowns are from close to close.",
        ),
    ]


def _filled(execution: Execution, *, daily: bool) -> Words:
    fill = FILLS[execution.fill]
    slipped = execution.has(Rule.SLIPPAGE)
    points = f"{1e4 * execution.slippage:g}" if slipped else "0"
    impact = execution.impact if slipped else 0.0
    more_zh = f"，冲击系数 {impact:g}（乘以波动率与占成交量之比的平方根）" if impact else "，不计冲击成本"
    more_en = (
        f" and an impact of {impact:g} x volatility x the root of the share of volume"
        if impact
        else " and no market impact"
    )
    cap_zh = cap_en = ""
    if execution.has(Rule.VOLUME):
        share = percent(execution.participation, 0)
        cap_zh, cap_en = (
            f"；成交不超过当时成交量的 {share}",
            f"; at most {share} of the volume is taken",
        )
    bar = Words("次日", "the next day") if daily else Words("下一根 K 线", "the next bar")
    return Words(
        f"收盘后决策，{bar.zh}按{fill.zh}成交，滑点 {points} 个基点{more_zh}{cap_zh}。",
        f"Decided after a close, filled on {bar.en} at {fill.en}, with a slippage of {points} basis points"
        f"{more_en}{cap_en}.",
    )


def _rules(execution: Execution) -> list[Words]:
    off = [RULES[rule] for rule in Rule if not execution.has(rule)]
    found = []
    if execution.has(Rule.FEES):
        commission = execution.commission
        found.append(
            Words(
                f"佣金 {percent(commission.rate, 3)}，每笔最低 {commission.minimum:g} 元；印花税与过户费按当日的规定。",
                f"Commission of {percent(commission.rate, 3)}, at least {commission.minimum:g} yuan an order; stamp "
                "duty and transfer fee as they were on the day.",
            )
        )
    if off:
        found.append(
            Words(
                f"没有计入的规则：{'、'.join(rule.zh for rule in off)}。",
                f"Rules that were left out: {', '.join(rule.en for rule in off)}.",
            )
        )
    return found


def _dividends(execution: Execution) -> Words:
    taxed = execution.has(Rule.DIVIDEND_TAX)
    return Words(
        "已知的分红以现金入账"
        + ("，卖出时按持有期扣红利税" if taxed else "，不计红利税")
        + "；没有分红记录时按复权因子视为再投资。",
        "Known dividends are credited in cash"
        + (" and taxed by the holding period on sale" if taxed else ", free of tax")
        + "; where none are known, the adjustment factor reinvests them.",
    )


def _benchmarks(study: Study) -> list[Words]:
    names = {other.name for other in study.benchmarks}
    if not names & {"equal", "cap"}:
        return []
    return [
        Words(
            "市场基准持有同一批可选股票，同样受停牌与涨跌停限制，但不计费用、不计整手。",
            "The market holds the names that the strategy may choose from, with the same suspensions and limits, but "
            "free of costs and lots.",
        )
    ]


def _trials(study: Study) -> Words:
    count = study.luck.trials
    if count == 1:
        return Words(
            "运气的概率按只试过一次计；如果试过更多策略，结果没有看上去那么可靠。",
            "Chance was reckoned as if this were the only strategy ever tried; if there were more, the result is less "
            "sure than it looks.",
        )
    return Words(
        f"运气的概率按试过 {count} 个策略计；没有记录下来的试验不在其中。",
        f"Chance was reckoned for {count:,} strategies tried; trials that nobody recorded are not among them.",
    )
