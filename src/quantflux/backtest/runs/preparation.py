"""What runs need of the data, computed once however many of them need it.

1. `Preparation.prepare` takes runs, and loads one arena for each span among them (`_arena`).
2. All formulas of the runs of a span are computed together, so that they share their steps (`_compute`).
3. Universes, standardised factors and signals are made of these, each once (`_chosen`, `_part`).

What several runs share is the same array, which a sweep hands to its processes once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from quantflux.backtest.arena import WARM_UP, Arena, load_arena
from quantflux.backtest.runs.formulas import values_of
from quantflux.backtest.runs.membership import chosen_names
from quantflux.backtest.runs.record import file_digest
from quantflux.backtest.runs.run_file import (
    SIMPLE_WEIGHTINGS,
    Ingredient,
    Optimiser,
    PythonPolicy,
    RunFile,
    Score,
    Universe,
)
from quantflux.backtest.runs.scores import standardised
from quantflux.core.calendar import DAYS_A_SESSION
from quantflux.core.errors import InvalidRequest
from quantflux.data.access import DataAccessLayer
from quantflux.factors.formula import Formula, formula
from quantflux.factors.registry import FactorRegistry
from quantflux.factors.stored import Hooks

_FIELDS = "policy.fields."
_PRICES = "policy.weighting"
"""The key under which the closes are kept that an optimiser looks at."""

_SPARE = 40  # calendar days
_YEAR = (
    365  # warm-ups longer than the usual one are whole years, so that runs of similar windows share an arena
)

Span = tuple[date | None, date | None, timedelta]
"""First day, last day, and how much is loaded before the first."""
Members = tuple[Universe, Path | None]
"""A universe, and where its file is looked for if it names one."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """A run and what it needs of the data.

    Attributes
    ----------
    run : RunFile
    arena : Arena
    chosen : array of bool, shape (T, N)
        Names that may be held.
    parts : tuple of array of float64, shape (T, N)
        The factors of the score, more being better: standardised if there are several.
    signals : tuple of array of bool, shape (T, N)
        Where to buy and where to sell, for policies that go by signals.
    prices : array of float64, shape (T, N), or None
        Adjusted closes, for weighting by an optimiser.
    fields : mapping of str to array of float64, shape (T, N)
        What a policy of the user's own asked to be shown.
    expressions : mapping of str to mapping
        By the key of the run file where each stands: its canonical `text`, and `digest`.
    versions : mapping of str to int
        Of the datasets behind it all.
    files : mapping of str to str
        SHA-256 of the files that the run names.
    """

    run: RunFile
    arena: Arena
    chosen: np.ndarray
    parts: tuple[np.ndarray, ...]
    signals: tuple[np.ndarray, ...]
    prices: np.ndarray | None
    fields: Mapping[str, np.ndarray]
    expressions: Mapping[str, Mapping[str, str]]
    versions: Mapping[str, int]
    files: Mapping[str, str]


@dataclass
class _Ground:
    """An arena and what was computed on it: values by the digest of their expression, and what was made of them."""

    arena: Arena
    values: dict[str, np.ndarray] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    chosen: dict[Members, np.ndarray] = field(default_factory=dict)
    parts: dict[tuple[str, int, Members, str], np.ndarray] = field(default_factory=dict)


class Preparation:
    """Prepares runs on the data of an installation.

    Parameters
    ----------
    data : DataAccessLayer
    registry : FactorRegistry
    max_memory : int, optional
        Most bytes that the process may hold while it computes formulas.
    """

    def __init__(
        self, data: DataAccessLayer, registry: FactorRegistry, *, max_memory: int | None = None
    ) -> None:
        self._data, self._registry, self._max_memory = data, registry, max_memory
        self._grounds: dict[Span, _Ground] = {}
        self._meanings: dict[str, Formula] = {}

    def prepare(self, runs: Sequence[RunFile], hooks: Hooks | None = None) -> list[Prepared]:
        """Return each run with what it needs.

        Raises
        ------
        NotFound, UnknownSymbol
            If there are no bars, or a factor, a field or a symbol is unknown.
        InvalidRequest
            If an expression is none, a file is wrong or a universe is empty.
        """
        formulas = [self._formulas(run) for run in runs]
        for span in dict.fromkeys(map(_span, runs)):
            wanted = [
                each
                for run, known in zip(runs, formulas, strict=True)
                if _span(run) == span
                for each in known.values()
            ]
            self._compute(self._ground(span), wanted, hooks or Hooks())
        return [self._prepared(run, known) for run, known in zip(runs, formulas, strict=True)]

    def _formulas(self, run: RunFile) -> dict[str, Formula]:
        texts = {}
        if run.universe.where:
            texts["universe.where"] = run.universe.where
        if run.score is not None:
            texts |= {f"score.factors.{i}": each.factor for i, each in enumerate(run.score.factors, start=1)}
        if run.policy.kind == "signals":
            texts |= {"policy.buy": run.policy.buy, "policy.sell": run.policy.sell}
        if run.policy.kind == "python":
            texts |= {f"{_FIELDS}{name}": text for name, text in run.policy.fields.items()}
        if _is_optimised(run):
            texts[_PRICES] = "close"
        return {key: self._meaning(text, key) for key, text in texts.items()}

    def _meaning(self, text: str, key: str) -> Formula:
        if text not in self._meanings:
            self._meanings[text] = formula(self._registry, text, key)
        return self._meanings[text]

    def _ground(self, span: Span) -> _Ground:
        if span not in self._grounds:
            arena = load_arena(self._data, *span)
            self._grounds[span] = _Ground(arena, versions=dict(arena.versions))
        return self._grounds[span]

    def _compute(self, ground: _Ground, wanted: Sequence[Formula], hooks: Hooks) -> None:
        missing = {each.node.digest: each for each in wanted if each.node.digest not in ground.values}
        values, versions = values_of(
            self._data, missing, ground.arena, hooks=hooks, max_memory=self._max_memory
        )
        ground.values |= values
        ground.versions |= versions

    def _prepared(self, run: RunFile, formulas: Mapping[str, Formula]) -> Prepared:
        ground = self._ground(_span(run))
        signals = [formulas[key] for key in ("policy.buy", "policy.sell") if key in formulas]
        return Prepared(
            run=run,
            arena=ground.arena,
            chosen=self._chosen(run, ground, formulas.get("universe.where")),
            parts=self._parts(run, run.score, ground, formulas) if run.score is not None else (),
            signals=tuple(ground.values[each.node.digest] > 0 for each in signals),
            prices=ground.values[formulas[_PRICES].node.digest] if _PRICES in formulas else None,
            fields={
                key.removeprefix(_FIELDS): ground.values[each.node.digest]
                for key, each in formulas.items()
                if key.startswith(_FIELDS)
            },
            expressions={key: each.told for key, each in formulas.items()},
            versions=dict(sorted(ground.versions.items())),
            files=_files(run),
        )

    def _chosen(self, run: RunFile, ground: _Ground, where: Formula | None) -> np.ndarray:
        members = _members(run)
        if members not in ground.chosen:
            condition = None if where is None else ground.values[where.node.digest]
            ground.chosen[members] = chosen_names(run.universe, ground.arena, run.folder, condition)
        return ground.chosen[members]

    def _parts(
        self, run: RunFile, score: Score, ground: _Ground, formulas: Mapping[str, Formula]
    ) -> tuple[np.ndarray, ...]:
        several = len(score.factors) > 1
        return tuple(
            self._part(run, each, formulas[f"score.factors.{i}"], ground, score.combine if several else "")
            for i, each in enumerate(score.factors, start=1)
        )

    def _part(
        self, run: RunFile, factor: Ingredient, meaning: Formula, ground: _Ground, combine: str
    ) -> np.ndarray:
        """Return one factor of a score; a single one is not standardised, which would not change its order."""
        sign = factor.orientation or meaning.orientation
        key = (meaning.node.digest, sign, _members(run), combine)
        if key not in ground.parts:
            values, chosen = sign * ground.values[meaning.node.digest], ground.chosen[_members(run)]
            made = standardised(values, chosen, combine) if combine else np.where(chosen, values, np.nan)
            if np.isnan(made[ground.arena.begin :]).all():
                raise InvalidRequest(f"the score {meaning.text!r} has no value for any name of the universe")
            ground.parts[key] = made
        return ground.parts[key]


def _is_optimised(run: RunFile) -> bool:
    return run.policy.kind == "ranked" and run.policy.weighting not in SIMPLE_WEIGHTINGS


def _span(run: RunFile) -> Span:
    """Return the span of a run; an optimiser's window lies before the first day."""
    warm_up = WARM_UP
    if run.policy.kind == "ranked" and _is_optimised(run):
        window = (run.policy.optimiser or Optimiser()).window
        days = int(window * DAYS_A_SESSION) + _SPARE
        if days > warm_up.days:
            warm_up = timedelta(days=-(-days // _YEAR) * _YEAR)
    return run.start, run.end, warm_up


def _members(run: RunFile) -> Members:
    return run.universe, run.folder if run.universe.file else None


def _files(run: RunFile) -> dict[str, str]:
    """Return the SHA-256 of each file that a run names, by its name."""
    names = [run.universe.file] if run.universe.file else []
    if isinstance(run.policy, PythonPolicy):
        names.append(run.policy.of.rpartition(":")[0])
    elif run.policy.kind in ("weights", "orders"):
        names.append(run.policy.file)
    return {name: file_digest(run.folder / name) for name in names}
