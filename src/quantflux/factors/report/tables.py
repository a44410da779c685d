"""The key numbers, paper and tradable side by side."""

from __future__ import annotations

import math

from quantflux.factors.evaluation import FactorReport, Variant
from quantflux.factors.evaluation.results import mean_of
from quantflux.pages.markup import DASH, both, coloured, number, percent, table


def key_table(report: FactorReport) -> str:
    """Return the table of key numbers."""
    head = ["", both("纸面", "Paper"), both("可交易", "Tradable")]
    columns = [_signal(report, report.paper), _signal(report, report.tradable)]
    costs = [_money(report.paper, costs=False), _money(report.tradable, costs=True)]
    labels = [*_SIGNAL, *_MONEY]
    cells = [[*signal, *money] for signal, money in zip(columns, costs, strict=True)]
    rows = [list(row) for row in zip(labels, *cells, strict=True) if set(row[1:]) != {DASH}]
    return table(head, rows, "key")


_SIGNAL = [
    both("RankIC 均值", "Mean RankIC"),
    both("　t 值（Newey-West）", "&emsp;t-value (Newey-West)"),
    both("　ICIR（日）", "&emsp;ICIR (daily)"),
    both("　与均值同号的天数", "&emsp;days with the sign of the mean"),
    both("IC 均值（Pearson）", "Mean IC (Pearson)"),
    both("行业内 RankIC", "RankIC within industries"),
    both("RankIC 半衰期（天）", "Half-life of the RankIC, days"),
    both("单调性（组号与收益的秩相关）", "Monotonicity (quantile and return)"),
    both("　方向正确的相邻组", "&emsp;steps in order"),
    both("最高组换手（每期）", "Turnover of the top, per period"),
    both("因子自相关（隔一期）", "Autocorrelation over one period"),
    both("覆盖", "Coverage"),
]


def _signal(report: FactorReport, found: Variant) -> list[str]:
    return [
        coloured(number(found.rank_ic_mean, 4, sign=True), found.rank_ic_mean),
        number(found.t_value, 1),
        number(found.icir),
        percent(found.hit_rate, 0),
        number(found.ic_mean, 4, sign=True),
        number(found.within_industries, 4, sign=True),
        _days(found.half_life, max(report.plan.decay)),
        number(found.monotonicity),
        percent(found.ordered_steps, 0),
        percent(float(found.turnover[-1]), 0),
        number(found.autocorrelation[report.plan.horizon]),
        percent(mean_of(found.coverage), 0),
    ]


_MONEY = [
    both("多空年化，扣费前", "Long-short a year, before costs"),
    both("多空年化，扣费后", "Long-short a year, after costs"),
    both("　t 值", "&emsp;t-value"),
    both("　夏普比率", "&emsp;Sharpe ratio"),
    both("　最大回撤", "&emsp;largest drawdown"),
    both("最高组超额年化，扣费后", "Top quantile above all, after costs"),
    both("盈亏平衡费率（单边，基点）", "Break-even cost per side, bp"),
]


def _money(found: Variant, *, costs: bool) -> list[str]:
    book = found.portfolios
    gross, net, excess = book.gross, book.net, book.excess
    return [
        coloured(percent(gross.annual, sign=True), gross.annual),
        coloured(percent(net.annual, sign=True), net.annual) if costs else DASH,
        number(net.t_value, 1),
        number(net.sharpe),
        percent(-net.max_drawdown),
        coloured(percent(excess.annual, sign=True), excess.annual) if costs else DASH,
        number(1e4 * book.break_even, 1),
    ]


def _days(value: float, longest: int) -> str:
    return f"&gt; {longest}" if math.isinf(value) else number(value, 1)
