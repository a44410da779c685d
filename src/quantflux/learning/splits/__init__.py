"""Which days a model learns from, stops by and is tested on, so that no part knows another one's answers.

The span of a cell is from its own day to the day at whose close its label is known. Two parts of a fold are apart if
no span of one meets a span of the other:

1. A splitter leaves out the rows around each part within which labels usually meet (`reach`), and further ones by
   `embargo`, as what follows a test day resembles it.
2. A name that could not be sold has a label that is known later than usual. Single cells are left out for that when
   samples are drawn (`purged`): those that wait into another part, and those of a name whose own label of another part
   waits until then.

So a splitter need only know days, and what it leaves out does not depend on a few names that are stuck.

References
----------
Lopez de Prado (2018), "Advances in Financial Machine Learning", chapters 7 and 12: purging, embargo, combinatorial
cross-validation. There the whole sample is purged by the span of each label, as in step 2.
"""

from quantflux.learning.splits.choice import splitter_of
from quantflux.learning.splits.folds import Fold, Splitter
from quantflux.learning.splits.held_out import CombinatorialPurged, PurgedKFold
from quantflux.learning.splits.purging import purged, samples_of
from quantflux.learning.splits.walk_forward import WalkForward

__all__ = [
    "CombinatorialPurged",
    "Fold",
    "PurgedKFold",
    "Splitter",
    "WalkForward",
    "purged",
    "samples_of",
    "splitter_of",
]
