"""What else the reader of a model's report should know."""

from __future__ import annotations

from html import escape

import numpy as np

from quantflux.learning.evaluation import Evaluation, Verdict
from quantflux.learning.report.contents import ModelReport
from quantflux.pages import Words
from quantflux.pages.markup import number, percent

PREDICTS = (Verdict.FOUND, Verdict.COSTS)
"""Verdicts on models that do predict."""

_LOST, _HALF, _SURE = 0.2, 0.5, 2.0
_LEAST = 60


def remarks(report: ModelReport) -> list[Words]:
    """Return what else should be known, the most important first."""
    found = report.evaluation
    made = [
        *_controlled(report),
        *_unsure_gain(found),
        *_lost(found),
        *_fading(found),
        *_overstated(found),
        *_probabilities(found),
        *_leaning(report),
    ]
    if sum(year.days > 0 for year in found.factor.tradable.years.values()) < 3:
        made.append(
            Words(
                "样本外历史不足三个年份：结论不稳。",
                "Fewer than three calendar years out of sample: conclusions are shaky.",
            )
        )
    return made


def _controlled(report: ModelReport) -> list[Words]:
    if report.control is None:
        return []
    luck = report.control.significance
    mean, t_value = number(luck.mean, 4, sign=True), number(luck.t_value, 1)
    if report.control.verdict in PREDICTS:
        return [
            Words(
                f"警告：标签打乱后同样的训练仍“找到” RankIC {mean}（t = {t_value}）：流程里可能有泄漏。",
                f"Beware: with shuffled labels the same training still finds a RankIC of {mean} (t = {t_value}): "
                "something may leak.",
            )
        ]
    return [
        Words(
            f"对照：标签打乱后同样的训练得到 RankIC {mean}（t = {t_value}），与零无异。",
            f"Control: with shuffled labels the same training finds a RankIC of {mean} (t = {t_value}), which is none.",
        )
    ]


def _unsure_gain(found: Evaluation) -> list[Words]:
    if found.top is None or found.verdict is not Verdict.FOUND:
        return []
    t_value = found.top.beside.comparison.excess_t
    if t_value >= _SURE:
        return []
    return [
        Words(
            f"超额收益本身尚不可信（t = {number(t_value, 1)}）：预测有效，但持有的股票太少或时间太短。",
            f"The excess itself is not sure yet (t = {number(t_value, 1)}): the predictions hold, but few names were "
            "held or for too short a time.",
        )
    ]


def _lost(found: Evaluation) -> list[Words]:
    paper, real = found.factor.paper, found.factor.tradable
    if found.verdict not in PREDICTS or not paper.rank_ic_mean > 0:
        return []
    lost = 1 - real.rank_ic_mean / paper.rank_ic_mean
    if lost < _LOST:
        return []
    return [
        Words(
            f"纸面 RankIC 的 {percent(lost, 0)} 交易不到：来自买不进、卖不出或不该买的股票，以及收盘到次日开盘之间。",
            f"{percent(lost, 0)} of the paper RankIC cannot be had: it lies in names that are locked, suspended or not "
            "investable, and between the close and the next open.",
        )
    ]


def _fading(found: Evaluation) -> list[Words]:
    known = found.rank_ic[~np.isnan(found.rank_ic)]
    third = len(known) // 3
    if found.verdict not in PREDICTS or third < _LEAST:
        return []
    early, late = float(known[:third].mean()), float(known[-third:].mean())
    if not late < _HALF * early:
        return []
    return [
        Words(
            f"正在衰减：前三分之一时间的 RankIC 均值为 {number(early, 4, sign=True)}，"
            f"后三分之一只有 {number(late, 4, sign=True)}。",
            f"It is fading: the mean RankIC was {number(early, 4, sign=True)} in the first third of the days and is "
            f"{number(late, 4, sign=True)} in the last.",
        )
    ]


def _overstated(found: Evaluation) -> list[Words]:
    made = found.calibration
    if made is None or found.verdict not in PREDICTS or np.isnan(made.slope_error):
        return []
    if abs(made.slope - 1) <= _SURE * made.slope_error:
        return []
    slope = number(made.slope)
    if made.slope < 1:
        return [
            Words(
                f"预测幅度偏大：每预测 1，实际只来 {slope}。排序可用，数值要打折。",
                f"It promises too much: of every 1 that it predicts {slope} comes. Its order is worth more than its "
                "numbers.",
            )
        ]
    return [
        Words(
            f"预测幅度偏小：每预测 1，实际来 {slope}。",
            f"It promises too little: for every 1 that it predicts {slope} comes.",
        )
    ]


def _probabilities(found: Evaluation) -> list[Words]:
    told = found.reliability
    if told is None or told.log_loss < told.log_loss_of_shares:
        return []
    return [
        Words(
            "概率本身不可用：只报各类平均占比的人，损失更小。",
            "Its probabilities are of no use: who says of every name how often each class comes loses less.",
        )
    ]


def _leaning(report: ModelReport) -> list[Words]:
    if report.explanation is None or not len(report.explanation.names):
        return []
    place = report.explanation.strongest(1)[0]
    share = float(report.explanation.shares[place])
    if share < _HALF:
        return []
    name = escape(report.explanation.names[place])
    return [
        Words(
            f"主要依靠一个特征：{name} 占全部贡献的 {percent(share, 0)}。",
            f"It leans on one feature: {name} is {percent(share, 0)} of all contributions.",
        )
    ]
