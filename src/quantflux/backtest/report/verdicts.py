"""The verdict in plain words, and what else the reader should know."""

from __future__ import annotations

import math
from enum import StrEnum

from quantflux.backtest.execution import Rule
from quantflux.backtest.metrics import Luck
from quantflux.backtest.report.texts import RULES, benchmark_in_text, costs_words
from quantflux.backtest.study import Study
from quantflux.factors.evaluation import TRADING_DAYS
from quantflux.pages import Words
from quantflux.pages.markup import DASH, number, percent

SURE = 0.95
"""Probability from which a result is told from chance."""


class Verdict(StrEnum):
    """What a backtest amounts to."""

    CONVINCING = "convincing"
    CHANCE = "chance"
    BEHIND = "behind"
    LOSS = "loss"
    SHORT = "short"


TITLES = {
    Verdict.CONVINCING: Words(
        "跑赢基准，难以归于运气", "Ahead of its benchmark, and chance hardly explains it"
    ),
    Verdict.CHANCE: Words("有收益，但与运气无法区分", "It earned something, but chance could have done that"),
    Verdict.BEHIND: Words("没有跑赢基准", "It did not beat its benchmark"),
    Verdict.LOSS: Words("亏损", "It lost money"),
    Verdict.SHORT: Words("时间太短，无法判断", "Too short to tell"),
}

_ALONE = {
    Verdict.CONVINCING: Words("有收益，难以归于运气", "It earned something, and chance hardly explains it"),
}


def verdict_of(study: Study) -> Verdict:
    """Return the verdict.

    With a benchmark it is the excess return that has to be more than chance, given the number of trials; without one,
    the return itself. Less than a year of days is too short.
    """
    if study.performance.days < TRADING_DAYS:
        return Verdict.SHORT
    if study.performance.total_return <= 0:
        return Verdict.LOSS
    if study.comparison is not None and study.comparison.excess_return <= 0:
        return Verdict.BEHIND
    return Verdict.CONVINCING if _judged(study).deflated >= SURE else Verdict.CHANCE


def title_of(study: Study) -> Words:
    """Return the verdict in a line."""
    found = verdict_of(study)
    return TITLES[found] if study.benchmarks else _ALONE.get(found, TITLES[found])


def reason(study: Study) -> Words:
    """Return why the verdict is what it is, in a sentence or two."""
    own = percent(study.performance.annual_return, sign=True)
    costs = costs_words(study.run.execution)
    earned = Words(f"{costs.zh}年化 {own}", f"{own} a year {costs.en}")
    benchmark = study.benchmark
    if benchmark is not None:
        name, beside = benchmark_in_text(benchmark.name), benchmark.comparison
        other = percent(benchmark.performance.annual_return, sign=True)
        ahead = percent(beside.excess_return, sign=True)
        gap = f"{percent(abs(beside.excess_return))} {'ahead' if beside.excess_return >= 0 else 'behind'}"
        earned = Words(
            f"{earned.zh}，{name.zh} {other}，超额 {ahead}（信息比率 {number(beside.information_ratio)}）",
            f"{earned.en} beside {other} of {name.en}: {gap} (information ratio "
            f"{number(beside.information_ratio)})",
        )
    chance = _judged(study)
    if math.isnan(chance.deflated) or verdict_of(study) in {Verdict.BEHIND, Verdict.LOSS}:
        return Words(f"{earned.zh}。", f"{earned.en}.")
    tried = Words(
        f"计入 {chance.trials} 次试验" if chance.trials > 1 else "按只试验过一次计",
        f"given {chance.trials:,} trials" if chance.trials > 1 else "were this the only trial",
    )
    sure = probability(chance.deflated)
    return Words(
        f"{earned.zh}；{tried.zh}，这不是运气的概率为 {sure}。",
        f"{earned.en}; {tried.en}, the probability that this is not chance is {sure}.",
    )


def remarks(study: Study) -> list[Words]:
    """Return what else the reader should know."""
    return [*_rules(study), *_chance(study), *_other_benchmark(study), *_short(study), *_left_over(study)]


def probability(value: float) -> str:
    """Write a probability without claiming certainty.

    Examples
    --------
    >>> probability(0.9997).split(), probability(0.874)
    (['>', '99.9%'], '87.4%')
    """
    if math.isnan(value):
        return DASH
    if value > 0.999:
        return ">\N{NO-BREAK SPACE}99.9%"
    return "<\N{NO-BREAK SPACE}0.1%" if value < 0.001 else percent(value)


def rule_cost(rule: Rule, cost: float) -> Words:
    """Return what a rule cost, or gave, in words.

    Examples
    --------
    >>> rule_cost(Rule.LIMITS, 0.018).en, rule_cost(Rule.FEES, -0.001).en
    ('Price limits cost 1.80% a year', 'Fees and stamp duty added 0.10% a year')
    """
    name, much = RULES[rule], percent(abs(cost), 2)
    return Words(
        f"{name.zh}每年{'拖累' if cost >= 0 else '增加'} {much}",
        f"{name.en[:1].upper()}{name.en[1:]} {'cost' if cost >= 0 else 'added'} {much} a year",
    )


def _judged(study: Study) -> Luck:
    return study.luck if study.benchmark is None else study.benchmark.luck


def _rules(study: Study) -> list[Words]:
    if study.ladder is None or not study.ladder.rungs:
        return []
    ladder = study.ladder
    gap = ladder.ideal - ladder.real
    most = sorted(ladder.rungs, key=lambda rung: -abs(rung.cost))[:3]
    parts = [rule_cost(rung.rule, rung.cost) for rung in most if abs(rung.cost) >= 5e-5]
    whole = Words(
        f"没有任何交易规则的理想年化为 {percent(ladder.ideal, sign=True)}，实际为 "
        f"{percent(ladder.real, sign=True)}，相差 {percent(gap, 2)}",
        f"Without any rule of the market it would have earned {percent(ladder.ideal, sign=True)} a year, with all "
        f"of them {percent(ladder.real, sign=True)}, {percent(gap, 2)} less",
    )
    if not parts:
        return [Words(f"{whole.zh}。", f"{whole.en}.")]
    listed = [part.en if i == 0 else part.en[:1].lower() + part.en[1:] for i, part in enumerate(parts)]
    return [
        Words(
            f"{whole.zh}。其中{'，'.join(part.zh for part in parts)}。",
            f"{whole.en}. {', '.join(listed)}.",
        )
    ]


def _chance(study: Study) -> list[Words]:
    least = _judged(study).least_days
    if study.performance.days >= least or math.isnan(least) or verdict_of(study) is not Verdict.CHANCE:
        return []
    if math.isinf(least):
        return []
    needed, there = least / TRADING_DAYS, study.performance.days / TRADING_DAYS
    return [
        Words(
            f"要有 95% 的把握，需要这样的记录约 {needed:.1f} 年，现有 {there:.1f} 年。",
            f"To be 95 % sure, about {needed:.1f} years of such a record are needed; there are {there:.1f}.",
        )
    ]


def _other_benchmark(study: Study) -> list[Words]:
    found = []
    for other in study.benchmarks[1:]:
        name, ahead = benchmark_in_text(other.name), other.comparison.excess_return
        found.append(
            Words(
                f"相对{name.zh}每年 {percent(ahead, sign=True)}。",
                f"Beside {name.en} it is {percent(ahead, sign=True)} a year.",
            )
        )
    return found


def _short(study: Study) -> list[Words]:
    if study.performance.days >= 3 * TRADING_DAYS or verdict_of(study) is Verdict.SHORT:
        return []
    return [Words("历史不足三年：结论不稳。", "Less than three years of history: conclusions are shaky.")]


def _left_over(study: Study) -> list[Words]:
    idle = float(study.exposure.cash[1:].mean()) if len(study.exposure.cash) > 1 else 0.0
    if idle < 0.1:
        return []
    return [
        Words(
            f"平均有 {percent(idle, 0)} 的资金闲置。",
            f"On average {percent(idle, 0)} of the account lay idle in cash.",
        )
    ]
