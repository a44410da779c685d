"""Risk models of daily returns, and how well they foretell."""

from quantflux.portfolio.risk.model import RiskModel

__all__ = ["RiskModel"]
