"""The verdict in plain words, and what else the reader should know."""

from __future__ import annotations

import math

import numpy as np

from quantflux.factors.evaluation import FactorReport, Verdict
from quantflux.pages import Words
from quantflux.pages.markup import number, percent

TITLES = {
    Verdict.WORKS: Words("有效，扣费后仍有收益", "It works, and the gain survives trading"),
    Verdict.UNSURE_GAIN: Words(
        "有预测力，但扣费后的收益不确定", "It predicts, but what is left after costs is unsure"
    ),
    Verdict.COSTS: Words("有预测力，但收益不够支付费用", "It predicts, but costs eat it"),
    Verdict.PAPER_ONLY: Words("只在纸面上有效", "It works on paper only"),
    Verdict.REVERSED: Words("方向相反：取负号才有预测力", "It points the wrong way: its negative predicts"),
    Verdict.HINT: Words("只是迹象，不足为凭", "A hint, not more"),
    Verdict.NOISE: Words("噪声：与碰运气无法区分", "Noise: nothing here can be told from chance"),
    Verdict.UNKNOWN: Words("数据太少，无法判断", "Too little to tell"),
}

PREDICTS = (Verdict.WORKS, Verdict.UNSURE_GAIN, Verdict.COSTS)
"""Verdicts on factors that do predict."""

_ALIKE, _HALF = 0.7, 0.5


def reason(report: FactorReport) -> Words:
    """Return why the verdict is what it is, in a sentence or two."""
    paper, real = report.paper, report.tradable
    book = real.portfolios
    ic = Words(
        f"可交易 RankIC 均值 {_ic(real.rank_ic_mean)}（t = {number(real.t_value, 1)}）",
        f"Mean tradable RankIC {_ic(real.rank_ic_mean)} (t = {number(real.t_value, 1)})",
    )
    on_paper = Words(
        f"纸面 {_ic(paper.rank_ic_mean)}（t = {number(paper.t_value, 1)}）",
        f"on paper {_ic(paper.rank_ic_mean)} (t = {number(paper.t_value, 1)})",
    )
    gross, net = _rate(book.gross.annual), _rate(book.net.annual)
    if report.verdict is Verdict.UNKNOWN:
        return Words(
            "有足够股票可比较的交易日少于 60 天。", "Fewer than 60 days have enough names to compare."
        )
    if report.verdict in PREDICTS:
        sure = number(book.net.t_value, 1)
        return Words(
            f"{ic.zh}；多空组合扣费前年化 {gross}，扣费后 {net}（t = {sure}）。",
            f"{ic.en}; long-short earns {gross} a year before costs and {net} after (t = {sure}).",
        )
    if report.verdict is Verdict.PAPER_ONLY:
        left = f"{_ic(real.rank_ic_mean)}"
        return Words(
            f"{on_paper.zh}，换成买得进、卖得出的股票后只剩 {left}（t = {number(real.t_value, 1)}）。",
            f"The RankIC is {on_paper.en}, and {left} (t = {number(real.t_value, 1)}) among names that can be "
            "bought and sold.",
        )
    if report.verdict is Verdict.NOISE:
        return Words(
            f"{ic.zh}，{on_paper.zh}，两个 t 值的绝对值都不到 2。",
            f"{ic.en}, {on_paper.en}: both t-values are within 2 of zero.",
        )
    if report.verdict is Verdict.REVERSED:
        return Words(
            f"{ic.zh}，{on_paper.zh}。检验取负后的因子，以得到其费用与收益。",
            f"{ic.en}, {on_paper.en}. Judge the negative to see its costs and gains.",
        )
    return Words(
        f"{ic.zh}，{on_paper.zh}。t 值 2 到 3 之间不算可信：试二十个无用的因子，就会有一个碰巧如此。",
        f"{ic.en}, {on_paper.en}. Between 2 and 3 a t-value proves little: of twenty useless factors one gets there by "
        "luck.",
    )


def remarks(report: FactorReport) -> list[Words]:
    """Return what else the reader should know."""
    found = [*_lost(report), *_fading(report), *_industries(report), *_alike(report), *_long_only(report)]
    if not report.tradable.years or len(report.tradable.years) < 3:
        found.append(
            Words(
                "历史不足三年：结论不稳。",
                "Less than three calendar years of history: conclusions are shaky.",
            )
        )
    return found


def _lost(report: FactorReport) -> list[Words]:
    paper, real = report.paper, report.tradable
    if not abs(paper.t_value) >= 3 or real.rank_ic_mean / paper.rank_ic_mean > 1 - 0.2:
        return []
    lost = percent(1 - real.rank_ic_mean / paper.rank_ic_mean, 0)
    return [
        Words(
            f"纸面 RankIC 的 {lost} 交易不到：来自买不进、卖不出或不该买的股票，以及收盘到次日开盘之间。",
            f"{lost} of the paper RankIC cannot be had: it lies in names that are locked, suspended or not investable, "
            "and between the close and the next open.",
        )
    ]


def _fading(report: FactorReport) -> list[Words]:
    ics = report.tradable.rank_ic[~np.isnan(report.tradable.rank_ic)]
    third = len(ics) // 3
    if report.verdict not in PREDICTS or third < 60:
        return []
    early, late = float(ics[:third].mean()), float(ics[-third:].mean())
    if not late < _HALF * early:
        return []
    return [
        Words(
            f"正在衰减：前三分之一时间的 RankIC 均值为 {_ic(early)}，后三分之一只有 {_ic(late)}。",
            f"It is fading: the mean RankIC was {_ic(early)} in the first third of the days and is {_ic(late)} in the "
            "last.",
        )
    ]


def _industries(report: FactorReport) -> list[Words]:
    real = report.tradable
    within = real.within_industries
    if report.verdict not in PREDICTS or math.isnan(within) or within > _HALF * real.rank_ic_mean:
        return []
    return [
        Words(
            f"多半是行业的选择：行业内的 RankIC 只有 {_ic(within)}。",
            f"Most of it is a choice of industries: within them the RankIC is {_ic(within)}.",
        )
    ]


def _alike(report: FactorReport) -> list[Words]:
    closest = report.correlations.closest if report.correlations is not None else None
    if closest is None or abs(closest[1]) < _ALIKE:
        return []
    name, value = closest
    return [
        Words(
            f"与 {name} 大体是同一个因子：秩相关 {number(value, 2, sign=True)}。",
            f"It is largely the same factor as {name}: rank correlation {number(value, 2, sign=True)}.",
        )
    ]


def _long_only(report: FactorReport) -> list[Words]:
    if report.verdict not in PREDICTS:
        return []
    excess = _rate(report.tradable.portfolios.excess.annual)
    return [
        Words(
            f"只做多最高组、不融券：扣费后每年比全体多 {excess}。",
            f"Holding the top quantile alone, without selling short: {excess} a year above all names, after costs.",
        )
    ]


def _ic(value: float) -> str:
    return number(value, 4, sign=True)


def _rate(value: float) -> str:
    return percent(value, sign=True)
