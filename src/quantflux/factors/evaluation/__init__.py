"""Is a factor any good, and is what it earns on paper still there when it has to be traded?

1. `forward.py` says what names earn after a signal: on paper, and as one can have it.
2. `judging.py` correlates a factor with that, forms quantiles (`quantiles.py`) and holds them (`portfolios.py`).
3. `evaluator.py` does both ways for factor after factor on one market; `results.py` is what comes out.
4. `verdict.py` says what the figures amount to; `quantflux.factors.report` shows them.
"""

from quantflux.factors.evaluation.evaluator import Evaluator, correlations, evaluate_factor
from quantflux.factors.evaluation.forward import forward_returns, paper_returns
from quantflux.factors.evaluation.plan import EvaluationPlan
from quantflux.factors.evaluation.records import TRADING_DAYS
from quantflux.factors.evaluation.results import Correlations, FactorReport, Variant, Verdict

__all__ = [
    "TRADING_DAYS",
    "Correlations",
    "EvaluationPlan",
    "Evaluator",
    "FactorReport",
    "Variant",
    "Verdict",
    "correlations",
    "evaluate_factor",
    "forward_returns",
    "paper_returns",
]
