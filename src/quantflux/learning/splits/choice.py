"""Makes the splitter that a model file asks for."""

# ruff: noqa: D102 - the fields of a split are described where files are read

from __future__ import annotations

from typing import Protocol

from quantflux.learning.splits.folds import Splitter
from quantflux.learning.splits.held_out import USUAL_FOLDS, CombinatorialPurged, PurgedKFold
from quantflux.learning.splits.walk_forward import WalkForward


class SplitChoice(Protocol):
    """What a model file says of its split; see `quantflux.learning.specification.SplitSpec`."""

    @property
    def kind(self) -> str:
        """One of `walk_forward`, `purged_kfold`, `combinatorial`."""

    @property
    def train(self) -> int: ...
    @property
    def valid(self) -> int: ...
    @property
    def test(self) -> int: ...
    @property
    def folds(self) -> int | None: ...
    @property
    def expanding(self) -> bool: ...
    @property
    def embargo(self) -> int: ...
    @property
    def groups(self) -> int: ...
    @property
    def tests(self) -> int: ...


def splitter_of(choice: SplitChoice) -> Splitter:
    """Return the splitter that a model file asks for.

    Examples
    --------
    >>> from quantflux.learning.specification import SplitSpec
    >>> splitter_of(SplitSpec(kind="combinatorial", groups=5))
    CombinatorialPurged(groups=5, tests=2, embargo=0)
    """
    if choice.kind == "walk_forward":
        return WalkForward(
            choice.train,
            choice.test,
            choice.valid,
            folds=choice.folds,
            expanding=choice.expanding,
            embargo=choice.embargo,
        )
    if choice.kind == "purged_kfold":
        return PurgedKFold(choice.folds or USUAL_FOLDS, valid=choice.valid, embargo=choice.embargo)
    return CombinatorialPurged(choice.groups, choice.tests, embargo=choice.embargo)
