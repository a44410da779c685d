"""Fixtures of the portfolio tests."""

from tests.portfolio.markets import market, market_folder

__all__ = ["market", "market_folder"]
