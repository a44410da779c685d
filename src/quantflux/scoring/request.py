"""What may be asked of scoring, as typed values. `files.py` reads them; `service.py` answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from quantflux.core.documents import Section
from quantflux.core.errors import InvalidRequest
from quantflux.core.symbols import parse_symbol

Method = Literal["equal", "weighted", "ic", "icir", "model"]


def _symbol(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return parse_symbol(value)
    except InvalidRequest as error:
        raise ValueError(f'found "{value:.30}"; valid is a symbol such as 600519.SH') from error


def _tuple(value: Any) -> Any:
    """Take lists for tuples, which are what frozen values hold."""
    return tuple(value) if isinstance(value, list) else value


def _several(value: Any) -> Any:
    """Take one text for a list of one."""
    return (value,) if isinstance(value, str) else _tuple(value)


def _ingredient(value: Any) -> Any:
    return {"factor": value} if isinstance(value, str) else value


def _day(value: Any) -> Any:
    """Take a day in quotation marks for the day."""
    if isinstance(value, str):
        with suppress(ValueError):
            return date.fromisoformat(value)
    return value


Symbols = Annotated[tuple[Annotated[str, BeforeValidator(_symbol)], ...], BeforeValidator(_several)]
Text = Annotated[str, Field(min_length=1, max_length=2_000)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_several)]
Day = Annotated[date | None, Field(alias="date"), BeforeValidator(_day)]
BoardName = Literal["main", "chinext", "star", "bse", "b_share", "other"]


class Ingredient(Section):
    """One factor of a score.

    Attributes
    ----------
    factor : str
        A factor's name, a library's (all of its factors), or an expression.
    weight : float
        Beside the others, for the method `weighted`; below zero turns the factor round.
    orientation : {1, -1}, optional
        Whether more is better or less is. Unless given, what the factor's definition says, else 1.
    """

    factor: Text
    weight: float | None = None
    orientation: Literal[1, -1] | None = None


class Trailing(Section):
    """What the methods `ic` and `icir` weigh factors by: how well they ranked returns that are known by now.

    Attributes
    ----------
    horizon : int
        Days over which a factor is to foretell returns: bought at the next open, sold `horizon` days later. So a day's
        RankIC is known `horizon` + 1 rows after it.
    window : int
        The latest known RankICs that count.
    least : int, optional
        How many of them there must be; half of the window unless given.
    negative : {"keep", "zero"}
        Whether a factor that ranked the wrong way round may get a negative weight, or gets none.
    """

    horizon: Annotated[int, Field(ge=1, le=250)] = 5
    window: Annotated[int, Field(ge=10, le=2_000)] = 120
    least: Annotated[int, Field(ge=5)] | None = None
    negative: Literal["keep", "zero"] = "keep"

    @model_validator(mode="after")
    def _within(self) -> Self:
        if self.least is not None and self.least > self.window:
            raise ValueError(f"least is {self.least} and window {self.window}; valid is least up to window")
        return self

    @property
    def needed(self) -> int:
        """How many known RankICs there must be."""
        return self.window // 2 if self.least is None else self.least


class Models(Section):
    """Stored predictions that make the score of the method `model`.

    Attributes
    ----------
    ids : tuple of str
        Models, all of which must have predicted on the day.
    blend : {"mean", "weighted", "rank"}
        The mean of predicted returns, the mean weighted by `weights`, or the mean of their percentile ranks (0 to 1).
    weights : tuple of float
        One a model, above zero.
    """

    ids: Annotated[Texts, Field(min_length=1)]
    blend: Literal["mean", "weighted", "rank"] = "mean"
    weights: Annotated[tuple[Annotated[float, Field(gt=0)], ...], BeforeValidator(_tuple)] = ()

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        if len(set(self.ids)) < len(self.ids):
            raise ValueError("a model is named twice in ids")
        if (self.blend == "weighted") != bool(self.weights):
            raise ValueError('weights belong to blend = "weighted", which needs them')
        if self.weights and len(self.weights) != len(self.ids):
            raise ValueError(f"needs a weight for each of {len(self.ids)} models, had {len(self.weights)}")
        return self


class Universe(Section):
    """Who is compared: among these names of a day values are standardised and scores ranked.

    Attributes
    ----------
    symbols : tuple of str
        Only these; empty means all shares.
    where : str
        An expression; only names for which it is true (above zero) at the close.
    seasoned : bool
        Whether a name must have traded on 60 days.
    special_treatment : bool
        Whether names under special treatment (ST) take part.
    suspended : bool
        Whether names without trade on the day do. They have no values of factors, but may have predictions.
    """

    symbols: Symbols = ()
    where: str = ""
    seasoned: bool = True
    special_treatment: bool = False
    suspended: bool = False


class Filters(Section):
    """Who of them may be chosen; everything that is given must hold.

    Attributes
    ----------
    where : str
        An expression over fields and factors, true (above zero) at the close of the day.
    limit_up, limit_down : bool
        Whether names that closed at their upper, lower price limit may be chosen.
    listed_days : int
        Sessions since the listing, at least.
    boards, industries : tuple of str
        Only these; empty means all.
    exclude : tuple of str
        Symbols that may not.
    least_amount : float, optional
        Yuan traded a day, on average over the last `amount_days`; days without trade count as 0.
    least_score, most_score : float, optional
        Bounds of the score, included.
    least_percentile : float, optional
        0 to 100, of the score among the names that were scored.
    """

    where: str = ""
    limit_up: bool = False
    limit_down: bool = False
    listed_days: Annotated[int, Field(ge=0)] = 0
    boards: Annotated[tuple[BoardName, ...], BeforeValidator(_several)] = ()
    industries: Texts = ()
    exclude: Symbols = ()
    least_amount: Annotated[float, Field(gt=0)] | None = None
    amount_days: Annotated[int, Field(ge=1, le=60)] = 20
    least_score: float | None = None
    most_score: float | None = None
    least_percentile: Annotated[float, Field(ge=0, le=100)] | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        low, high = self.least_score, self.most_score
        if low is not None and high is not None and low > high:
            raise ValueError(f"least_score is {low:g} and most_score {high:g}; valid is least up to most")
        return self

    @property
    def of_scores(self) -> bool:
        """Whether something here asks about scores."""
        return (self.least_score, self.most_score, self.least_percentile) != (None, None, None)


class Selection(Section):
    """How many are chosen, the best first.

    Attributes
    ----------
    top : int
        Names, at most.
    per_industry : int, optional
        Names of one industry, at most; those of no known industry count as one.
    """

    top: Annotated[int, Field(ge=1)] = 50
    per_industry: Annotated[int, Field(ge=1)] | None = None


class ScoreRequest(Section):
    """A score and a choice by it.

    Attributes
    ----------
    name : str
        For reports.
    day : date or None
        Scored at the close of this day; `date` in a file. None: the last day there is.
    method : str
        `equal`, `weighted`, `ic` (weights are trailing mean RankICs), `icir` (weights that would have had the highest
        ratio of mean RankIC to its deviation) or `model` (stored predictions).
    factors : tuple of Ingredient
    trailing, models, universe, filters, selection
        See their classes.
    winsorise : float
        Values are moved to so many robust deviations (1.4826 x median absolute deviation) from the day's median if
        they lie beyond; 0 leaves them.
    least_share : float
        Part of the factors, 0 to 1, of which a name must have a value; what then is missing counts as the mean.
    """

    name: str = ""
    day: Day = None
    method: Method = "equal"
    factors: Annotated[
        tuple[Annotated[Ingredient, BeforeValidator(_ingredient)], ...],
        BeforeValidator(_several),
        Field(max_length=500),
    ] = ()
    trailing: Trailing = Trailing()
    models: Models | None = None
    winsorise: Annotated[float, Field(ge=0, le=1000)] = 5.0
    least_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    universe: Universe = Universe()
    filters: Filters = Filters()
    selection: Selection = Selection()

    @model_validator(mode="after")
    def _of_one_piece(self) -> Self:
        if self.method == "model":
            self._only_models()
            return self
        if self.models is not None:
            raise ValueError(f"models are used by the method model only, the method is {self.method}")
        if not self.factors:
            raise ValueError('factors are missing; valid is a list such as ["reversal_20", "size"]')
        weights = [each.weight for each in self.factors]
        if self.method == "weighted":
            if None in weights or not any(weights):
                raise ValueError("the method weighted needs a weight for each factor, not all of them 0")
        elif any(weight is not None for weight in weights):
            raise ValueError(f"weights are used by the method weighted only, the method is {self.method}")
        return self

    @model_validator(mode="after")
    def _trailing_used(self) -> Self:
        if "trailing" in self.model_fields_set and self.method not in ("ic", "icir"):
            raise ValueError(f"trailing is used by the methods ic and icir only, the method is {self.method}")
        return self

    def _only_models(self) -> None:
        if self.models is None:
            raise ValueError("the method model needs models with their ids")
        if self.factors:
            raise ValueError("the method model takes its score from predictions; leave factors out")


class ScreenRequest(Section):
    """Names that meet conditions.

    Attributes
    ----------
    name, day, universe
        As of `ScoreRequest`.
    where : str
        An expression over fields and factors, true (above zero) at the close of the day.
    filters : Filters
        More conditions; none on scores, as there are none.
    show : tuple of str
        Factors, fields or expressions whose values are shown, beside the fields that `where` reads.
    sort : str
        A factor, field or expression; the names with the highest values come first. By symbol unless given.
    top : int, optional
        Names, at most.
    """

    name: str = ""
    day: Day = None
    where: str = ""
    universe: Universe = Universe()
    filters: Filters = Filters()
    show: Annotated[Texts, Field(max_length=100)] = ()
    sort: str = ""
    top: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _no_scores(self) -> Self:
        if self.filters.of_scores:
            raise ValueError("filters of scores need a score; a screen has none")
        return self


def weighed(factors: Sequence[str], weights: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return factors with their weights, as a request takes them.

    Raises
    ------
    InvalidRequest
        If a factor lacks its weight, or a weight its factor.

    Examples
    --------
    >>> weighed(["size", "value"], {"size": 2, "value": 1})
    [{'factor': 'size', 'weight': 2.0}, {'factor': 'value', 'weight': 1.0}]
    """
    if lacking := [name for name in factors if name not in weights]:
        raise InvalidRequest(f"weights: {', '.join(lacking)} has none; valid is one for each factor")
    if unknown := [name for name in weights if name not in factors]:
        raise InvalidRequest(
            f"weights: {', '.join(unknown)} is none of the factors, which are {', '.join(factors)}"
        )
    return [{"factor": name, "weight": float(weights[name])} for name in factors]
