"""Factors and their evaluation."""

from quantflux.factors.classic import Choice, Factor, choose_factors
from quantflux.factors.evaluation import (
    EvaluationPlan,
    Evaluator,
    FactorReport,
    Verdict,
    correlations,
    evaluate_factor,
    forward_returns,
    paper_returns,
)
from quantflux.factors.inputs import adjustment, research_panel
from quantflux.factors.universe import Industries, Market

__all__ = [
    "Choice",
    "EvaluationPlan",
    "Evaluator",
    "Factor",
    "FactorReport",
    "Industries",
    "Market",
    "Verdict",
    "adjustment",
    "choose_factors",
    "correlations",
    "evaluate_factor",
    "forward_returns",
    "paper_returns",
    "research_panel",
]
