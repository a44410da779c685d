"""Factors and their evaluation."""

from quantflux.factors.classic import Choice, Factor, choose_factors
from quantflux.factors.evaluation import EvaluationPlan, Evaluator, FactorReport
from quantflux.factors.forward import forward_returns, holding_returns, paper_returns
from quantflux.factors.inputs import adjustment, research_panel
from quantflux.factors.universe import Market

__all__ = [
    "Choice",
    "EvaluationPlan",
    "Evaluator",
    "Factor",
    "FactorReport",
    "Market",
    "adjustment",
    "choose_factors",
    "forward_returns",
    "holding_returns",
    "paper_returns",
    "research_panel",
]
