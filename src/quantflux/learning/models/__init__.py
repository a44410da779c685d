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
