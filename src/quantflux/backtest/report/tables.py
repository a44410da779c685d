"""The tables: key numbers, the benchmarks beside them, years, drawdowns, refusals and round trips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

import numpy as np

from quantflux.backtest.ladder import RuleLadder
from quantflux.backtest.metrics import Comparison, Performance
from quantflux.backtest.report.texts import REASONS, RULES, benchmark_words
from quantflux.backtest.report.verdicts import probability
from quantflux.backtest.study import Benchmark, Study
from quantflux.pages.markup import DASH, both, coloured, number, percent, signed_bar, table, words

MOST_FALLS = 8
MOST_TRIPS = 8


def yuan(value: float) -> str:
    """Return an amount of money, the larger the rounder."""
    sign, much = "-" if value < 0 else "", abs(value)
    if much >= 1e9:
        return both(f"{sign}{much / 1e8:,.2f} 亿元", f"{sign}¥{much / 1e9:,.2f} bn")
    return both(f"{sign}{much / 1e4:,.1f} 万元", f"{sign}¥{much:,.0f}")


def _rate(value: float) -> str:
    return coloured(percent(value, sign=True), value)


def _effect(value: float) -> str:
    """Write what a rule did; what is nothing in two decimals has no sign and no colour."""
    return coloured(percent(value, 2, sign=True), value) if abs(value) >= 5e-5 else percent(0.0, 2)


_PERFORMANCE: Sequence[tuple[str, Callable[[Performance], str]]] = (
    (both("年化收益（几何）", "Annual return, geometric"), lambda p: _rate(p.annual_return)),
    (
        both("总收益", "Total return"),
        lambda p: coloured(percent(p.total_return, 0, sign=True), p.total_return),
    ),
    (both("年化波动", "Volatility"), lambda p: percent(p.volatility)),
    (both("夏普比率", "Sharpe ratio"), lambda p: number(p.sharpe)),
    (both("索提诺比率", "Sortino ratio"), lambda p: number(p.sortino)),
    (both("卡玛比率", "Calmar ratio"), lambda p: number(p.calmar)),
    (both("Omega 比率", "Omega ratio"), lambda p: number(p.omega)),
    (both("最大回撤", "Largest drawdown"), lambda p: percent(-p.max_drawdown)),
    (both("单日在险价值（95%）", "Value at risk of a day, 95 %"), lambda p: percent(p.value_at_risk, 2)),
    (
        both("单日预期损失（95%）", "Expected shortfall of a day, 95 %"),
        lambda p: percent(p.expected_shortfall, 2),
    ),
    (both("尾部比率", "Tail ratio"), lambda p: number(p.tail_ratio)),
    (both("偏度", "Skewness"), lambda p: number(p.skewness)),
    (both("峰度（正态为 0）", "Kurtosis (normal: 0)"), lambda p: number(p.kurtosis)),
    (both("上涨的交易日", "Days that gained"), lambda p: percent(p.positive_days, 0)),
    (both("最好、最差的一天", "Best and worst day"), lambda p: f"{_rate(p.best_day)} {_rate(p.worst_day)}"),
)

_COMPARISON: Sequence[tuple[str, Callable[[Comparison], str]]] = (
    (both("年化超额", "Ahead a year"), lambda c: _rate(c.excess_return)),
    (both("　t 值（Newey-West）", "&emsp;t-value (Newey-West)"), lambda c: number(c.excess_t, 1)),
    (both("信息比率", "Information ratio"), lambda c: number(c.information_ratio)),
    (both("跟踪误差", "Tracking error"), lambda c: percent(c.tracking_error)),
    (both("贝塔", "Beta"), lambda c: number(c.beta)),
    (both("阿尔法（年）", "Alpha a year"), lambda c: _rate(c.alpha)),
    (both("相关系数", "Correlation"), lambda c: number(c.correlation)),
    (both("上行捕获", "Capture of rises"), lambda c: percent(c.up_capture, 0)),
    (both("下行捕获", "Capture of falls"), lambda c: percent(c.down_capture, 0)),
    (both("跑赢的交易日", "Days ahead"), lambda c: percent(c.days_ahead, 0)),
    (both("跑赢的月份", "Months ahead"), lambda c: percent(c.months_ahead, 0)),
)


def key_table(study: Study) -> str:
    """Return the key numbers of the strategy and of each benchmark."""
    accounts = [study.performance, *(other.performance for other in study.benchmarks)]
    head = ["", both("策略", "Strategy"), *_names(study)]
    rows = [[label, *(write(account) for account in accounts)] for label, write in _PERFORMANCE]
    months = [study.positive_months, *(_gaining(other) for other in study.benchmarks)]
    rows.append([both("上涨的月份", "Months that gained"), *(percent(part, 0) for part in months)])
    return table(head, rows, "key")


def beside_table(study: Study) -> str:
    """Return the strategy beside each benchmark."""
    rows = [[label, *(write(other.comparison) for other in study.benchmarks)] for label, write in _COMPARISON]
    sure = both("超额不是运气的概率", "Probability that this is not chance")
    rows.append([sure, *(escape(probability(other.luck.deflated)) for other in study.benchmarks)])
    return table([both("相对于", "Beside"), *_names(study)], rows, "key")


def years_table(study: Study) -> str:
    """Return the return of each year beside the benchmarks', and what was paid in it."""
    head = [both("年份", "Year"), both("策略", "Strategy"), *_names(study)]
    if study.benchmarks:
        head.append(both("超额", "Ahead"))
    head += [both("年内最大回撤", "Drawdown within"), both("税费与滑点", "Costs and slippage")]
    rows = []
    for year, gain in study.years.items():
        cells = [str(year), _rate(gain), *(_rate(other.years[year]) for other in study.benchmarks)]
        if study.benchmark is not None:
            cells.append(_rate(gain - study.benchmark.years[year]))
        rows.append([*cells, percent(-_fall_within(study, year)), yuan(study.yearly_costs[year].total)])
    return table(head, rows)


def falls_table(study: Study) -> str:
    """Return the deepest drawdowns."""
    head = [
        both("深度", "Depth"), both("高点", "Peak"), both("低点", "Trough"), both("收复", "Recovered"),
        both("下跌天数", "Days down"), both("总天数", "Days in all"),
    ]  # fmt: skip
    rows = [
        [
            coloured(percent(-fall.depth), -fall.depth),
            str(study.times[fall.peak]),
            str(study.times[fall.trough]),
            both("尚未", "not yet") if fall.recovery is None else str(study.times[fall.recovery]),
            f"{fall.trough - fall.peak:,}",
            f"{fall.length:,}",
        ]
        for fall in study.falls[:MOST_FALLS]
    ]
    return table(head, rows)


def ladder_table(ladder: RuleLadder) -> str:
    """Return what each rule took, in the order in which they set in."""
    head = [both("规则", "Rule"), both("拖累（年）", "Took, a year"), both("此后年化", "Leaves a year")]
    largest = max((abs(rung.cost) for rung in ladder.rungs), default=0.0)
    rows = [[both("理想", "ideal"), "", "", percent(ladder.ideal, 2, sign=True)]]
    rows += [
        [
            words(RULES[rung.rule]),
            _effect(-rung.cost),
            signed_bar(-rung.cost, largest),
            percent(rung.annual_return, 2, sign=True),
        ]
        for rung in ladder.rungs
    ]
    return table([*head[:2], "", head[2]], rows)


def refusals_table(study: Study) -> str:
    """Return the orders that were refused or cut, by reason, and the yuan they wanted."""
    head = [
        both("原因", "Reason"), both("买单", "Buys"), both("卖单", "Sells"), both("全部未成交", "Nothing filled"),
        both("部分成交", "Part filled"), both("想买未买", "Wanted, not bought"), both("想卖未卖", "Wanted, not sold"),
    ]  # fmt: skip
    rows = [
        [
            words(REASONS[found.reason]),
            f"{found.buys:,}",
            f"{found.sells:,}",
            f"{found.refused:,}",
            f"{found.cut:,}",
            yuan(found.bought_less) if found.bought_less else DASH,
            yuan(found.sold_less) if found.sold_less else DASH,
        ]
        for found in study.refusals
    ]
    return table(head, rows)


def trips_table(study: Study) -> str:
    """Return the round trips with the largest profits and losses."""
    trips, times = study.trips, study.run.times.astype("datetime64[D]")
    order = np.argsort(-trips.profit, kind="stable")
    best = [i for i in order[:MOST_TRIPS].tolist() if trips.profit[i] > 0]
    worst = [i for i in order[::-1][:MOST_TRIPS].tolist() if trips.profit[i] < 0]
    head = [
        both("股票", "Name"), both("买入", "Bought"), both("卖出", "Sold"), both("天数", "Days"),
        both("成本", "Cost"), both("盈亏", "Profit"), both("收益", "Return"),
    ]  # fmt: skip
    rows = [
        [
            escape(str(study.run.symbols[trips.column[i]])),
            str(times[trips.bought[i]]),
            str(times[trips.sold[i]]),
            f"{int(trips.held[i]):,}",
            yuan(float(trips.cost[i])),
            coloured(yuan(float(trips.profit[i])), float(trips.profit[i])),
            _rate(float(trips.returns[i])),
        ]
        for i in [*best, *worst[::-1]]
    ]
    return table(head, rows)


def _names(study: Study) -> list[str]:
    return [words(benchmark_words(other.name)) for other in study.benchmarks]


def _gaining(other: Benchmark) -> float:
    return float(np.mean([gain > 0 for gain in other.months.values()])) if other.months else float("nan")


def _fall_within(study: Study, year: np.datetime64) -> float:
    """Return the largest loss from a peak of the same year, the last close before it among them."""
    inside = np.flatnonzero(study.times.astype("datetime64[Y]") == year)
    equity = study.equity[max(inside[0] - 1, 0) : inside[-1] + 1]
    return float(np.max(1 - equity / np.maximum.accumulate(equity)))
