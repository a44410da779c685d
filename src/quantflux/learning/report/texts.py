"""The words of the report's charts in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from quantflux.pages import Words

CHART_WORDS: Mapping[str, Words] = MappingProxyType(
    {
        "rank_ic": Words("RankIC", "RankIC"),
        "monthly": Words("月均（可交易）", "monthly mean (tradable)"),
        "tradable": Words("可交易", "tradable"),
        "paper": Words("纸面", "paper"),
        "label": Words("与所学标签", "with the label learnt"),
        "control": Words("打乱标签的对照", "control, labels shuffled"),
        "cumulative": Words("累计 RankIC", "cumulative RankIC"),
        "learnt": Words("训练", "learnt from"),
        "tested": Words("测试", "predicted"),
        "fold": Words("折", "fold"),
        "quantile": Words("分组（1 为最低）", "quantile (1 is the lowest)"),
        "points_a_day": Words("日均超额，基点", "basis points a day"),
        "percent": Words("累计 %", "cumulative %"),
        "held": Words("持有最优", "the best held"),
        "everything": Words("等权全体", "all in equal weights"),
        "net_value": Words("净值", "Net value"),
        "excess": Words("超额 %", "excess, %"),
        "predicted": Words("预测", "predicted"),
        "realised": Words("实际", "realised"),
        "perfect": Words("完全准确", "perfect"),
        "line": Words("回归线", "fitted line"),
        "probability": Words("预测概率", "predicted probability"),
        "frequency": Words("实际频率", "how often it came"),
        "raises": Words("越大越看好", "more of it raises the prediction"),
        "lowers": Words("越大越看淡", "more of it lowers the prediction"),
        "depends": Words("视情况而定", "it depends"),
        "share": Words("占比 %", "share, %"),
    }
)
"""Texts inside figures; a figure names them as `@key`."""
