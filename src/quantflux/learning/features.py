"""What a model sees of a name at the close of a day: factors and expressions, and how they are told across the day.

Steps across the names of a day become part of the expression, so that what a model sees is stored, explained and
computed for a new day in one way: that of factors.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby

import numpy as np

from quantflux.core.errors import InvalidRequest, NotFound
from quantflux.expressions.functions import (
    group_demean,
    group_neutralize,
    log,
    mask,
    neutralize,
    rank,
    winsorize,
    zscore,
)
from quantflux.expressions.labels import horizon_of
from quantflux.expressions.nodes import Field, Node, fields_of
from quantflux.expressions.text import to_text
from quantflux.factors.fields import catalogue
from quantflux.factors.formula import formula
from quantflux.factors.registry import FactorRegistry
from quantflux.factors.stored import StoredValues
from quantflux.learning.specification import FeatureSpec

_TRADED, _INDUSTRY, _SIZE = Field("close"), Field("industry"), log(Field("cap"))


def feature_expressions(
    registry: FactorRegistry, spec: FeatureSpec, left_out: Collection[str] = ()
) -> dict[str, Node]:
    """Return the features by name: a factor keeps its id, an expression is called by its canonical text.

    All are missing where the symbol did not trade, and the day's steps are taken among the names that did:

    * `winsorise`: cut off at the day's quantiles 1 % and 99 %;
    * `standardise`: distance from the day's mean in sample standard deviations;
    * `rank`: from 1 / count to 1;
    * `neutralise:industry`: distance from the industry's mean;
    * `neutralise:size`: what a regression on the logarithm of the market value leaves. Beside the step by industry,
      there is one regression on both, as the second of two would bring back some of what the first took away.

    Parameters
    ----------
    registry : FactorRegistry
    spec : FeatureSpec
    left_out : collection of str
        Factors of libraries that are not wanted, such as `FactorEngine.left_out`. One that is named itself is kept.

    Raises
    ------
    NotFound
        If a name is unknown, or nothing is left.
    InvalidRequest
        If a text is no expression, reads no field or looks ahead, or two factors have one name.
    """
    found: dict[str, Node] = {}
    for name, node in _meant(registry, spec.names, left_out):
        if found.setdefault(name, node) is not node:
            raise InvalidRequest(
                f"features.names: two features would be called {name}; write one of them as an expression"
            )
    if not found:
        raise NotFound(f"features.names: nothing is left of {', '.join(spec.names)} that the data allow")
    expressions = {name: _across(mask(node, _TRADED), spec.daily) for name, node in found.items()}
    for name, node in expressions.items():
        if ahead := horizon_of(node):
            raise InvalidRequest(f"features.names: {name} looks {ahead} rows ahead; a model cannot see them")
    return expressions


class StoredFeatures:
    """Stored values as the features of a data set.

    Parameters
    ----------
    values : StoredValues
    days : array of datetime64[D], shape (T,)
    symbols : array of str, shape (N,)
        The data set's axes. They may name days on which nothing was traded that has features, such as one of an index
        alone: only asking for a cell there is refused.
    """

    def __init__(self, values: StoredValues, days: np.ndarray, symbols: np.ndarray) -> None:
        self._values = values
        self._days, self._symbols = days, symbols
        self._rows = _places(values.days, days.astype(values.days.dtype))
        self._columns = _places(np.array(values.symbols, dtype=np.str_), symbols)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features, in their order."""
        return self._values.names

    def gather(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return the features of some cells, sorted by row: float32, shape (K, F).

        Raises
        ------
        NotFound
            If nothing is stored of a cell's day or symbol.
        """
        row, column = self._rows[rows], self._columns[columns]
        unknown = np.flatnonzero((row < 0) | (column < 0))
        if len(unknown):
            first = unknown[0]
            raise NotFound(
                f"no features are stored of {self._symbols[columns[first]]} on {self._days[rows[first]]}, nor of "
                f"{len(unknown) - 1} more of {len(row)} cells"
            )
        return self._values.cells(row, column)


def _meant(
    registry: FactorRegistry, names: Sequence[str], left_out: Collection[str]
) -> Iterator[tuple[str, Node]]:
    """Yield name and expression of each feature, of some twice."""
    for text in names:
        if text in registry.libraries():
            yield from ((f.id, f.node) for f in registry.library(text) if f.id not in left_out)
            continue
        node = formula(registry, text, "features.names").node
        if not fields_of(node):
            raise InvalidRequest(f"features.names: {text!r:.80} reads no field, so it is the same everywhere")
        is_factor = text.replace(".", "").isidentifier() and text not in catalogue()
        yield (text.rpartition(".")[2] if is_factor else to_text(node)), node


def _across(node: Node, steps: Sequence[str]) -> Node:
    for kind, several in groupby(steps, key=lambda step: step.partition(":")[0]):
        if kind == "neutralise":
            node = _neutral(node, {step.partition(":")[2] for step in several})
            continue
        for step in several:
            node = {"winsorise": winsorize, "standardise": zscore, "rank": rank}[step](node)
    return node


def _neutral(node: Node, exposures: Collection[str]) -> Node:
    if "size" not in exposures:
        return group_demean(node, _INDUSTRY)
    return group_neutralize(node, _INDUSTRY, _SIZE) if "industry" in exposures else neutralize(node, _SIZE)


def _places(known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return where each is among the known ones, which are sorted; -1 for those that are not."""
    if not len(known):
        return np.full(len(wanted), -1)
    places = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.where(known[places] == wanted, places, -1)
