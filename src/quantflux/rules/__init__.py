"""The rule book: what the exchanges allow and charge, by board and date.

Prices (limits, ticks, cages), quantities (lots), time (sessions, settlement) and money (fees, dividend tax). The rules
are dated tables beside these modules, and every row names its source; `book` shows those in force on a day.
"""

from quantflux.rules.dividend_tax import dividend_tax_rates, tax_rate
from quantflux.rules.fees import Commission, FeeRates, fee_rates
from quantflux.rules.limits import (
    OpenLocks,
    PriceLimits,
    are_raw,
    limit_ratios,
    locked_at_open,
    price_limits,
    reference_prices,
)
from quantflux.rules.lots import LotRule, largest_orders, lots_of
from quantflux.rules.price_cage import PriceCage, price_cage
from quantflux.rules.sessions import Sessions, sessions_of
from quantflux.rules.settlement import settlement_days
from quantflux.rules.status import Standing, delisting_period, special_treatment
from quantflux.rules.ticks import ticks_of

__all__ = [
    "Commission",
    "FeeRates",
    "LotRule",
    "OpenLocks",
    "PriceCage",
    "PriceLimits",
    "Sessions",
    "Standing",
    "are_raw",
    "delisting_period",
    "dividend_tax_rates",
    "fee_rates",
    "largest_orders",
    "limit_ratios",
    "locked_at_open",
    "lots_of",
    "price_cage",
    "price_limits",
    "reference_prices",
    "sessions_of",
    "settlement_days",
    "special_treatment",
    "tax_rate",
    "ticks_of",
]
