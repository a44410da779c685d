"""Every word of the report in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from quantflux.pages import Words

FACTOR_NAMES: Mapping[str, Words] = MappingProxyType(
    {
        "reversal_20": Words("20 日反转", "20-day reversal"),
        "momentum_12_1": Words("12-1 月动量", "12-1 month momentum"),
        "momentum_6_1": Words("6-1 月动量", "6-1 month momentum"),
        "volatility_20": Words("20 日低波动", "20-day low volatility"),
        "low_turnover": Words("低换手", "Low turnover"),
        "illiquidity_20": Words("Amihud 非流动性", "Amihud illiquidity"),
        "price_volume_20": Words("量价背离", "Price-volume divergence"),
        "size": Words("小市值", "Small size"),
        "small_value_traded_20": Words("小成交额", "Small value traded"),
        "value": Words("价值（账面市值比）", "Value (book-to-price)"),
    }
)

FACTOR_WORDS: Mapping[str, Words] = MappingProxyType(
    {
        "reversal_20": Words("过去 20 日跌得多的更好", "what fell over 20 days is better"),
        "momentum_12_1": Words(
            "过去一年（不含最近一月）涨得多的更好", "what rose over a year, last month left out, is better"
        ),
        "momentum_6_1": Words(
            "过去半年（不含最近一月）涨得多的更好",
            "what rose over half a year, last month left out, is better",
        ),
        "volatility_20": Words("近 20 日波动小的更好", "calm over 20 days is better"),
        "low_turnover": Words("近 20 日换手低的更好", "little traded over 20 days is better"),
        "illiquidity_20": Words(
            "每元成交推动价格越多越好", "a price that moves more per yuan traded is better"
        ),
        "price_volume_20": Words("价格与成交量越不同步越好", "price and volume out of step is better"),
        "size": Words("总市值小的更好", "small companies are better"),
        "small_value_traded_20": Words(
            "日均成交额小的更好（市值的替代）", "little value traded is better (stands in for size)"
        ),
        "value": Words("每元股价对应的净资产越多越好", "more book value per yuan of price is better"),
    }
)

NOTES: Mapping[str, Words] = MappingProxyType(
    {
        "short_history": Words(
            "历史不足三年：t 值普遍偏小，回测结果多半是运气，不宜下结论。",
            "Less than three years of history: t-values stay small and the backtest is mostly luck; "
            "conclude nothing.",
        ),
        "already_adjusted": Words(
            "价格是供应商复权后的（不是整分），或没有复权因子：涨跌停按收益率近似判断，整手按复权价计算，"
            "均为近似。",
            "Prices were adjusted by the vendor (they are no whole cents), or have no adjustment factor: "
            "limits "
            "are judged from returns and lots from adjusted prices, both approximations.",
        ),
        "no_instruments": Words(
            "数据没有证券状态：无法识别 ST，ST 股按所在板块的涨跌停幅度判断。",
            "The data do not say who was under special treatment (ST): such names are judged by their "
            "board's limit.",
        ),
        "no_basics": Words(
            "数据没有换手率、市值、市净率：相应因子用替代指标或省略。",
            "The data have no turnover rate, market value or price-to-book: such factors are replaced or "
            "left out.",
        ),
        "no_amount": Words(
            "数据没有成交额：以典型价 × 成交量估计。",
            "The data have no amounts: value traded is estimated as typical price times volume.",
        ),
    }
)

PORTFOLIO_NOTES: Mapping[str, Words] = MappingProxyType(
    {
        "shrunk_risk": Words(
            "数据缺少行业、市值、足够的股票或足够长的历史，无法估计因子风险模型：改用收缩协方差（Ledoit–Wolf）。",
            "Without industries, capitalisations, enough names and enough days there is no factor risk model: a shrunk "
            "covariance (Ledoit and Wolf) stands in.",
        ),
        "statistical_risk": Words(
            "数据缺少行业、市值、足够的股票或足够长的历史，无法估计因子风险模型：改用主成分风险模型。",
            "Without industries, capitalisations, enough names and enough days there is no factor risk model: "
            "principal components stand in.",
        ),
        "no_industry_bounds": Words(
            "数据没有行业：不设行业约束。", "The data know no industries: they are not limited."
        ),
        "equal_benchmark": Words(
            "没有市值，或在市值加权基准下约束无解：以等权组合为基准。",
            "Without capitalisations, or because the limits cannot hold beside a benchmark weighted by them, the "
            "benchmark has equal weights.",
        ),
    }
)

_CHART_WORDS = {
    "lowest": Words("最低 20%", "lowest 20 %"),
    "highest": Words("最高 20%", "highest 20 %"),
    "quantile": Words("第", "Q"),
    "horizon_days": Words("持有天数", "days held"),
    "rank_ic": Words("RankIC", "RankIC"),
    "traded": Words("有成交的股票", "names traded"),
    "suspended": Words("停牌", "suspended"),
    "opened_up": Words("涨停开盘", "opened limit-up"),
    "opened_down": Words("跌停开盘", "opened limit-down"),
    "per_month": Words("每月次数", "a month"),
    "names": Words("只", "names"),
    "share_of_day": Words("占全天成交量 %", "% of the day's volume"),
    "price": Words("价格（元）", "price (yuan)"),
    "volume": Words("成交量", "volume"),
    "model": Words("模型", "model"),
    "shuffled": Words("打乱标签", "shuffled labels"),
    "running_ic": Words("累计 RankIC", "cumulative RankIC"),
}

CHART_WORDS: Mapping[str, Words] = MappingProxyType(
    _CHART_WORDS | {f"factor_{name}": words for name, words in FACTOR_NAMES.items()}
)
"""Texts inside figures; a figure names them as `@key`."""
