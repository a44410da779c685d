"""The factors of a score, and which way round each of them is better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quantflux.core.errors import InvalidRequest, NotFound
from quantflux.factors.engine import FactorEngine
from quantflux.factors.formula import Formula, formula
from quantflux.factors.registry import FactorRegistry
from quantflux.scoring.request import Ingredient

_MOST_NAMED = 5


@dataclass(frozen=True)
class Part:
    """One factor of a score.

    Attributes
    ----------
    label : str
        How it was asked for; of a library's factors, their id.
    formula : Formula
    orientation : {1, -1}
        -1 if less is better: its values are turned before they are standardised.
    directed : bool
        Whether that is known, from its definition or the request; if not, more is taken to be better.
    weight : float or None
        As asked for.
    """

    label: str
    formula: Formula
    orientation: int
    directed: bool
    weight: float | None = None


def parts_of(
    engine: FactorEngine, ingredients: Sequence[Ingredient], *, weighed_with_sign: bool = False
) -> tuple[tuple[Part, ...], list[str]]:
    """Return the factors asked for, libraries taken apart, and what a reader must know of them.

    Parameters
    ----------
    weighed_with_sign : bool
        Whether weights will turn round what ranks the wrong way, so that nobody need know which way that is.

    Raises
    ------
    NotFound
        If a name is none, or the data allow no factor of a library.
    InvalidRequest
        If an expression has a mistake or looks into the future, or a factor comes twice.
    """
    found: list[Part] = []
    notes: list[str] = []
    for place, each in enumerate(ingredients, start=1):
        found += (
            _library(engine, each, notes)
            if each.factor in engine.registry.libraries()
            else [_part(engine.registry, each.factor, each, f"factors.{place}")]
        )
    labels = [part.label for part in found]
    if twice := sorted({label for label in labels if labels.count(label) > 1}):
        raise InvalidRequest(f"factors: {', '.join(twice)} comes twice; each factor may come once")
    if unknown := [part.label for part in found if not (part.directed or weighed_with_sign)]:
        notes.append(
            f"whether more or less of {_few(unknown)} is better is not known; more was taken to be better. Give an "
            "orientation to say so"
        )
    return tuple(found), notes


def _library(engine: FactorEngine, ingredient: Ingredient, notes: list[str]) -> list[Part]:
    lacks = engine.left_out([ingredient.factor])
    kept = [factor for factor in engine.registry.library(ingredient.factor) if factor.id not in lacks]
    if not kept:
        why = next(iter(lacks.values()), "it has none")
        raise NotFound(f"factors: the data allow no factor of {ingredient.factor}: {why}")
    if lacks:
        notes.append(f"left out of {ingredient.factor}: {_few(sorted(lacks))} ({next(iter(lacks.values()))})")
    return [
        Part(
            factor.id,
            Formula(factor.id, factor.node, factor.orientation or 1),
            ingredient.orientation or factor.orientation or 1,
            bool(ingredient.orientation or factor.orientation),
            ingredient.weight,
        )
        for factor in kept
    ]


def _part(registry: FactorRegistry, text: str, ingredient: Ingredient, key: str) -> Part:
    found = formula(registry, text, key)
    directed = bool(ingredient.orientation) or _says_which_way(registry, text)
    return Part(text, found, ingredient.orientation or found.orientation, directed, ingredient.weight)


def _says_which_way(registry: FactorRegistry, text: str) -> bool:
    """Whether a factor's definition says which way round it is better; who writes an expression chose its sign."""
    if not text.replace(".", "").isidentifier():
        return True
    try:
        return registry.get(text).orientation != 0
    except NotFound:
        return False  # a field


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
