"""Brings a model's description and the data together: the cells to learn from, and the features of a single day.

1. Features and universe are expressions, stored and kept up to date as factors are (`features`, `_Universe`).
2. The market of the span gives days and names, who was investable, and what could be earned (`load_market`).
3. A cell is learnt from if the name was investable at the close of the day, is in the universe, and its label became
   known within the span (`_dataset`).
4. If a dataset was written to meanwhile, all is done again, so that features, labels and versions are of one state.

A prediction is made of one row of the same stored values (`today`): a value of a day depends on that day and the ones
before it alone, whatever is stored behind them. (Sums across a day are taken by turns of columns, so that a name which
is listed later can move the last of their sixteen digits. It tells nothing, and float32 hides nearly all of it.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache, partial

import numpy as np

from quantflux.core.errors import InvalidRequest, NotFound, VersionConflict
from quantflux.core.panel import Panel
from quantflux.data.access import DataAccessLayer
from quantflux.data.contract import Query
from quantflux.data.schema import DAILY, INSTRUMENTS
from quantflux.expressions.nodes import Node, fields_of
from quantflux.expressions.text import parse, to_text
from quantflux.factors.engine import FactorEngine
from quantflux.factors.fields import catalogue, load_fields
from quantflux.factors.formula import formula
from quantflux.factors.market_data import MarketData, load_market
from quantflux.factors.stored import Hooks, StoredValues
from quantflux.factors.universe import SEASONED_AFTER, is_seasoned
from quantflux.learning.features import StoredFeatures, feature_expressions
from quantflux.learning.labels import Labels, make_labels
from quantflux.learning.samples import Dataset
from quantflux.learning.specification import FeatureSpec, LabelSpec, ModelSpec, UniverseSpec, WeightSpec
from quantflux.learning.weights import balanced, decayed, within_days
from quantflux.rules import special_treatment

_ATTEMPTS = 3
_WRITTEN_TO = f"the data were written to during each of {_ATTEMPTS} attempts to read them; try again later"
_RECENT = timedelta(days=250)  # within which nearly every name has traded on as many days as make it seasoned


@dataclass(frozen=True, eq=False)
class Assembled:
    """A data set with what it was made from, and what predicting takes.

    Attributes
    ----------
    dataset : Dataset
    market : MarketData
        On the data set's axes: the days of the span.
    chosen : array of bool, shape (T, N)
        The names that one could choose at the close of each day: investable and in the universe, whether or not their
        label ever became known.
    labels : Labels
        Of all names that have one, described by those of `chosen`.
    versions : dict of str to int
        The version of each dataset that was read.
    expressions, digests : dict of str to str
        Canonical text and digest of each feature, in their order. Names of factors are resolved: a factor that is
        defined anew does not change what a model sees.
    where : str or None
        The universe's condition likewise.
    label : LabelSpec
        The label, its expression likewise.
    notes : tuple of str
        What a reader should know: features left out, and other things that the data do not allow.
    """

    dataset: Dataset
    market: MarketData
    chosen: np.ndarray
    labels: Labels
    versions: dict[str, int]
    expressions: dict[str, str]
    digests: dict[str, str]
    where: str | None
    label: LabelSpec
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Outcomes:
    """The market of a span and what became of its names; see `Assembled`.

    Attributes
    ----------
    market : MarketData
    chosen : array of bool, shape (T, N)
    labels : Labels
    notes : tuple of str
    """

    market: MarketData
    chosen: np.ndarray
    labels: Labels
    notes: tuple[str, ...]


def assemble(
    data: DataAccessLayer, factors: FactorEngine, spec: ModelSpec, *, hooks: Hooks | None = None
) -> Assembled:
    """Return the data set of a model.

    Features stay where they are stored; memory holds the market and some 30 bytes a cell.

    Parameters
    ----------
    data : DataAccessLayer
    factors : FactorEngine
    spec : ModelSpec
    hooks : Hooks, optional
        For the computation of the features.

    Raises
    ------
    NotFound
        If a feature or field is unknown or has no data, or there are no bars.
    InvalidRequest
        If an expression looks ahead where it must not, the span has too few days or names, or no cell is left.
    VersionConflict
        If the data were written to again and again meanwhile.
    """
    features, notes = _features(factors, spec.features)
    where, label = _condition(factors, spec.universe.where), _resolved(factors, spec.label)
    for _ in range(_ATTEMPTS):
        before = _versions(data)
        values = factors.stored_values(features, hooks=hooks)
        read = _read(data, factors, spec.universe, label, where)
        versions = _agreed(before, values.versions, read.versions, _versions(data))
        if versions is not None:
            break
    else:
        raise VersionConflict(_WRITTEN_TO)
    found = _outcomes(read, label)
    return Assembled(
        dataset=_dataset(spec, found, values),
        market=found.market,
        chosen=found.chosen,
        labels=found.labels,
        versions=versions,
        expressions={name: to_text(node) for name, node in features.items()},
        digests={name: node.digest for name, node in features.items()},
        where=None if where is None else to_text(where),
        label=label,
        notes=(*notes, *found.notes),
    )


def outcomes(
    data: DataAccessLayer, factors: FactorEngine, universe: UniverseSpec, label: LabelSpec
) -> Outcomes:
    """Return what became of names, as it is known today: `Assembled` without any features.

    Parameters
    ----------
    data : DataAccessLayer
    factors : FactorEngine
    universe : UniverseSpec
    label : LabelSpec

    Raises
    ------
    NotFound
        If a field is unknown or has no data, or there are no bars.
    InvalidRequest
        If the span has too few days or names.
    VersionConflict
        If the data were written to again and again meanwhile.
    """
    where, label = _condition(factors, universe.where), _resolved(factors, label)
    for _ in range(_ATTEMPTS):
        before = _versions(data)
        read = _read(data, factors, universe, label, where)
        if _agreed(before, read.versions, _versions(data)) is not None:
            return _outcomes(read, label)
    raise VersionConflict(_WRITTEN_TO)


def today(
    data: DataAccessLayer,
    factors: FactorEngine,
    spec: ModelSpec,
    day: date,
    *,
    expressions: Mapping[str, str] | None = None,
    where: str | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return what a model sees at the close of a day, of the names that one may choose then.

    The names are those of `Assembled.chosen`: investable and in the universe, except that one which was suspended when
    the span of an assembly began counts as new for longer there.

    Parameters
    ----------
    data : DataAccessLayer
    factors : FactorEngine
    spec : ModelSpec
    day : date
        A day with bars.
    expressions : mapping of str to str, optional
        `Assembled.expressions` of the data set that the model learnt from; what the specification's names mean now
        unless given.
    where : str, optional
        `Assembled.where` likewise.

    Returns
    -------
    symbols : array of str, shape (K,)
        Sorted; none if no name is in the universe.
    features : array of float32, shape (K, F)

    Raises
    ------
    NotFound
        If there are no bars on the day; it names the days around it. No other day's values ever stand in.
    """
    nodes = (
        _features(factors, spec.features)[0] if expressions is None else _parsed(tuple(expressions.items()))
    )
    condition = (
        _condition(factors, spec.universe.where) if where is None else parse(where, fields=catalogue())
    )
    values = factors.stored_values(nodes)
    row = _row_of(values, day)
    symbols = np.array(values.symbols, dtype=np.str_)
    universe = None if condition is None else factors.stored_values({"where": condition})
    traded, investable = _names_on(data, day, symbols)
    if not traded.any():
        raise _no_bars(day, values.days)
    chosen = investable & _true(universe, values.days[row : row + 1], symbols)[0]
    columns = np.flatnonzero(chosen)
    return symbols[columns], values.cells(np.full(len(columns), row), columns)


def weights_of(spec: WeightSpec, row: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return how much each cell counts.

    Parameters
    ----------
    spec : WeightSpec
    row : array of int, shape (K,)
    label : array, shape (K,)

    Returns
    -------
    array of float32, shape (K,)
        Positive.
    """
    weight = balanced(label) if spec.balanced else np.ones(len(row), dtype=np.float32)
    if spec.equal_days:
        weight = within_days(weight, row)
    if spec.half_life is not None:
        weight = np.maximum(weight * decayed(row, spec.half_life), np.finfo(np.float32).tiny)
    return weight


def _features(factors: FactorEngine, spec: FeatureSpec) -> tuple[dict[str, Node], tuple[str, ...]]:
    """Return the features that the data allow, and what is left out, in words."""
    registry = factors.registry
    lacks = factors.left_out([name for name in spec.names if name in registry.libraries()])
    features = feature_expressions(registry, spec, lacks)
    reasons: dict[str, list[str]] = {}
    for name, reason in lacks.items():
        reasons.setdefault(reason, []).append(name)
    return features, tuple(f"left out for {reason}: {', '.join(names)}" for reason, names in reasons.items())


def _condition(factors: FactorEngine, text: str | None) -> Node | None:
    if text is None:
        return None
    node = formula(factors.registry, text, "universe.where").node
    if not fields_of(node):
        raise InvalidRequest(f"universe.where: {text!r:.80} reads no field, so it is the same everywhere")
    return node


def _resolved(factors: FactorEngine, spec: LabelSpec) -> LabelSpec:
    """Return a label in whose expression no name of a factor is left."""
    if spec.expression is None:
        return spec
    return spec.model_copy(update={"expression": to_text(factors.registry.parse(spec.expression))})


def _label_fields(
    data: DataAccessLayer, spec: LabelSpec, raw: Panel
) -> tuple[Panel | None, Mapping[str, int], tuple[str, ...]]:
    """Return the fields that a label reads, their versions and notes; none of a return, which the market has."""
    if spec.expression is None:
        return None, {}, ()
    names = fields_of(parse(spec.expression, fields=catalogue()))
    found = load_fields(data, names, start=str(raw.times[0]), end=str(raw.times[-1]))
    return found.panel, found.dataset_versions, found.notes


@dataclass(frozen=True, eq=False)
class _Read:
    """What outcomes are made of; `versions` is None if it is of two states of the data."""

    market: MarketData
    universe: StoredValues | None
    fields: Panel | None
    versions: Mapping[str, int] | None
    notes: tuple[str, ...]


def _read(
    data: DataAccessLayer, factors: FactorEngine, span: UniverseSpec, label: LabelSpec, where: Node | None
) -> _Read:
    universe = None if where is None else factors.stored_values({"where": where})
    market = load_market(data, span.start, span.end)
    fields, versions, notes = _label_fields(data, label, market.raw)
    agreed = _agreed({} if universe is None else universe.versions, versions)
    return _Read(market, universe, fields, agreed, notes)


def _outcomes(read: _Read, label: LabelSpec) -> Outcomes:
    market, notes = read.market, read.notes
    if market.standing is None:
        notes = ("no instruments are stored, so names under special treatment count as investable", *notes)
    chosen = market.market.chosen & _true(read.universe, market.raw.times, market.raw.symbols)
    return Outcomes(market, chosen, make_labels(label, market, read.fields, chosen), notes)


def _dataset(spec: ModelSpec, found: Outcomes, values: StoredValues) -> Dataset:
    market, chosen, labels = found.market, found.chosen, found.labels
    row, column = np.nonzero(chosen & np.isfinite(labels.values))
    if not len(row):
        raise InvalidRequest(
            f"no cell is left to learn from: of {np.count_nonzero(market.market.traded):,} bars, "
            f"{np.count_nonzero(market.market.chosen):,} were of investable names, {np.count_nonzero(chosen):,} of "
            "those in the universe, and none of these has a label that became known; give universe.start and .end "
            "more days, or ask less of universe.where"
        )
    days, symbols = market.raw.times, market.raw.symbols
    label = labels.values[row, column].astype(np.float32)
    return Dataset(
        days=days,
        symbols=symbols,
        features=StoredFeatures(values, days, symbols),
        row=row,
        column=column,
        label=label,
        known=labels.known[row, column],
        weight=weights_of(spec.weights, row, label),
        weigh=partial(weights_of, spec.weights),
    )


def _true(universe: StoredValues | None, days: np.ndarray, symbols: np.ndarray) -> np.ndarray:
    """Return where a condition holds, shape (T, N): where it is above 0. Everywhere if there is none."""
    if universe is None:
        return np.ones((len(days), len(symbols)), dtype=bool)
    panel = universe.panel(universe.rows(days[0].item(), days[-1].item()), symbols.tolist())
    return np.asarray(panel.reindex(times=days)["where"] > 0)


def _row_of(values: StoredValues, day: date) -> int:
    rows = values.rows(day, day)
    if rows.start == rows.stop:
        raise _no_bars(day, values.days)
    return int(rows.start)


def _no_bars(day: date, days: np.ndarray) -> NotFound:
    place = int(np.searchsorted(days, np.datetime64(day)))
    others = np.concatenate([days[max(place - 1, 0) : place], days[days > np.datetime64(day)][:1]])
    near = " and ".join(map(str, others)) or "none"
    return NotFound(f"there are no bars on {day}, so a model has nothing to see then; nearest: {near}")


def _names_on(data: DataAccessLayer, day: date, symbols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which names traded on a day, and which were investable at its close, as `Market` has it; shape (N,)."""
    _catch_up(data)
    recent = data.panel(["close"], symbols.tolist(), day - _RECENT, day)
    if not len(recent) or recent.times[-1] != np.datetime64(day):
        raise VersionConflict(f"the bars of {day} were removed while they were read; try again")
    there = ~np.isnan(recent["close"])
    traded, seasoned = there[-1], there[:-1].sum(axis=0) >= SEASONED_AFTER
    unsure = np.flatnonzero(traded & ~seasoned)
    if len(unsure):  # new, or suspended for long: their whole history tells
        history = data.panel(["close"], symbols[unsure].tolist(), end=day)
        seasoned[unsure] = is_seasoned(~np.isnan(history["close"]))[-1]
    instruments = data.read(Query(INSTRUMENTS, end=day))
    special = special_treatment(instruments, recent.times[-1:], symbols)[0]
    return traded, traded & seasoned & ~special


@lru_cache(maxsize=16)
def _parsed(texts: tuple[tuple[str, str], ...]) -> dict[str, Node]:
    """Return expressions by name: a warm service asks for the same ones every day."""
    return {name: parse(text, fields=catalogue()) for name, text in texts}


def _catch_up(data: DataAccessLayer) -> None:
    """Let what is read from now on show the newest bars: panels may lag behind the store that features follow."""
    panels = None if data.panels is None else data.panels.of(DAILY)
    if panels is not None:
        panels.expire()


def _versions(data: DataAccessLayer) -> dict[str, int]:
    """Return the versions of what a market is made of; whatever is read from now on shows these or later ones."""
    _catch_up(data)
    return {dataset.name: data.version(dataset) for dataset in (DAILY, INSTRUMENTS)}


def _agreed(*several: Mapping[str, int] | None) -> dict[str, int] | None:
    """Return all versions together; None if two are of different states of the data."""
    together: dict[str, int] = {}
    for versions in several:
        if versions is None:
            return None
        for name, version in versions.items():
            if together.setdefault(name, version) != version:
                return None
    return dict(sorted(together.items()))
