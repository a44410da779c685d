"""Fixtures of the scoring tests."""

from tests.scoring.markets import interrupted, market

__all__ = ["interrupted", "market"]
