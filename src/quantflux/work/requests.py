"""What may be asked of factors and models beside their documents, as typed values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field

from quantflux.backtest.runs.spellings import read_day, read_tuple
from quantflux.core.documents import Document, Section

Day = Annotated[date, BeforeValidator(read_day)]
Name = Annotated[str, Field(min_length=1, max_length=130)]
Names = Annotated[tuple[Name, ...], BeforeValidator(read_tuple), Field(min_length=1, max_length=1_000)]
Count = Annotated[int, Field(ge=1)]

R = TypeVar("R", bound=Section)


def request_of(model: type[R], values: Mapping[str, Any]) -> R:
    """Return a request from plain values.

    Raises
    ------
    InvalidRequest
        Listing every problem, as for a file.

    Examples
    --------
    >>> request_of(ComputeFactors, {"factors": ["classic"]}).factors
    ('classic',)
    """
    return Document("the request", "", values).into(model)


class ComputeFactors(Section):
    """Bring stored values up to date.

    Attributes
    ----------
    factors : tuple of str
        Names of factors or libraries.
    """

    factors: Names


class EvaluateFactors(Section):
    """Judge factors, on paper and as one can trade.

    Attributes
    ----------
    factors : tuple of str
        Names of factors or libraries.
    start, end : date or None
        First and last day; None: of the data.
    horizon : int
        Days a position is held.
    quantiles : int
        Groups of names.
    against : tuple of str
        Factors or libraries to correlate a single one with.
    series : bool
        With what each day gave; of 20 factors at most.
    """

    factors: Names
    start: Day | None = None
    end: Day | None = None
    horizon: Annotated[int, Field(ge=1, le=250)] = 5
    quantiles: Annotated[int, Field(ge=2, le=100)] = 5
    against: Annotated[tuple[Name, ...], BeforeValidator(read_tuple), Field(max_length=1_000)] = ()
    series: bool = False


class TrainModel(Section):
    """Train a model.

    Attributes
    ----------
    model : mapping
        A model file's content.
    control : bool
        Train it on shuffled labels as well: what luck looks like on these data.
    """

    model: dict[str, Any]
    control: bool = False


class RetrainModel(Section):
    """Train a model anew on all days up to the newest.

    Attributes
    ----------
    id : str
    """

    id: Name


class TuneModel(Section):
    """Search for better parameters.

    Attributes
    ----------
    model : mapping
        A model file's content.
    trials : int
        Sets of parameters that are tried.
    held_out : int
        Last folds that the search never sees.
    space : mapping or None
        Ranges in place of the kind's own.
    """

    model: dict[str, Any]
    trials: Annotated[int, Field(ge=1, le=10_000)] = 30
    held_out: Annotated[int, Field(ge=1, le=100)] = 1
    space: dict[str, Any] | None = None


class EvaluateModel(Section):
    """Judge a version by what it predicted of days that it had not seen.

    Attributes
    ----------
    id : str
    version : int or None
        None: the one in production, or else the newest candidate.
    series : bool
        With what each day gave.
    """

    id: Name
    version: Count | None = None
    series: bool = False


class CompareRuns(Section):
    """Backtests over the same days, side by side.

    Attributes
    ----------
    runs : tuple of mapping
        Run files' contents.
    rules : bool
        Whether to price each rule of the market, which takes a run for each.
    """

    runs: Annotated[
        tuple[dict[str, Any], ...], BeforeValidator(read_tuple), Field(min_length=2, max_length=20)
    ]
    rules: bool = False
