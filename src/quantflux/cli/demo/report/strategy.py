"""The sections about the backtest: some of those of a backtest's own report."""

from __future__ import annotations

from quantflux.backtest.report.notes import notes_section
from quantflux.backtest.report.sections import (
    costs_section,
    luck_section,
    months_section,
    result_section,
    rules_section,
)
from quantflux.backtest.study import Study
from quantflux.pages.markup import both, paragraph, section

STRATEGY_FIGURES = ("equity", "excess", "drawdown", "ladder", "costs")
"""Charts of the backtest's report that these sections show."""


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
    lead = paragraph(
        "每月最后一个交易日收盘后，把全部因子的名次等权平均，买入得分最高的 20%，次日开盘成交。"
        "基准是同一批可投资股票的等权组合，按同样的日期和开盘价调仓，同样受停牌与涨跌停限制，但不计费用与整手。",
        "After the last close of each month the ranks of all factors are averaged with equal weights, and the best "
        "20 % of the names are bought at the next open. The benchmark holds all investable names in equal weights, "
        "rebalanced on the same days at the same opens, with the same suspensions and limits, free of costs and lots.",
    )
    parts = [
        result_section(study, lead),
        months_section(study),
        rules_section(study),
        costs_section(study),
        luck_section(study),
        notes_section(study),
    ]
    return "".join(parts)
