"""What figures amount to, rule by rule; and the judgement of pure noise and of a planted factor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from quantflux.core.panel import Panel
from quantflux.factors import EvaluationPlan, Evaluator, FactorReport, Market, Verdict
from quantflux.factors.evaluation.portfolios import Portfolios
from quantflux.factors.evaluation.verdict import verdict_of
from tests.factors.markets import market_of, random_panel

DAYS, NAMES = 300, 40


@pytest.fixture(scope="module")
def planted() -> tuple[Market, np.ndarray]:
    """A market in which one column of numbers moves tomorrow's prices a little."""
    rng = np.random.default_rng(17)
    signal = rng.normal(size=(DAYS, NAMES))
    moves = rng.normal(0, 0.02, (DAYS, NAMES))
    for later in range(1, 6):
        moves[1 + later :] += 0.0015 * signal[: -1 - later]
    close = 10 * np.cumprod(1 + moves, axis=0)
    base = random_panel(DAYS, NAMES)
    panel = Panel(base.times, base.symbols, dict.fromkeys(("open", "high", "low", "close", "volume"), close))
    return market_of(panel), signal


@pytest.fixture(scope="module")
def report(planted: tuple[Market, np.ndarray]) -> FactorReport:
    market, signal = planted
    return Evaluator(market, EvaluationPlan(decay=(1, 5))).report("planted", signal)


def test_a_planted_factor_works(report: FactorReport) -> None:
    assert report.verdict is Verdict.WORKS
    assert report.tradable.half_life < 5


def test_turned_round_it_is_reversed(planted: tuple[Market, np.ndarray]) -> None:
    market, signal = planted

    assert Evaluator(market, EvaluationPlan(decay=(1, 5))).report("x", -signal).verdict is Verdict.REVERSED


def test_most_noise_is_noise_and_none_of_it_works(planted: tuple[Market, np.ndarray]) -> None:
    evaluator = Evaluator(planted[0], EvaluationPlan(decay=(1, 5)))

    found = [
        evaluator.report("noise", np.random.default_rng(seed).normal(size=(DAYS, NAMES))).verdict
        for seed in range(12)
    ]

    assert found.count(Verdict.NOISE) >= 9
    assert set(found) <= {Verdict.NOISE, Verdict.HINT}


@pytest.mark.parametrize(
    ("paper_t", "tradable_t", "gain", "expected"),
    [
        (8.0, 7.0, 0.001, Verdict.WORKS),
        (8.0, 3.0, 0.00001, Verdict.UNSURE_GAIN),
        (8.0, 7.0, -0.001, Verdict.COSTS),
        (8.0, 1.9, 0.001, Verdict.PAPER_ONLY),
        (8.0, 2.5, 0.001, Verdict.HINT),
        (1.0, 2.5, 0.001, Verdict.HINT),
        (1.0, -2.5, 0.001, Verdict.HINT),
        (-5.0, -3.0, 0.001, Verdict.REVERSED),
        (1.9, -1.9, 0.001, Verdict.NOISE),
        (9.0, float("nan"), 0.001, Verdict.UNKNOWN),
    ],
)
def test_the_rules(
    report: FactorReport, paper_t: float, tradable_t: float, gain: float, expected: Verdict
) -> None:
    swing = np.random.default_rng(0).normal(0, 0.005, DAYS)
    swing -= swing.mean()
    book = Portfolios(
        returns=np.stack([np.zeros(DAYS), gain + swing], axis=1),
        costs=np.zeros((DAYS, 2)),
        bought=np.zeros((DAYS, 2)),
    )
    paper = replace(report.paper, t_value=paper_t)
    tradable = replace(report.tradable, t_value=tradable_t, portfolios=book)

    assert verdict_of(paper, tradable) is expected


def test_two_months_are_too_little(report: FactorReport) -> None:
    short = np.full(DAYS, np.nan)
    short[:59] = 0.5

    assert verdict_of(report.paper, replace(report.tradable, rank_ic=short)) is Verdict.UNKNOWN
