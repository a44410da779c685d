"""Finds better parameters of a model, and says how much of what they promise is luck.

`tune` searches; `search.py` is the way it goes.
"""

from quantflux.learning.tuning.results import Trial, TuningResult
from quantflux.learning.tuning.search import Hooks, tune
from quantflux.learning.tuning.spaces import Options, Range, Space, space_of

__all__ = ["Hooks", "Options", "Range", "Space", "Trial", "TuningResult", "space_of", "tune"]
