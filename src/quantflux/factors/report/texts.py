"""The words of the report's charts in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from quantflux.pages import Words

CHART_WORDS: Mapping[str, Words] = MappingProxyType(
    {
        "paper": Words("纸面", "paper"),
        "tradable": Words("可交易", "tradable"),
        "rank_ic": Words("RankIC", "RankIC"),
        "monthly": Words("月均（可交易）", "monthly mean (tradable)"),
        "cumulative_paper": Words("累计（纸面）", "cumulative (paper)"),
        "cumulative_tradable": Words("累计（可交易）", "cumulative (tradable)"),
        "cumulative": Words("累计 RankIC", "cumulative RankIC"),
        "share_of_days": Words("占天数 %", "% of days"),
        "days_held": Words("持有天数", "days held"),
        "signal_age": Words("信号已过天数", "age of the signal, days"),
        "quantile": Words("分组（1 为最低）", "quantile (1 is the lowest)"),
        "points_a_day": Words("日均超额，基点", "basis points a day"),
        "percent": Words("累计 %", "cumulative %"),
        "drawdown": Words("回撤", "Drawdown"),
        "paper_gross": Words("多空，纸面", "long-short, paper"),
        "tradable_gross": Words("多空，可交易，扣费前", "long-short, tradable, before costs"),
        "tradable_net": Words("多空，可交易，扣费后", "long-short, tradable, after costs"),
        "top_net": Words("最高组超额，扣费后", "top quantile above all, after costs"),
        "net": Words("多空扣费后", "long-short after costs"),
        "new_names": Words("换掉的部分 %", "% new"),
        "correlation": Words("相关系数", "correlation"),
        "lag": Words("间隔天数", "days between"),
        "return_percent": Words("收益 %", "return, %"),
        "coverage": Words("覆盖 %", "coverage, %"),
        "values": Words("因子值", "value of the factor"),
        "count": Words("个数", "count"),
    }
)
"""Texts inside figures; a figure names them as `@key`."""
