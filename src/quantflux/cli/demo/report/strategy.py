"""The sections about the backtest."""

from __future__ import annotations

from quantflux.backtest import Refusal, Study
from quantflux.cli.demo.report.heatmap import monthly_heatmap
from quantflux.pages.markup import (
    both,
    coloured,
    facts,
    number,
    paragraph,
    percent,
    place,
    section,
    table,
)

_REFUSALS = {
    Refusal.LIMIT_UP: both("涨停买不进", "not bought: limit-up"),
    Refusal.LIMIT_DOWN: both("跌停卖不出", "not sold: limit-down"),
    Refusal.NO_TRADE: both("停牌", "suspended"),
    Refusal.LOT: both("不足一手", "less than a lot"),
}


def strategy_sections(study: Study | None) -> str:
    """Return the sections about the backtest, or one that says why there is none."""
    if study is None:
        return section(
            both("回测", "Backtest"),
            paragraph(
                "历史太短，没有一个月末有足够的打分股票。",
                "The history is too short: no month ends with enough names scored.",
            ),
        )
    return _result(study) + _months(study) + _costs(study)


def _result(study: Study) -> str:
    mine, other, beside = study.performance, study.benchmark_performance, study.comparison
    text = paragraph(
        "每月最后一个交易日收盘后，把全部因子的名次等权平均，买入得分最高的 20%，次日开盘成交。"
        "基准是同一批可投资股票的等权组合，按同样的日期和开盘价调仓，但不计费用。",
        "After the last close of each month the ranks of all factors are averaged with equal weights, and "
        "the best "
        "20 % of the names are bought at the next open. The benchmark holds all investable names in equal "
        "weights, "
        "rebalanced on the same days at the same opens, free of costs.",
    )
    head = ["", both("策略", "Strategy"), both("等权市场", "Market")]
    rows = [
        [
            both("年化收益", "Annual return"),
            *(coloured(percent(p.annual_return), p.annual_return) for p in (mine, other)),
        ],
        [
            both("总收益", "Total return"),
            *(coloured(percent(p.total_return, 0), p.total_return) for p in (mine, other)),
        ],
        [both("年化波动", "Volatility"), *(percent(p.volatility) for p in (mine, other))],
        [both("夏普比率", "Sharpe ratio"), *(number(p.sharpe) for p in (mine, other))],
        [both("最大回撤", "Largest drawdown"), *(percent(-p.max_drawdown) for p in (mine, other))],
    ]
    beside_facts = facts(
        [
            (
                both("年化超额", "Excess return a year"),
                coloured(percent(beside.excess_return, sign=True), beside.excess_return),
            ),
            (both("信息比率", "Information ratio"), number(beside.information_ratio)),
            (both("跟踪误差", "Tracking error"), percent(beside.tracking_error)),
            (both("月度胜率", "Months ahead of the market"), percent(beside.hit_rate, 0)),
            (both("年换手（单边）", "Turnover a year, one side"), f"{beside.turnover:.1f}×"),
            (both("持仓数（期末）", "Names held at the end"), number(float(study.run.names[-1]), 0)),
        ]
    )
    return section(
        both("策略与市场", "Strategy and market"),
        text,
        place("equity"),
        f'<div class="pair"><div>{table(head, rows)}</div><div>{beside_facts}</div></div>',
    )


def _months(study: Study) -> str:
    return section(
        both("逐月收益", "Month by month"),
        paragraph(
            "策略每月收益（%），红涨绿跌；悬停可见同月市场收益。",
            "The strategy's return of each month in per cent, red up and green down; hover to see the "
            "market's.",
        ),
        monthly_heatmap(study),
    )


def _costs(study: Study) -> str:
    costs, refused = study.comparison.costs, study.run.refused.sum(axis=0)
    names = {
        "commission": both("佣金", "Commission"),
        "stamp_duty": both("印花税", "Stamp duty"),
        "transfer_fee": both("过户费", "Transfer fee"),
    }
    paid = [
        (names[kind], f"{both(f'{yuan / 1e4:,.1f} 万元', f'¥{yuan:,.0f}')}") for kind, yuan in costs.items()
    ]
    effect = [
        (both("费用拖累（年）", "Costs took, a year"), percent(study.cost_effect, 2)),
        (
            both("涨跌停与停牌拖累（年）", "Limits and suspensions took, a year"),
            percent(study.barrier_effect, 2),
        ),
        (both("成交笔数", "Orders filled"), f"{len(study.run.fills):,}"),
        *((label, f"{int(refused[reason]):,}") for reason, label in _REFUSALS.items()),
    ]
    return section(
        both("交易的代价", "What trading cost"),
        paragraph(
            "佣金 0.025%（每笔最低 5 元）、卖出印花税 0.1%（2023-08-28 起 0.05%）、过户费 "
            "0.001%（2022-04-29 前 0.002%）。"
            "“拖累”是去掉该项限制重新回测后多出的年化收益。",
            "Commission 0.025 % (5 yuan at least), stamp duty 0.1 % on sales (0.05 % since 2023-08-28), "
            "transfer fee "
            "0.001 % (0.002 % before 2022-04-29). What something took is how much more the same strategy "
            "earns a "
            "year without it.",
        ),
        f'<div class="pair"><div>{place("costs")}</div><div>{facts(paid)}{facts(effect)}</div></div>',
    )
