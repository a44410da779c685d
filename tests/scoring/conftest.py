"""Fixtures of the scoring tests."""

from tests.scoring.markets import market

__all__ = ["market"]
