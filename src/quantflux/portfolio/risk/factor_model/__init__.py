"""A factor risk model of styles and industries, in the manner of Barra, estimated from our own data.

`market.py` holds what it is estimated from, `model.py` fits it and gives risk models at a close. Its kernels are slow
to import, so the package above does not import this one.
"""

from quantflux.portfolio.risk.factor_model.factor_covariance import CovarianceRule
from quantflux.portfolio.risk.factor_model.market import RiskInputs, StyleArrays, StyleSource
from quantflux.portfolio.risk.factor_model.model import FactorModel
from quantflux.portfolio.risk.factor_model.regression import FactorReturns, regress
from quantflux.portfolio.risk.factor_model.specific import SpecificRule

__all__ = [
    "CovarianceRule",
    "FactorModel",
    "FactorReturns",
    "RiskInputs",
    "SpecificRule",
    "StyleArrays",
    "StyleSource",
    "regress",
]
