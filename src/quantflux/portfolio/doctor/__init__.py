"""The optimiser's doctor: why no portfolio meets all limits, what would have to give, and what a limit costs.

`limits.py` takes constraints apart into limits, `elastic.py` finds the least that has to give, `conflicts.py` names
those that clash, `selection.py` does so for risk beside numbers of names, `diagnosis.py` puts it together; `prices.py`
says what binding limits cost.
"""

from quantflux.portfolio.doctor.conflicts import Clash, Conflict, Remedy
from quantflux.portfolio.doctor.diagnosis import Diagnosis, diagnose
from quantflux.portfolio.doctor.prices import Price, binding_limits, prices

__all__ = ["Clash", "Conflict", "Diagnosis", "Price", "Remedy", "binding_limits", "diagnose", "prices"]
