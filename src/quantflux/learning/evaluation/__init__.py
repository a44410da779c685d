"""Is a model any good on days that it had not seen, and is what it earns still there under the rules of the market?

`judge` says so of predictions; `judging.py` is the way it goes.
"""

from quantflux.learning.evaluation.calibration import Calibration, Groups, Reliability
from quantflux.learning.evaluation.judging import judge, rank_ic_by_day
from quantflux.learning.evaluation.results import Evaluation, Verdict
from quantflux.learning.evaluation.significance import Significance, long_run_deviation, significance_of
from quantflux.learning.evaluation.top import TopHeld, TopPlan, hold_top
from quantflux.learning.evaluation.verdict import LEVEL, TITLES, reason_of, verdict_of

__all__ = [
    "LEVEL",
    "TITLES",
    "Calibration",
    "Evaluation",
    "Groups",
    "Reliability",
    "Significance",
    "TopHeld",
    "TopPlan",
    "Verdict",
    "hold_top",
    "judge",
    "long_run_deviation",
    "rank_ic_by_day",
    "reason_of",
    "significance_of",
    "verdict_of",
]
