"""The sections of the page. Each is a whole, so that other reports can show some of them."""

from __future__ import annotations

from html import escape

from quantflux.backtest.report.figures import rolling_window
from quantflux.backtest.report.heatmap import monthly_heatmap
from quantflux.backtest.report.notes import notes_section
from quantflux.backtest.report.tables import (
    beside_table,
    falls_table,
    key_table,
    ladder_table,
    refusals_table,
    trips_table,
    years_table,
    yuan,
)
from quantflux.backtest.report.texts import COSTS
from quantflux.backtest.report.verdicts import probability
from quantflux.backtest.study import Study
from quantflux.pages.markup import both, facts, number, paragraph, percent, place, section, words


def sections_of(study: Study) -> str:
    """Return all sections."""
    parts = [
        result_section(study),
        luck_section(study),
        rolling_section(study),
        months_section(study),
        falls_section(study),
        rules_section(study),
        costs_section(study),
        exposure_section(study),
        trips_section(study),
        notes_section(study),
    ]
    return "".join(parts)


def _chart(title: str, figure: str) -> str:
    return f"<div><h3>{title}</h3>{place(figure)}</div>"


def _pair(*parts: str) -> str:
    return f'<div class="pair">{"".join(parts)}</div>'


def result_section(study: Study, lead: str = "") -> str:
    """Return the curves and key numbers, beside the benchmarks, below what `lead` says of the strategy."""
    fall = _chart(both("回撤", "Drawdown"), "drawdown")
    if study.benchmarks:
        title = both("相对基准的累计超额", "Ahead of the benchmark, compounded")
        curves = _pair(_chart(title, "excess"), fall)
        numbers = _pair(f"<div>{key_table(study)}</div>", f"<div>{beside_table(study)}{_habits(study)}</div>")
    else:
        curves, numbers = fall, _pair(f"<div>{key_table(study)}</div>", f"<div>{_habits(study)}</div>")
    return section(
        both(
            "策略与基准" if study.benchmarks else "结果",
            "Strategy and benchmark" if study.benchmarks else "Result",
        ),
        lead,
        place("equity"),
        curves,
        numbers,
    )


def _habits(study: Study) -> str:
    """Return how the strategy trades, in a few numbers."""
    held = study.exposure
    since = slice(1, None) if len(held.names) > 1 else slice(None)
    rows = [
        (both("年换手（单边）", "Turnover a year, one side"), f"{number(study.turnover, 1)}×"),
        (both("费用与滑点（年）", "Costs and slippage a year"), percent(study.cost_drag, 2)),
        (both("平均持有天数", "Days held, on average"), number(study.trips.mean_held, 0)),
        (both("平均持仓只数", "Names held, on average"), number(float(held.names[since].mean()), 0)),
        (both("平均仓位", "Invested, on average"), percent(float(held.invested[since].mean()), 0)),
        (both("单只最大权重", "Largest weight of a name"), percent(float(held.largest.max()))),
    ]
    return f"<h3>{both('如何交易', 'How it trades')}</h3>{facts(rows)}"


def luck_section(study: Study) -> str:
    """Return how much chance may have contributed, given the trials."""
    own = study.luck
    least = "∞" if own.least_days == float("inf") else number(own.least_days, 0)
    rows = [
        (both("试验过的策略数", "Strategies tried"), f"{own.trials:,}"),
        (both("日数", "Days of record"), f"{study.performance.days:,}"),
        (
            both("夏普为正的概率（只试一次）", "Sharpe above zero, were it the only trial"),
            _sure(own.probability),
        ),
        (
            both("无用策略中最好者的夏普", "Sharpe the best of as many useless ones shows"),
            number(own.expected_best),
        ),
        (
            both("夏普为正的概率（计入试验次数）", "Sharpe above zero, given the trials"),
            _sure(own.deflated),
        ),
        (both("要有 95% 把握所需的日数", "Days needed to be 95 % sure"), least),
    ]
    if study.benchmark is not None:
        rows.append(
            (
                both(
                    "超额不是运气的概率（计入试验次数）",
                    "Ahead of the benchmark not by chance, given the trials",
                ),
                _sure(study.benchmark.luck.deflated),
            )
        )
    return section(
        both("是不是运气", "Is it luck?"),
        paragraph(
            "试得越多，最好的那个看上去越好，即使全都无用。下面的概率考虑了记录的长度、收益的偏度与峰度，"
            "以及试验的次数（Bailey、Lopez de Prado 的概率夏普与收缩夏普）。",
            "The more strategies are tried, the better the best of them looks, even if all are useless. These "
            "probabilities allow for the length of the record, for skewed and fat-tailed returns, and for the number "
            "of trials (the probabilistic and deflated Sharpe ratios of Bailey and Lopez de Prado).",
        ),
        facts(rows),
    )


def _sure(value: float) -> str:
    return escape(probability(value))


def rolling_section(study: Study) -> str:
    """Return the rolling charts; nothing for a record too short for them."""
    window = rolling_window(study)
    if not window:
        return ""
    charts = [
        _chart(both("夏普比率", "Sharpe ratio"), "rolling-sharpe"),
        _chart(both("年化波动", "Volatility"), "rolling-volatility"),
    ]
    if study.benchmarks:
        charts.append(_chart(both("对基准的贝塔", "Beta to the benchmark"), "rolling-beta"))
    return section(
        both(f"滚动 {window} 日", f"Over {window} days"),
        paragraph(
            f"每一点回看此前 {window} 个交易日。",
            f"Each point looks back on the {window} trading days before it.",
            "small",
        ),
        f'<div class="{"trio" if len(charts) == 3 else "pair"}">{"".join(charts)}</div>',
    )


def months_section(study: Study) -> str:
    """Return the heatmap of months and the table of years."""
    return section(
        both("逐月与逐年", "By month and by year"),
        paragraph(
            "策略每月收益（%），红涨绿跌；悬停可见同月基准收益。首尾月份按已有的交易日计。",
            "The strategy's return of each month in per cent, red up and green down; hover to see the benchmark's. "
            "The first and the last month count as far as they are covered.",
        ),
        monthly_heatmap(study),
        f"<h3>{both('逐年', 'By year')}</h3>",
        years_table(study),
    )


def falls_section(study: Study) -> str:
    """Return the table of drawdowns; nothing if the account never fell."""
    if not study.falls:
        return ""
    return section(both("最深的回撤", "The deepest drawdowns"), falls_table(study))


def rules_section(study: Study) -> str:
    """Return what each rule of the market cost, and which orders it stopped."""
    parts = []
    if study.ladder is not None and study.ladder.rungs:
        parts += [
            paragraph(
                "先在没有任何规则的理想市场中回测，再按顺序逐条加上规则；每条规则的拖累就是年化收益减少了多少，"
                "加起来正好是理想与实际之差。负的拖累表示这条规则帮了忙。次序不同，单条的数字会略有不同。",
                "The strategy is first run in an ideal market without any rule; then the rules set in, one by one and "
                "in this order. What each took off the annual return is its cost, and the costs add up exactly to "
                "what lies between ideal and real. A gain means that the rule helped. In another order single figures "
                "would differ a little.",
            ),
            _pair(f"<div>{place('ladder')}</div>", f"<div>{ladder_table(study.ladder)}</div>"),
        ]
    title = both("没有成交的委托", "Orders that were not filled")
    if study.refusals:
        parts += [
            f"<h3>{title}</h3>",
            paragraph(
                "按原因统计。同一原因连续多日等待的委托只计一次；金额按成交价，没有成交的按上一收盘价。",
                "By reason. An order that waits for the same reason over many days counts once; yuan are at the price "
                "of the fill, or at the last close where nothing was filled.",
                "small",
            ),
            refusals_table(study),
        ]
    else:
        parts.append(paragraph("所有委托都全部成交。", "Every order was filled in full."))
    return section(both("规则的代价", "What the rules of the market cost"), *parts)


def costs_section(study: Study) -> str:
    """Return what was paid, by kind and by year."""
    paid = [(words(name), yuan(getattr(study.costs, kind))) for kind, name in COSTS.items()]
    filled = study.run.log.filled_only()
    more = [
        (both("合计", "All together"), yuan(study.costs.total)),
        (both("占平均资产（年）", "Of the mean account, a year"), percent(study.cost_drag, 2)),
        (both("成交额", "Traded"), yuan(float(filled.amount.sum()))),
        (both("成交笔数", "Orders filled"), f"{len(filled):,}"),
        (both("收到的现金红利", "Cash dividends received"), yuan(float(study.run.dividends.sum()))),
    ]
    return section(
        both("费用", "Costs"),
        _pair(
            _chart(both("每年支付", "Paid in each year"), "costs"),
            f"<div>{facts([*paid, *more])}</div>",
        ),
    )


def exposure_section(study: Study) -> str:
    """Return how the account was invested."""
    parts = [
        _pair(
            _chart(both("仓位", "Invested"), "exposure"),
            _chart(both("持仓只数", "Names held"), "names"),
        )
    ]
    if study.exposure.industries is not None:
        parts.append(f"<h3>{both('行业', 'Industries')}</h3>{place('industries')}")
    return section(
        both("持仓", "What was held"),
        paragraph(
            "有效只数是与持仓同样集中的等权组合的只数。",
            "The effective number is how many equal positions would be as concentrated.",
            "small",
        ),
        *parts,
    )


def trips_section(study: Study) -> str:
    """Return the round trips: how many won, and the largest; nothing if none was closed."""
    trips = study.trips
    if not len(trips):
        return ""
    rows = [
        (both("往返笔数", "Round trips"), f"{len(trips):,}"),
        (both("盈利的比例", "Won"), percent(trips.hit_rate)),
        (both("平均盈利 / 平均亏损", "Mean profit over mean loss"), number(trips.payoff)),
        (both("平均持有天数（按金额）", "Days held, weighted by yuan"), number(trips.mean_held, 1)),
    ]
    return section(
        both("往返交易", "Round trips"),
        paragraph(
            "买入与卖出按先进先出配对；含税费与税前红利，未了结的持仓不计。",
            "Purchases and sales matched first in, first out; fees and dividends before tax are counted, what is "
            "still held is not.",
        ),
        _pair(_chart(both("每笔收益的分布", "Return of each"), "trips"), f"<div>{facts(rows)}</div>"),
        f"<h3>{both('盈亏最大的交易', 'The largest profits and losses')}</h3>",
        trips_table(study),
    )
