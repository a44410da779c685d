"""The year in which people state returns and risks: 244 trading days, as in evaluations and backtests."""

from __future__ import annotations

TRADING_DAYS = 244
"""The mean of the Chinese exchanges."""

ROOT_OF_YEAR = TRADING_DAYS**0.5
"""What a day's standard deviation is multiplied by; exact only for days that are independent of each other."""
