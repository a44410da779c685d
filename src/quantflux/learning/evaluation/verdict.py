"""What the figures of a model amount to, in a word and in a sentence.

A model that knows nothing is called found once in a hundred times, whatever its days overlap and however many models
it was picked from: the t-value that is asked for grows with both (see `significance.py`). It is as often called
reversed.
"""

from __future__ import annotations

import math

from quantflux.learning.evaluation.results import Evaluation, Verdict
from quantflux.learning.evaluation.significance import Significance
from quantflux.pages import Words
from quantflux.pages.markup import number, percent

LEVEL = 0.01
"""Probability with which a model that knows nothing is called found."""

LEAST_DAYS = 60
"""Days with a RankIC, below which nothing is said."""

TITLES = {
    Verdict.FOUND: Words("找到了：预测有效", "Found: the predictions hold"),
    Verdict.COSTS: Words("找到了，但交易的费用更高", "Found, but trading it costs more than it earns"),
    Verdict.REVERSED: Words("方向相反：取负号才有预测力", "Found the wrong way round: the negative predicts"),
    Verdict.NOISE: Words("噪声：与碰运气无法区分", "Noise: nothing here can be told from chance"),
    Verdict.UNKNOWN: Words("数据太少，无法判断", "Too little to tell"),
}


def verdict_of(found: Significance, gain: float, level: float = LEVEL) -> Verdict:
    """Return what a RankIC and a gain amount to.

    1. `UNKNOWN` with fewer than 60 days, or without a t-value.
    2. `NOISE` unless chance alone would bring so large a mean with a probability of at most `level`, on either side.
    3. `REVERSED` if it is below zero. Else `FOUND` if what it earns after costs is above zero, and `COSTS` if not.

    Parameters
    ----------
    found : Significance
        Of the mean tradable RankIC.
    gain : float
        What is left after costs beyond the market, a year; NaN counts as nothing.
    level : float
    """
    if found.count < LEAST_DAYS or math.isnan(found.t_value):
        return Verdict.UNKNOWN
    if found.below <= level:
        return Verdict.REVERSED
    if found.above > level:
        return Verdict.NOISE
    return Verdict.FOUND if gain > 0 else Verdict.COSTS


def reason_of(evaluation: Evaluation) -> Words:
    """Return why the verdict is what it is, in a sentence or two."""
    found, verdict = evaluation.significance, evaluation.verdict
    if verdict is Verdict.UNKNOWN:
        return Words(
            f"有 RankIC 的交易日只有 {found.count} 天，不足 {LEAST_DAYS} 天，或每天都一样。",
            f"{found.count} days have a RankIC: fewer than {LEAST_DAYS}, or all of them the same.",
        )
    mean, t_value = number(found.mean, 4, sign=True), number(found.t_value, 1)
    needed = number(found.needed(evaluation.level), 1)
    of_many = found.trials > 1
    said = Words(
        f"{found.count} 个样本外交易日的可交易 RankIC 均值为 {mean}，t = {t_value}",
        f"The mean tradable RankIC of {found.count} days out of sample is {mean}, t = {t_value}",
    )
    picked = Words(
        f"（从 {found.trials} 个模型中选出）" if of_many else "",
        f" for the best of {found.trials} models" if of_many else "",
    )
    if verdict is Verdict.NOISE:
        return Words(
            f"{said.zh}；没有任何预测力的模型{picked.zh}也有 {evaluation.level:.0%} 的机会超过 {needed}，"
            "所以至少要达到这个值才算找到。",
            f"{said.en}; {needed} would be needed, which a model that knows nothing exceeds with a probability of "
            f"{evaluation.level:.0%}{picked.en}.",
        )
    if verdict is Verdict.REVERSED:
        return Words(
            f"{said.zh}：低于 −{needed}，靠运气很难如此{picked.zh}。检查标签和方向。",
            f"{said.en}, below -{needed}: chance hardly does that{picked.en}. Look at the label and its sign.",
        )
    return Words(
        f"{said.zh}，超过所需的 {needed}{picked.zh}。{_money(evaluation).zh}",
        f"{said.en}, above the {needed} needed{picked.en}. {_money(evaluation).en}",
    )


def _money(evaluation: Evaluation) -> Words:
    held = evaluation.top
    if held is None:
        excess = percent(evaluation.factor.tradable.portfolios.excess.annual, sign=True)
        return Words(
            f"最高组扣费后每年比全体多 {excess}。",
            f"The top quantile earns {excess} a year beyond all names, after costs.",
        )
    beside = held.beside.comparison
    excess, sure = percent(beside.excess_return, sign=True), number(beside.excess_t, 1)
    return Words(
        f"持有前 {held.top} 名，扣除全部费用、遵守全部规则，每年比等权全体多 {excess}（t = {sure}）。",
        f"Holding the best {held.top} under all rules earned {excess} a year beyond all names in equal weights, after "
        f"costs (t = {sure}).",
    )
