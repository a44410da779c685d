"""Is a model that is in use as good as it was when it was validated, and is another one better?

`health.py` compares live predictions with the validation, day after day; `contest.py` compares two models.
"""

from quantflux.learning.monitoring.contest import Contest, Recommendation, contest_of, paired_rank_ics
from quantflux.learning.monitoring.health import Health, State, Validated, health_of, validated_of

__all__ = [
    "Contest",
    "Health",
    "Recommendation",
    "State",
    "Validated",
    "contest_of",
    "health_of",
    "paired_rank_ics",
    "validated_of",
]
