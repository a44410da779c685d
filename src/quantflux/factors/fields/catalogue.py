"""Every field that a factor may read, by name: what it is, its unit and where it comes from.

A field's source describes it; `loading` fetches it. The names are those that expressions use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from types import MappingProxyType

from quantflux.core.errors import NotFound
from quantflux.data.adjustment import FACTOR
from quantflux.data.schema import CHIP, DAILY, DAILY_BASIC, INSTRUMENTS, MONEYFLOW, Dataset, dataset
from quantflux.factors.fields.descriptions import CHIPS, FLOWS, LEVELS, ORDER_SIZES, VALUATIONS, Item


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a daily dataset, as it is stored: no value is carried to another day."""

    dataset: Dataset
    column: str

    @property
    def columns(self) -> tuple[str, ...]:
        """What is read of the dataset; so for every source."""
        return (self.column,)

    def __str__(self) -> str:
        return f"{self.dataset.name}.{self.column}"


@dataclass(frozen=True, slots=True)
class AdjustedPrice:
    """A price of the daily bars, adjusted backward: times the bar's `adj_factor`."""

    column: str
    dataset: Dataset = DAILY

    @property
    def columns(self) -> tuple[str, ...]:
        """The price and the factor."""
        return (self.column, FACTOR)

    def __str__(self) -> str:
        return f"{self.dataset.name}: {self.column} x adj_factor"


@dataclass(frozen=True, slots=True)
class AdjustmentFactor:
    """What turns raw prices into adjusted ones."""

    dataset: Dataset = DAILY
    columns: tuple[str, ...] = (FACTOR,)

    def __str__(self) -> str:
        return f"{self.dataset.name}.adj_factor, or 1 for symbols without any"


@dataclass(frozen=True, slots=True)
class AveragePrice:
    """Volume-weighted average price, adjusted backward."""

    dataset: Dataset = DAILY
    columns: tuple[str, ...] = ("amount", "volume", "high", "low", "close", FACTOR)

    def __str__(self) -> str:
        return f"{self.dataset.name}: amount / volume x adj_factor"


@dataclass(frozen=True, slots=True)
class Industry:
    """The industry a symbol belongs to."""

    dataset: Dataset = INSTRUMENTS
    columns: tuple[str, ...] = ("industry", "list_date")

    def __str__(self) -> str:
        return f"{self.dataset.name}.industry, numbered"


@dataclass(frozen=True, slots=True)
class Level:
    """An amount at the end of the newest report's period, or one year before."""

    item: Item
    previous_year: bool = False

    @property
    def dataset(self) -> Dataset:
        """The statement."""
        return dataset(self.item.statement)

    @property
    def columns(self) -> tuple[str, ...]:
        """The item's columns."""
        return self.item.columns

    def __str__(self) -> str:
        before = ", one year before" if self.previous_year else ""
        return f"{self.item}, newest report{before}"


@dataclass(frozen=True, slots=True)
class AverageLevel:
    """The mean of an amount in the newest report and the one before it."""

    item: Item

    @property
    def dataset(self) -> Dataset:
        """The statement."""
        return dataset(self.item.statement)

    @property
    def columns(self) -> tuple[str, ...]:
        """The item's columns."""
        return self.item.columns

    def __str__(self) -> str:
        return f"{self.item}, mean of the two newest reports"


@dataclass(frozen=True, slots=True)
class TrailingYear:
    """The sum of a flow over four quarters up to the newest report, or up to one year before."""

    item: Item
    previous_year: bool = False

    @property
    def dataset(self) -> Dataset:
        """The statement."""
        return dataset(self.item.statement)

    @property
    def columns(self) -> tuple[str, ...]:
        """The item's columns."""
        return self.item.columns

    def __str__(self) -> str:
        before = " one year before" if self.previous_year else ""
        return f"{self.item}, four quarters up to the newest report{before}"


Source = (
    Column | AdjustedPrice | AdjustmentFactor | AveragePrice | Industry | Level | AverageLevel | TrailingYear
)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the catalogue.

    Attributes
    ----------
    meaning : str
    unit : str
        yuan, shares, percent, ratio, days, or empty for codes.
    source : Source
        Where it comes from; its text says so in a line.
    """

    name: str
    meaning: str
    unit: str
    source: Source


def _bars() -> Iterator[Field]:
    for name, words in (
        ("open", "opening price"),
        ("high", "highest price"),
        ("low", "lowest price"),
        ("close", "closing price"),
    ):
        yield Field(name, f"{words}, adjusted backward", "yuan", AdjustedPrice(name))
        yield Field(f"raw_{name}", f"{words} as traded", "yuan", Column(DAILY, name))
    yield Field("volume", "shares traded, as traded", "shares", Column(DAILY, "volume"))
    yield Field("amount", "value traded", "yuan", Column(DAILY, "amount"))
    yield Field("vwap", "average price of the day, adjusted backward", "yuan", AveragePrice())
    yield Field("adj_factor", "what backward adjustment multiplies prices by", "ratio", AdjustmentFactor())


def _columns(source: Dataset, meanings: Mapping[str, str]) -> Iterator[Field]:
    for name, meaning in meanings.items():
        yield Field(name, meaning, source.by_name[name].unit, Column(source, name))


def _orders() -> Iterator[Field]:
    for size, words in ORDER_SIZES.items():
        for side, verb in (("buy", "bought"), ("sell", "sold")):
            shares, yuan = f"{side}_{size}_vol", f"{side}_{size}_amount"
            yield Field(shares, f"shares {verb} in {words}", "shares", Column(MONEYFLOW, shares))
            yield Field(yuan, f"value {verb} in {words}", "yuan", Column(MONEYFLOW, yuan))
    for name, words in (("net_mf_vol", "shares"), ("net_mf_amount", "value")):
        meaning = f"net inflow, {words}, as the vendor defines it"
        yield Field(name, meaning, MONEYFLOW.by_name[name].unit, Column(MONEYFLOW, name))


def _statements() -> Iterator[Field]:
    for name, item in FLOWS.items():
        words = f"{item.meaning} of the last four quarters reported"
        yield Field(f"{name}_ttm", words, "yuan", TrailingYear(item))
        before = f"{name}_ttm_prev_year"
        yield Field(before, f"{words}, one year before", "yuan", TrailingYear(item, previous_year=True))
    for name, item in LEVELS.items():
        yield Field(name, f"{item.meaning} in the newest report", "yuan", Level(item))
        words = f"{item.meaning} one year before the newest report"
        yield Field(f"{name}_prev_year", words, "yuan", Level(item, previous_year=True))
        words = f"{item.meaning}, mean of the two newest reports"
        yield Field(f"{name}_average", words, "yuan", AverageLevel(item))


@cache
def catalogue() -> Mapping[str, Field]:
    """Return every field by name.

    Examples
    --------
    >>> print(catalogue()["pe_ttm"].source, "|", catalogue()["net_profit_ttm"].source)
    stock_daily_basic.pe_ttm | income_statement.n_income_attr_p, four quarters up to the newest report
    """
    cap = Field("cap", "market value of all shares: total_mv", "yuan", Column(DAILY_BASIC, "total_mv"))
    group = Field("industry", "industry, as a whole number; its name is among the labels", "", Industry())
    every = (
        *_bars(),
        *_columns(DAILY_BASIC, VALUATIONS),
        cap,
        *_orders(),
        *_columns(CHIP, CHIPS),
        group,
        *_statements(),
    )
    return MappingProxyType({field.name: field for field in every})


def field_named(name: str) -> Field:
    """Return a field of the catalogue.

    Raises
    ------
    NotFound
        Naming similar fields.
    """
    known = catalogue()
    if name not in known:
        similar = get_close_matches(name, known, n=3, cutoff=0.6)
        hint = f"similar: {', '.join(similar)}" if similar else f"there are: {', '.join(known)}"
        raise NotFound(f"no field is called {name!r}; {hint}")
    return known[name]
