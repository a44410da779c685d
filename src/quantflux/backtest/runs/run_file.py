"""What a run file can say, as typed values. `files.py` reads one, `service.py` carries it out.

A shorter spelling is turned into the longer one first, see `spellings.py`. What the chosen policy would not use is
refused, so that nobody believes it had an effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PrivateAttr, model_validator

from quantflux.backtest.runs.spellings import (
    read_benchmark,
    read_class,
    read_day,
    read_ingredient,
    read_schedule,
    read_score,
    read_symbol,
    read_tuple,
    read_universe,
)
from quantflux.core.documents import Section

Day = Annotated[date, BeforeValidator(read_day)]
Symbol = Annotated[str, BeforeValidator(read_symbol)]
Count = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(gt=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]
Text = Annotated[str, Field(min_length=1, max_length=2_000)]
RuleName = Literal["suspension", "limits", "settlement", "lots", "volume", "slippage", "fees", "dividend_tax"]


class Universe(Section):
    """Which names may be held.

    Attributes
    ----------
    symbols : tuple of str
        Only these; empty means all shares.
    file : str
        Only those that a CSV file lists: a column `symbol`, and `since` and `until` where membership changed.
    where : str
        An expression; only names for which it is true, or above zero, at the close of the decision.
    seasoned : bool
        Whether a name must have traded on 60 days.
    special_treatment : bool
        Whether names under special treatment (ST) may be held too.
    """

    symbols: Annotated[tuple[Symbol, ...], BeforeValidator(read_tuple)] = ()
    file: str = ""
    where: str = ""
    seasoned: bool = True
    special_treatment: bool = False

    @model_validator(mode="after")
    def _one_list(self) -> Self:
        if self.symbols and self.file:
            raise ValueError("symbols and file both list names; valid is one of them")
        return self


class Ingredient(Section):
    """One factor of a score.

    Attributes
    ----------
    factor : str
        A factor's name, or an expression in which factors may be named.
    weight : float
        Its part in the score, beside the other weights.
    orientation : {1, -1} or None
        Whether more is better or less is; None: what the factor's definition says, else 1.
    """

    factor: Text
    weight: Annotated[float, Field(gt=0)] = 1.0
    orientation: Literal[1, -1] | None = None


class Score(Section):
    """What names are ranked by.

    Attributes
    ----------
    factors : tuple of Ingredient
    combine : {"rank", "zscore"}
        What of each factor is added up: its rank or its z-score among the names of the day. A single factor is taken
        as it is.
    least : float
        Part of all weight that a name must have values for.
    """

    factors: Annotated[
        tuple[Annotated[Ingredient, BeforeValidator(read_ingredient)], ...],
        BeforeValidator(read_tuple),
        Field(min_length=1, max_length=500),
    ]
    combine: Literal["rank", "zscore"] = "rank"
    least: Fraction = 0.5


class Optimiser(Section):
    """How an optimiser weighs the names that were picked.

    Attributes
    ----------
    window : int
        Days of returns before the decision that it sees.
    risk : {"sample", "shrunk", "ewma", "pca"}
        What it estimates their covariances with.
    most : float
        Largest weight of one name.
    """

    window: Annotated[int, Field(ge=20)] = 120
    risk: Literal["sample", "shrunk", "ewma", "pca"] = "shrunk"
    most: Fraction = 1.0


class RankedPolicy(Section):
    """Hold the names with the highest score.

    Attributes
    ----------
    top : int or None
        How many names.
    share : float or None
        Which part of the names with a score; 0.2 holds the best fifth. One of `top` and `share` is given.
    buffer : int
        A name that is held stays until it ranks more than this many places below the last one that is bought.
    weighting : str
        `equal`; `cap`, by market value; `score`, by how far the score lies above the least one held; or a method of
        `quantflux.portfolio` that needs no forecast.
    optimiser : Optimiser
        Used when `weighting` is a method.
    least : int
        Names with a score that a decision needs; with fewer the portfolio stays as it is.
    """

    kind: Literal["ranked"] = "ranked"
    top: Count | None = None
    share: Fraction | None = None
    buffer: Annotated[int, Field(ge=0)] = 0
    weighting: Literal[
        "equal", "cap", "score", "inverse_volatility", "minimum_variance", "risk_parity", "hrp", "cvar"
    ] = "equal"
    optimiser: Optimiser | None = None
    least: Count = 10

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if (self.top is None) == (self.share is None):
            given = "neither is given" if self.top is None else "both are given"
            raise ValueError(f"holds `top` names or a `share` of them, {given}; valid is one of the two")
        if self.optimiser is not None and self.weighting in SIMPLE_WEIGHTINGS:
            raise ValueError(f'optimiser is not used by weighting "{self.weighting}"; leave it out')
        return self


SIMPLE_WEIGHTINGS = ("equal", "cap", "score")
"""Weightings that need no optimiser."""


class WeightsPolicy(Section):
    """Hold what a file says: columns `date`, `symbol`, `weight`, decided at the close of the date."""

    kind: Literal["weights"]
    file: Text


class OrdersPolicy(Section):
    """Trade what a file says: columns `date`, `symbol`, `shares` (negative sells), traded on the date."""

    kind: Literal["orders"]
    file: Text


class SignalsPolicy(Section):
    """Buy names when one expression becomes true, and sell them when another is.

    Attributes
    ----------
    buy, sell : str
        Expressions, true where above zero.
    most : int
        Most names held at once; each is bought for 1/most of the account.
    """

    kind: Literal["signals"]
    buy: Text
    sell: Text
    most: Count = 20


class PythonPolicy(Section):
    """Ask a class of the user's own.

    Attributes
    ----------
    of : str
        `FILE.py:Class`, the file beside the run file; `class` in the file.
    parameters : mapping
        What the class is made with.
    fields : mapping of str to str
        Expressions that it is shown under these names, beside prices.
    """

    kind: Literal["python"]
    of: Annotated[str, BeforeValidator(read_class), Field(alias="class")]
    parameters: Annotated[dict[str, Any], Field(default_factory=dict)]
    fields: Annotated[dict[str, Text], Field(default_factory=dict)]


AnyPolicy = Annotated[
    RankedPolicy | WeightsPolicy | OrdersPolicy | SignalsPolicy | PythonPolicy, Field(discriminator="kind")
]


class CommissionTerms(Section):
    """What the broker charges: a fraction of the amount, and least yuan an order."""

    rate: Annotated[float, Field(ge=0, lt=1)] = 0.00025
    minimum: NotNegative = 5.0


class ExecutionTerms(Section):
    """How orders are filled; see `quantflux.backtest.execution`.

    Attributes
    ----------
    recovery : float
        Part of the last price that is paid for a name that leaves the market.
    without : tuple of str
        Rules of the market that are not applied.
    """

    fill: Literal["open", "close", "vwap"] = "open"
    participation: Fraction = 0.1
    slippage: Annotated[float, Field(ge=0, le=0.5)] = 0.0005
    impact: Annotated[float, Field(ge=0, le=100)] = 0.0
    commission: CommissionTerms = CommissionTerms()
    recovery: Annotated[float, Field(ge=0, le=1)] = 1.0
    without: Annotated[tuple[RuleName, ...], BeforeValidator(read_tuple)] = ()


class RunFile(Section):
    """A backtest, described.

    Attributes
    ----------
    name : str
        The file's name unless given.
    start, end : date or None
        First and last day; None: of the data.
    capital : float
        Yuan at the start; above 1e15 a float no longer tells fen.
    seed : int
        Handed to policies that draw random numbers.
    universe : Universe
    score : Score or None
    policy : RankedPolicy, WeightsPolicy, OrdersPolicy, SignalsPolicy or PythonPolicy
    schedule : str or int or None
        When decisions are taken: one of `CALENDARS`, or every so many days. None: monthly for ranked policies.
    execution : ExecutionTerms
    benchmark : str
        One of `BENCHMARKS`, or a symbol.
    sweep : mapping
        Keys and the values that `quantflux backtest sweep` tries; see `grid.py`.
    """

    name: Annotated[str, Field(max_length=200)] = ""
    start: Day | None = None
    end: Day | None = None
    capital: Annotated[float, Field(gt=0, le=1e15)] = 10_000_000.0
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    universe: Annotated[Universe, BeforeValidator(read_universe)] = Universe()
    score: Annotated[Score | None, BeforeValidator(read_score)] = None
    policy: AnyPolicy
    schedule: Annotated[str | int | None, BeforeValidator(read_schedule)] = None
    execution: ExecutionTerms = ExecutionTerms()
    benchmark: Annotated[str, BeforeValidator(read_benchmark)] = "equal"
    sweep: Annotated[dict[str, Any], Field(default_factory=dict)]

    _folder: Path = PrivateAttr(default=Path())

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.start and self.end and self.start >= self.end:
            raise ValueError(f"start is {self.start} and end is {self.end}; valid is a start before the end")
        kind = self.policy.kind
        if kind == "ranked" and self.score is None:
            raise ValueError('score is missing; a ranked policy needs one, such as score = "reversal_20"')
        unused = [key for key in _UNUSED.get(kind, ()) if getattr(self, key) is not None]
        if unused:
            raise ValueError(f"{unused[0]} is not used by a policy of kind {kind}; leave it out")
        return self

    @property
    def folder(self) -> Path:
        """Where the files that it names are looked for."""
        return self._folder

    def in_folder(self, folder: Path) -> Self:
        """Return the same run whose files stand in another folder."""
        moved = self.model_copy()
        moved._folder = folder
        return moved

    def content(self) -> dict[str, Any]:
        """Return everything it says, defaults too, as JSON can hold it; the sweep is left out.

        `RunFile.model_validate` takes it back.
        """
        return self.model_dump(mode="json", by_alias=True, exclude={"sweep"}, exclude_none=True)


_UNUSED: Mapping[str, tuple[str, ...]] = {
    "weights": ("score", "schedule"),
    "orders": ("score", "schedule"),
    "signals": ("score", "schedule"),
}
