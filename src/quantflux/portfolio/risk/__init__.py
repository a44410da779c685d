"""Risk models of daily returns, and how well they foretell.

`model.py` holds a covariance. `sample`, `ewma`, `shrunk` and `pca` estimate one from returns alone; `factor_model`
does from styles and industries, for thousands of assets; `bias.py` judges them by what came after.
"""

from quantflux.portfolio.risk.ewma import ewma_risk
from quantflux.portfolio.risk.history import enough_history
from quantflux.portfolio.risk.model import RiskModel
from quantflux.portfolio.risk.pca import statistical_risk
from quantflux.portfolio.risk.sample import sample_risk
from quantflux.portfolio.risk.shrunk import Target, shrunk_risk

__all__ = [
    "RiskModel",
    "Target",
    "enough_history",
    "ewma_risk",
    "sample_risk",
    "shrunk_risk",
    "statistical_risk",
]
