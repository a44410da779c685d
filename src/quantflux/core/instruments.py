"""Who a symbol was on a given day: names, boards, special treatment and codes change, identity does not.

Each `Instrument` row says what was true from `valid_from` until the same instrument's next row. `instrument_id` never
changes, so an instrument keeps its history when its code does (Beijing recoded every share on 2025-10-09), and a
code that is given away again is not mistaken for its former owner.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import groupby, pairwise
from operator import attrgetter
from unicodedata import normalize

import numpy as np
import pyarrow as pa

from quantflux.core.axes import When, moment_of
from quantflux.core.calendar import TradingCalendar
from quantflux.core.errors import InvalidData, InvalidRequest, NotFound, UnknownSymbol
from quantflux.core.instrument_rows import Instrument, Status, rows_of, table_of

__all__ = ["Instrument", "InstrumentTable", "Status"]

_DAY = np.dtype("datetime64[D]")
_EVER = np.datetime64("9999-12-31") + np.timedelta64(1, "D")


class InstrumentTable:
    """Every instrument over time.

    The earliest row of an instrument also holds for the time from its `list_date` to its `valid_from`: a snapshot
    taken today still knows who was listed in the past, though not under which name. What is under special treatment
    today was not known to be then, so that status is not carried back.

    Parameters
    ----------
    rows : iterable of Instrument
        In any order.

    Raises
    ------
    InvalidData
        If an instrument has two rows from one day, or two instruments hold one symbol at the same time.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from quantflux.core.symbols import Board
    >>> old = Instrument("BSE:NSLD", "430047.BJ", "诺思兰德", Board.BSE, "医药生物", Status.NORMAL,
    ...                  date(2020, 11, 24), None, date(2021, 11, 15))
    >>> table = InstrumentTable([old, replace(old, symbol="920047.BJ", valid_from=date(2025, 10, 9))])
    >>> table.resolve("430047.BJ", "2024-01-02").name, table.latest("430047.BJ").symbol
    ('诺思兰德', '920047.BJ')
    """

    def __init__(self, rows: Iterable[Instrument]) -> None:
        self._rows = sorted(rows, key=attrgetter("instrument_id", "valid_from"))
        self._refuse_repeats()
        self._by_id = {key: list(rows) for key, rows in groupby(self._rows, attrgetter("instrument_id"))}
        self._starts, self._ends = self._validity()
        self._listed_from, self._listed_to = self._listing()
        self._by_symbol: dict[str, list[int]] = {}
        for i in np.argsort(self._starts, kind="stable").tolist():
            self._by_symbol.setdefault(self._rows[i].symbol, []).append(i)
        self._refuse_overlaps()

    @classmethod
    def from_table(cls, table: pa.Table) -> InstrumentTable:
        """Return the instruments of a table with the columns of the `instruments` dataset."""
        return cls(rows_of(table))

    def to_table(self) -> pa.Table:
        """Return the rows as a table of the `instruments` dataset, sorted by symbol and `valid_from`."""
        return table_of(sorted(self._rows, key=attrgetter("symbol", "valid_from")))

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Instrument]:
        return iter(self._rows)

    @property
    def symbols(self) -> list[str]:
        """Every symbol that was ever in use, sorted."""
        return sorted(self._by_symbol)

    def at(self, day: When) -> list[Instrument]:
        """Return every instrument known on a day as it stood then, delisted ones included, sorted by symbol."""
        moment = moment_of(day, _DAY, end_of_day=False)
        valid = np.flatnonzero((self._starts <= moment) & (moment < self._ends))
        return sorted((self._rows[i] for i in valid), key=attrgetter("symbol"))

    def listed(self, day: When) -> np.ndarray:
        """Return the symbols that were listed on a day, sorted: the universe free of hindsight."""
        moment = moment_of(day, _DAY, end_of_day=False)
        valid = np.flatnonzero((self._listed_from <= moment) & (moment < self._listed_to))
        return np.array(sorted({self._rows[i].symbol for i in valid}), dtype=np.str_)

    def resolve(self, symbol: str, day: When) -> Instrument:
        """Return who held a symbol on a day, or held it last before it was delisted.

        Raises
        ------
        UnknownSymbol
            If nobody did; where the holder has moved on, its later symbol is named.
        """
        moment = moment_of(day, _DAY, end_of_day=False)
        rows = [i for i in self._by_symbol.get(symbol, ()) if self._starts[i] <= moment]
        holding = [i for i in rows if moment < self._ends[i]]
        if holding:
            return self._rows[max(holding, key=lambda i: (moment < self._listed_to[i], self._starts[i]))]
        later = [self._by_id[self._rows[rows[-1]].instrument_id][-1].symbol] if rows else []
        raise UnknownSymbol([symbol], f"the instrument table on {moment}", later)

    def history(self, instrument_id: str) -> list[Instrument]:
        """Return all rows of one instrument in time order; `NotFound` if there are none."""
        if instrument_id not in self._by_id:
            raise NotFound(f"no instrument has the id {instrument_id!r}; resolve a symbol to find one")
        return list(self._by_id[instrument_id])

    def latest(self, symbol: str) -> Instrument:
        """Return the present row of the instrument that bore a symbol last, whatever it is called now."""
        if symbol not in self._by_symbol:
            raise UnknownSymbol([symbol], "the instrument table")
        return self._by_id[self._rows[self._by_symbol[symbol][-1]].instrument_id][-1]

    def is_st(self, symbol: str, day: When) -> bool:
        """Whether a symbol was known to be under special treatment (ST or *ST) on a day.

        Raises
        ------
        UnknownSymbol
            If nobody held it.
        """
        row = self.resolve(symbol, day)
        moment = moment_of(day, _DAY, end_of_day=False)
        return row.status.is_st and bool(np.datetime64(row.valid_from, "D") <= moment)

    def search(self, text: str, limit: int = 20) -> list[Instrument]:
        """Return present rows of instruments whose code starts with, or whose name ever contained, a text.

        Full and half width, case and blanks do not matter. Codes come before names, beginnings before middles.
        """
        if limit < 1:
            raise InvalidRequest(f"limit is a number from 1 on, was {limit}")
        wanted = _folded(text)
        if not wanted:
            return []
        best: dict[str, tuple[int, str]] = {}
        for row in self._rows:
            rank = _match_rank(row, wanted)
            if rank is not None:
                best[row.instrument_id] = min(best.get(row.instrument_id, (9, "")), (rank, row.symbol))
        return [self._by_id[found][-1] for found in sorted(best, key=best.__getitem__)[:limit]]

    def listing_age(self, symbol: str, day: When, calendar: TradingCalendar) -> int:
        """Return how many sessions lie between an instrument's listing and a day: 0 on the first one.

        Raises
        ------
        UnknownSymbol
            If the symbol was not listed on that day.
        """
        moment = moment_of(day, _DAY, end_of_day=False)
        age = int(self.listing_ages(np.array([moment]), [symbol], calendar)[0, 0])
        if age < 0:
            raise UnknownSymbol([symbol], f"the list of shares listed on {moment}")
        return age

    def listed_mask(self, days: np.ndarray, symbols: Sequence[str] | np.ndarray) -> np.ndarray:
        """Return where a symbol was listed: bool of shape (T, N) for a panel's axes; unknown symbols never are."""
        return self._painted(days, symbols, self._listed_from, self._listed_to)

    def st_mask(self, days: np.ndarray, symbols: Sequence[str] | np.ndarray) -> np.ndarray:
        """Return where a listed symbol was known to be under special treatment (ST or *ST): bool of shape (T, N)."""
        treated = np.array([row.status.is_st for row in self._rows], dtype=bool)
        known = np.array([row.valid_from for row in self._rows], dtype=_DAY)
        starts = np.maximum(self._listed_from, known)
        return self._painted(days, symbols, starts, np.where(treated, self._listed_to, starts))

    def list_dates(self, symbols: Sequence[str] | np.ndarray) -> np.ndarray:
        """Return the day of listing of whoever bore each symbol last: datetime64[D] of shape (N,), NaT if unknown."""
        dates = np.full(len(symbols), np.datetime64("NaT"), dtype=_DAY)
        for column, symbol in enumerate(symbols):
            for i in self._by_symbol.get(str(symbol), ()):  # in order of time
                if (day := self._rows[i].list_date) is not None:
                    dates[column] = day
        return dates

    def listing_ages(
        self, days: np.ndarray, symbols: Sequence[str] | np.ndarray, calendar: TradingCalendar
    ) -> np.ndarray:
        """Return sessions since listing: int32 of shape (T, N), 0 on the first session, -1 where not listed.

        An instrument without a list date counts from its earliest row.
        """
        days = _days(days)
        ages = np.full((len(days), len(symbols)), -1, dtype=np.int32)
        born = self._born()
        held, born_at = calendar.sessions_before(days), calendar.sessions_before(born)
        for column, i, rows in self._spans(days, symbols, self._listed_from, self._listed_to):
            ages[rows, column] = held[rows] - born_at[i]
        return ages

    def _painted(
        self, days: np.ndarray, symbols: Sequence[str] | np.ndarray, starts: np.ndarray, ends: np.ndarray
    ) -> np.ndarray:
        days = _days(days)
        mask = np.zeros((len(days), len(symbols)), dtype=bool)
        for column, _, rows in self._spans(days, symbols, starts, ends):
            mask[rows, column] = True
        return mask

    def _spans(
        self, days: np.ndarray, symbols: Sequence[str] | np.ndarray, starts: np.ndarray, ends: np.ndarray
    ) -> Iterator[tuple[int, int, slice]]:
        """Yield the column, the row of this table and the rows of the panel for which it holds."""
        first, last = np.searchsorted(days, starts), np.searchsorted(days, ends)
        for column, symbol in enumerate(symbols):
            for i in self._by_symbol.get(str(symbol), ()):
                if first[i] < last[i]:
                    yield column, i, slice(first[i], last[i])

    def _validity(self) -> tuple[np.ndarray, np.ndarray]:
        """Return for each row the first day it holds and the first day it no longer does."""
        starts = np.array([row.valid_from for row in self._rows], dtype=_DAY)
        ends = np.full(len(self._rows), _EVER, dtype=_DAY)
        for i, row in enumerate(self._rows):
            if i and self._rows[i - 1].instrument_id == row.instrument_id:
                ends[i - 1] = starts[i]
            elif row.list_date is not None:
                starts[i] = min(starts[i], np.datetime64(row.list_date, "D"))
        return starts, ends

    def _listing(self) -> tuple[np.ndarray, np.ndarray]:
        """Return for each row the days on which its symbol was listed, empty once it is delisted."""
        listed = np.array([row.list_date or date.min for row in self._rows], dtype=_DAY)
        gone = np.array([row.delist_date or date.max for row in self._rows], dtype=_DAY)
        gone[gone == np.datetime64(date.max, "D")] = _EVER
        delisted = np.array([row.status is Status.DELISTED for row in self._rows], dtype=bool)
        starts = np.maximum(self._starts, listed)
        return starts, np.where(delisted, starts, np.minimum(self._ends, gone))

    def _born(self) -> np.ndarray:
        born = self._starts.copy()
        for i, row in enumerate(self._rows):
            if row.list_date is not None:
                born[i] = row.list_date
            elif i and self._rows[i - 1].instrument_id == row.instrument_id:
                born[i] = born[i - 1]
        return born

    def _refuse_repeats(self) -> None:
        for one, other in pairwise(self._rows):
            if (one.instrument_id, one.valid_from) == (other.instrument_id, other.valid_from):
                raise InvalidData(
                    f"instrument {one.instrument_id} has two rows from {one.valid_from}: {one.symbol}, {other.symbol}",
                    dataset="instruments",
                    column="valid_from",
                    rule="one row for each instrument and day",
                )

    def _refuse_overlaps(self) -> None:
        """Refuse two instruments under one symbol; a delisted one has let go of it."""
        for symbol, rows in self._by_symbol.items():
            holders = [i for i in rows if self._rows[i].status is not Status.DELISTED]
            for one, other in pairwise(holders):
                owner, rival = self._rows[one].instrument_id, self._rows[other].instrument_id
                if owner != rival and self._starts[other] < self._listed_to[one]:
                    raise InvalidData(
                        f"{symbol} belongs to two instruments on {self._starts[other]}: {owner} and {rival}",
                        dataset="instruments",
                        column="symbol",
                        rule="one instrument for each symbol and day",
                    )


def _days(days: np.ndarray) -> np.ndarray:
    return np.asarray(days).astype(_DAY, copy=False)


def _folded(text: str) -> str:
    return "".join(normalize("NFKC", text).casefold().split())


def _match_rank(row: Instrument, wanted: str) -> int | None:
    """Return how well a row matches, 0 best; None if it does not."""
    code, name = row.symbol.casefold(), _folded(row.name)
    if code.startswith(wanted):
        return 0 if wanted in (code, code[:6]) else 1
    if wanted not in name:
        return None
    return 2 if name.startswith(wanted) else 3
