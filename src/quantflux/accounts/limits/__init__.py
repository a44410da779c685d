"""How often one may ask, how much work one may start, and where a request comes from."""

from quantflux.accounts.limits.budget import Budget
from quantflux.accounts.limits.kinds import Allowance, Rates, RouteKind
from quantflux.accounts.limits.limiter import RateLimiter
from quantflux.accounts.limits.shared import SharedWindows

__all__ = ["Allowance", "Budget", "RateLimiter", "Rates", "RouteKind", "SharedWindows"]
