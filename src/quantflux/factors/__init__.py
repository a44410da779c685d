"""Factors and their evaluation."""

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
    "EvaluationPlan",
    "Evaluator",
    "FactorReport",
    "Industries",
    "Market",
    "Verdict",
    "adjustment",
    "correlations",
    "evaluate_factor",
    "forward_returns",
    "paper_returns",
    "research_panel",
]
