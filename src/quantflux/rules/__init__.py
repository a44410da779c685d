"""What the exchanges allow and charge, by board and date: price limits, special treatment, lots, fees."""

from quantflux.rules.fees import Commission, FeeRates, fee_rates
from quantflux.rules.limits import OpenLocks, are_raw, locked_at_open
from quantflux.rules.lots import LotRule, lots_of
from quantflux.rules.status import special_treatment

__all__ = [
    "Commission",
    "FeeRates",
    "LotRule",
    "OpenLocks",
    "are_raw",
    "fee_rates",
    "locked_at_open",
    "lots_of",
    "special_treatment",
]
