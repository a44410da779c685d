"""The words of the report in Chinese and English: what rules, reasons and benchmarks are called, its charts."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from quantflux.backtest.execution import Execution, Fill, Rule
from quantflux.backtest.orders import Reason
from quantflux.pages import Words

RULES: Mapping[Rule, Words] = MappingProxyType(
    {
        Rule.SUSPENSION: Words("停牌", "suspensions"),
        Rule.LIMITS: Words("涨跌停", "price limits"),
        Rule.SETTLEMENT: Words("T+1", "T+1 settlement"),
        Rule.LOTS: Words("整手", "whole lots"),
        Rule.VOLUME: Words("成交量上限", "the volume cap"),
        Rule.SLIPPAGE: Words("滑点与冲击", "slippage and impact"),
        Rule.FEES: Words("税费", "fees and stamp duty"),
        Rule.DIVIDEND_TAX: Words("红利税", "dividend tax"),
    }
)

REASONS: Mapping[Reason, Words] = MappingProxyType(
    {
        Reason.LIMIT_UP: Words("涨停，买不进", "limit-up, could not be bought"),
        Reason.LIMIT_DOWN: Words("跌停，卖不出", "limit-down, could not be sold"),
        Reason.SUSPENDED: Words("停牌", "suspended"),
        Reason.NOT_LISTED: Words("未上市或已退市", "not listed"),
        Reason.SETTLEMENT: Words("T+1，当日买入不能卖", "bought today, T+1"),
        Reason.LOT: Words("不足一手", "less than a lot"),
        Reason.CASH: Words("现金不足", "not enough cash"),
        Reason.VOLUME: Words("超过成交量上限", "more than the volume cap"),
        Reason.PRICE: Words("未到限定价格", "the price asked for was not reached"),
        Reason.NOT_HELD: Words("没有持仓可卖", "nothing held to sell"),
    }
)

FILLS: Mapping[Fill, Words] = MappingProxyType(
    {
        Fill.OPEN: Words("开盘价", "the open"),
        Fill.CLOSE: Words("收盘价", "the close"),
        Fill.VWAP: Words("成交均价（VWAP）", "the volume-weighted mean price (VWAP)"),
    }
)

_NET, _GROSS = Words("扣费后", "after costs"), Words("未扣费", "before costs")

_BENCHMARKS: Mapping[str, Words] = MappingProxyType(
    {
        "equal": Words("等权市场", "Equal-weighted market"),
        "cap": Words("市值加权市场", "Cap-weighted market"),
    }
)

COSTS: Mapping[str, Words] = MappingProxyType(
    {
        "commission": Words("佣金", "commission"),
        "stamp_duty": Words("印花税", "stamp duty"),
        "transfer_fee": Words("过户费", "transfer fee"),
        "slippage": Words("滑点与冲击", "slippage and impact"),
        "dividend_tax": Words("红利税", "dividend tax"),
    }
)

CHART_WORDS: Mapping[str, Words] = MappingProxyType(
    {
        "strategy": Words("策略", "strategy"),
        "net_value": Words("净值", "Net value"),
        "linear": Words("线性", "linear"),
        "log": Words("对数", "log"),
        "excess": Words("相对基准 %", "Ahead of the benchmark, %"),
        "drawdown": Words("回撤", "Drawdown"),
        "sharpe": Words("夏普比率", "Sharpe ratio"),
        "volatility": Words("年化波动", "volatility"),
        "beta": Words("贝塔", "beta"),
        "ideal": Words("理想（无任何规则）", "ideal: no rules"),
        "real": Words("实际", "real"),
        "annual_percent": Words("年化收益 %", "annual return, %"),
        "ten_thousand": Words("万元", "10,000 yuan"),
        "percent_of_account": Words("占账户 %", "% of the account"),
        "invested": Words("持仓", "invested"),
        "cash": Words("现金", "cash"),
        "largest": Words("最大一只", "largest name"),
        "names": Words("只数", "names"),
        "held": Words("持有", "held"),
        "effective": Words("有效只数", "effective number"),
        "no_industry": Words("未知行业", "no industry"),
        "other_industries": Words("其他", "others"),
        "profit_percent": Words("每笔收益 %", "return of a round trip, %"),
        "share_of_trips": Words("占笔数 %", "% of round trips"),
        "trips": Words("往返交易", "round trips"),
        "return_percent": Words("收益 %", "return, %"),
        **{f"rule_{rule}": words for rule, words in RULES.items()},
        **{f"cost_{kind}": words for kind, words in COSTS.items()},
    }
)
"""Texts inside figures; a figure names them as `@key`."""


_IN_TEXT: Mapping[str, Words] = MappingProxyType(
    {
        "equal": Words("等权市场", "the equal-weighted market"),
        "cap": Words("市值加权市场", "the cap-weighted market"),
    }
)


def costs_words(execution: Execution) -> Words:
    """Return whether what was earned is after costs."""
    return _NET if execution.has(Rule.FEES) else _GROSS


def benchmark_words(name: str) -> Words:
    """Return what a benchmark is called: the market by its weights, or its own name."""
    return _BENCHMARKS.get(name, Words(name, name))


def benchmark_in_text(name: str) -> Words:
    """Return what a benchmark is called within a sentence."""
    return _IN_TEXT.get(name, Words(f" {name} ", name))
