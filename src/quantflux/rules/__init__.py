"""What the exchanges allow and charge, by board and date: price limits, special treatment, lots, fees."""

from quantflux.rules.fees import Commission, FeeRates, fee_rates
from quantflux.rules.limits import (
    OpenLocks,
    PriceLimits,
    are_raw,
    locked_at_open,
    price_limits,
    reference_prices,
)
from quantflux.rules.lots import LotRule, lots_of
from quantflux.rules.settlement import settlement_days
from quantflux.rules.status import special_treatment

__all__ = [
    "Commission",
    "FeeRates",
    "LotRule",
    "OpenLocks",
    "PriceLimits",
    "are_raw",
    "fee_rates",
    "locked_at_open",
    "lots_of",
    "price_limits",
    "reference_prices",
    "settlement_days",
    "special_treatment",
]
