"""Families of models behind one way to fit, predict, explain and keep them.

Examples
--------
>>> learner("ridge", "regression", {"alpha": 0.2}, seed=7).request.parameters["alpha"]
0.2
>>> learner("ridge", "ranking", {}, seed=7)
Traceback (most recent call last):
quantflux.core.errors.Unsupported: ridge does not learn ranking, but regression; ranking is learnt by lightgbm, ...
>>> defaults("lightgbm")["num_leaves"]
64
"""

import os

# Threads of OpenMP that wait for work spin unless told otherwise; on a busy machine two of them made training ten times
# slower. The libraries read this once, when they are first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from quantflux.learning.models.contract import TASKS, Learner, Predictor, Pruned
from quantflux.learning.models.families import KINDS, complete, defaults, learner, load, own_name, tasks

__all__ = [
    "KINDS",
    "TASKS",
    "Learner",
    "Predictor",
    "Pruned",
    "complete",
    "defaults",
    "learner",
    "load",
    "own_name",
    "tasks",
]
