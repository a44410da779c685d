"""What a portfolio file can say, as typed values. `files.py` reads one; `service.py` carries it out.

Risks, returns and tracking errors in a file are those of a year, as people speak of them: 0.05 is 5 % a year. What
comes out of it for an optimiser is per day.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from quantflux.core.documents import Section
from quantflux.core.errors import InvalidRequest
from quantflux.core.symbols import parse_symbol

Method = Literal[
    "equal",
    "inverse_volatility",
    "minimum_variance",
    "mean_variance",
    "maximum_sharpe",
    "risk_parity",
    "hrp",
    "black_litterman",
    "cvar",
    "tracking",
    "factor_neutral",
]


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


def _universe(value: Any) -> Any:
    if value == "all":
        return {}
    if isinstance(value, str):
        raise ValueError(f'found "{value:.30}"; valid is "all", a list of symbols, or a table')
    if value == []:
        raise ValueError('found an empty list; valid is "all", a list of symbols, or a table')
    return {"symbols": value} if isinstance(value, list) else value


def _ingredient(value: Any) -> Any:
    return {"factor": value} if isinstance(value, str) else value


def _score(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _day(value: Any) -> Any:
    """Take a day in quotation marks for the day."""
    if isinstance(value, str):
        with suppress(ValueError):
            return date.fromisoformat(value)
    return value


def _by_symbol(value: Any) -> Any:
    """Bring the keys of a table into canonical form; two spellings of one symbol are refused."""
    if not isinstance(value, dict):
        return value
    made: dict[Any, Any] = {}
    for key, each in value.items():
        symbol = _symbol(key)
        if symbol in made:
            raise ValueError(f"{symbol} stands there twice")
        made[symbol] = each
    return made


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _range(value: Any) -> Any:
    """Take a plain number as the most."""
    return {"most": value} if _is_number(value) else value


Symbol = Annotated[str, BeforeValidator(_symbol)]
Symbols = Annotated[tuple[Symbol, ...], BeforeValidator(_tuple)]
Text = Annotated[str, Field(min_length=1, max_length=2_000)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_tuple)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]


class Universe(Section):
    """Which names may be held.

    Attributes
    ----------
    symbols : tuple of str
        Only these; empty means all shares.
    file : str
        Only those that a CSV file lists in its column `symbol`.
    where : str
        An expression; only names for which it is above zero on the day.
    seasoned : bool
        Whether a name must have traded on 60 days.
    special_treatment : bool
        Whether names under special treatment (ST) may be held too.
    """

    symbols: Symbols = ()
    file: str = ""
    where: str = ""
    seasoned: bool = True
    special_treatment: bool = False


class Ingredient(Section):
    """One factor of a score, its weight beside the others, and whether more is better (1) or less is (-1).

    Unless given, the orientation is what the factor's definition says, else 1.
    """

    factor: Text
    weight: Positive = 1.0
    orientation: Literal[1, -1] | None = None


class Forecast(Section):
    """What returns are expected.

    A score's z-score z (held within 3) becomes a return by Grinold's rule, IC x volatility x z: over `horizon` days a
    name moves by its daily volatility times the root of the days, of which the score foretells the part IC. A day's
    expected return is IC x daily volatility x z / root(horizon).

    Attributes
    ----------
    score : tuple of Ingredient
        Factors by name or expressions; their z-scores are averaged.
    information_coefficient : float
        Correlation of the score with the returns of the next `horizon` days; `quantflux factor evaluate` measures it.
    horizon : int
        Days.
    values : mapping of str to float
        In place of a score: expected returns by symbol, of a year, as fractions.
    file : str
        The same as a CSV file with `symbol` and `expected_return`.
    """

    score: Annotated[
        tuple[Annotated[Ingredient, BeforeValidator(_ingredient)], ...],
        BeforeValidator(_tuple),
        BeforeValidator(_score),
        Field(max_length=500),
    ] = ()
    information_coefficient: Annotated[float, Field(gt=0, le=0.5)] = 0.03
    horizon: Annotated[int, Field(ge=1, le=500)] = 20
    values: Annotated[dict[str, float], BeforeValidator(_by_symbol)] = Field(default_factory=dict)
    file: str = ""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (bool(self.score), bool(self.values), bool(self.file)).count(True) != 1:
            raise ValueError("needs a score, values or a file; valid is one of the three")
        return self


class View(Section):
    """A view for `black_litterman`: `symbol` returns so much a year, or `better` so much more than `worse`."""

    symbol: Symbol | None = None
    better: Symbols = ()
    worse: Symbols = ()
    expected_return: float
    confidence: Annotated[float, Field(gt=0, le=1)] = 0.5

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        single, pair = self.symbol is not None, bool(self.better and self.worse)
        if single == pair or (single and (self.better or self.worse)):
            raise ValueError("needs either symbol, or both better and worse")
        return self


class Risk(Section):
    """Which risk model, of how many days.

    Attributes
    ----------
    model : str
        `factor`, styles and industries; `shrunk`, Ledoit and Wolf; `ewma`; `sample`; `statistical`, principal
        components.
    window : int
        Days of returns up to the day.
    half_life : float
        Days, of `ewma` alone.
    """

    model: Literal["factor", "shrunk", "ewma", "sample", "statistical"] = "shrunk"
    window: Annotated[int, Field(ge=60, le=5_000)] = 250
    half_life: Positive = 63.0

    @model_validator(mode="after")
    def _used(self) -> Self:
        if "half_life" in self.model_fields_set and self.model != "ewma":
            raise ValueError(f"half_life is used by the model ewma only, the model is {self.model}")
        return self


class Held(Section):
    """What is held now.

    Attributes
    ----------
    shares : mapping of str to int
        By symbol.
    file : str
        The same as a CSV file with `symbol` and `shares`.
    cash : float
        Yuan.
    """

    shares: Annotated[dict[str, Annotated[int, Field(ge=0, le=10**12)]], BeforeValidator(_by_symbol)] = Field(
        default_factory=dict
    )
    file: str = ""
    cash: NotNegative = 0.0

    @model_validator(mode="after")
    def _one_list(self) -> Self:
        if self.shares and self.file:
            raise ValueError("shares and file both say what is held; valid is one of them")
        return self


class Range(Section):
    """From the least to the most; a plain number is the most."""

    least: float | None = None
    most: float | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.least is None and self.most is None:
            raise ValueError("needs least, most, or both")
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValueError(f"least is {self.least:g} and most is {self.most:g}; valid is least up to most")
        return self


def _exactly(value: Any) -> Any:
    """Take a plain number for both ends."""
    return {"least": value, "most": value} if _is_number(value) else value


def _long(value: Range) -> Range:
    """Refuse what shares cannot be: sold short, or bought on credit."""
    for name, end in (("least", value.least), ("most", value.most)):
        if end is not None and not 0 <= end <= 1:
            raise ValueError(
                f"{name} is {end:g}; valid is from 0 to 1, as shares are not sold short nor bought on credit"
            )
    return value


AnyRange = Annotated[Range, BeforeValidator(_range)]
LongRange = Annotated[Range, BeforeValidator(_range), AfterValidator(_long)]
LongSum = Annotated[Range, BeforeValidator(_exactly), AfterValidator(_long)]


class Groups(Section):
    """Limits of industries (or, in `exposures`, of styles and other factors of the risk model).

    Attributes
    ----------
    least, most : float, optional
        Of every industry.
    limits : mapping of str to Range
        Of single ones, in place of the general limits.
    relative : bool
        Whether limits are on the difference to the benchmark.
    """

    least: float | None = None
    most: float | None = None
    limits: dict[str, AnyRange] = Field(default_factory=dict)
    relative: bool = False

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.least is None and self.most is None and not self.limits:
            raise ValueError("needs least, most, or limits of single ones")
        return self


class MarketShare(Section):
    """Positions that can be sold within `days` at `share` of what the market trades, on average over `window` days."""

    share: Annotated[float, Field(gt=0, le=1)] = 0.1
    days: Positive = 5.0
    window: Annotated[int, Field(ge=1, le=250)] = 20
    trades: bool = False


class Limits(Section):
    """What must hold.

    Attributes
    ----------
    invested : Range
        Sum of weights; 1 unless given, the rest being cash. A plain number is the sum itself.
    weights : Range
        Of each name; from 0 unless given.
    industries, exposures : Groups
    turnover : float
        The larger of what is bought and what is sold, as a fraction of the value.
    risk, tracking_error : float
        A year.
    expected_return : float
        At least; a year.
    names : int
        At most so many.
    position : float
        A name is not held, or at least at this weight.
    no_trade : tuple of str
        Names that stay as they are.
    tradable : bool
        Whether names that were suspended or closed at a price limit on the day stay as they are too.
    liquidity : MarketShare
    """

    invested: LongSum | None = None
    weights: LongRange | None = None
    industries: Groups | None = None
    exposures: Groups | None = None
    turnover: NotNegative | None = None
    risk: Positive | None = None
    tracking_error: Positive | None = None
    expected_return: float | None = None
    names: Annotated[int, Field(ge=1)] | None = None
    position: Annotated[float, Field(gt=0, le=1)] | None = None
    no_trade: Symbols = ()
    tradable: bool = True
    liquidity: MarketShare | None = None


class Costs(Section):
    """Costs in the objective: fees by date, and what the trade itself moves the price.

    Attributes
    ----------
    slippage : float
        Fraction of the price, each way.
    impact : float
        Coefficient of the square-root law; 0 leaves it out.
    holding_days : float
        Over how many days costs are spread.
    """

    slippage: Fraction = 0.0005
    impact: NotNegative = 0.0
    holding_days: Positive = 20.0


class CommissionTerms(Section):
    """What the broker charges: a fraction of the amount, and least yuan an order."""

    rate: Annotated[float, Field(ge=0, lt=1)] = 0.00025
    minimum: NotNegative = 5.0


class PortfolioFile(Section):
    """A portfolio to be found.

    Attributes
    ----------
    name : str
        For reports.
    day : date or None
        Decided at the close of this day; `date` in the file. None: the last day there is.
    capital : float or None
        Yuan, all in cash, where nothing is held.
    method : str
        See `quantflux.portfolio.methods`.
    parameters : mapping
        Of the method.
    universe, expected_returns, views, risk, holdings, constraints, costs, commission
        See their classes.
    benchmark : str
        `equal` or `cap` over the universe, or a CSV file with `symbol` and `weight`.
    """

    name: str = ""
    day: Annotated[date | None, Field(alias="date"), BeforeValidator(_day)] = None
    capital: Positive | None = None
    method: Method = "mean_variance"
    parameters: dict[str, Any] = Field(default_factory=dict)
    universe: Annotated[Universe, BeforeValidator(_universe)] = Universe()
    expected_returns: Forecast | None = None
    views: Annotated[tuple[View, ...], BeforeValidator(_tuple)] = ()
    risk: Risk = Risk()
    benchmark: str = ""
    holdings: Held | None = None
    constraints: Limits = Limits()
    costs: Costs | None = None
    commission: CommissionTerms = CommissionTerms()

    @model_validator(mode="after")
    def _money(self) -> Self:
        if self.holdings is None and self.capital is None:
            raise ValueError("capital is missing; give the yuan to invest, or holdings with cash")
        if self.holdings is not None and self.capital is not None:
            raise ValueError("capital and holdings are both given; the capital is what is held and its cash")
        if self.views and self.method != "black_litterman":
            raise ValueError(
                f"views are used by the method black_litterman only, the method is {self.method}"
            )
        if self.benchmark and self.benchmark not in {"equal", "cap"} and not self.benchmark.endswith(".csv"):
            raise ValueError(f'benchmark: found "{self.benchmark:.40}"; valid is equal, cap or FILE.csv')
        return self
