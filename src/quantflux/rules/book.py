"""The rule book for people: every rule in force on a day, in words, with since when and by whose word."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from quantflux.core.errors import InvalidRequest
from quantflux.core.symbols import Board, Exchange, exchange_of
from quantflux.rules.boards import FUND, boards_of
from quantflux.rules.dated import ALL, DatedRow, Tables
from quantflux.rules.dividend_tax import dividend_tax_table
from quantflux.rules.fees import fee_tables
from quantflux.rules.limits import Rounding, limit_tables
from quantflux.rules.lots import lot_tables
from quantflux.rules.price_cage import price_cage_tables
from quantflux.rules.sessions import session_tables
from quantflux.rules.settlement import settlement_tables
from quantflux.rules.ticks import tick_scope, tick_tables

_EXCHANGES = {
    Board.MAIN: (Exchange.SSE, Exchange.SZSE),
    Board.CHINEXT: (Exchange.SZSE,),
    Board.STAR: (Exchange.SSE,),
    Board.BSE: (Exchange.BSE,),
    Board.B_SHARE: (Exchange.SSE, Exchange.SZSE),
}
BOARDS = tuple(board.value for board in _EXCHANGES)
"""Boards that have rules."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One rule in force.

    Attributes
    ----------
    rule, scope : str
        Which rule, and of whom: a board, an exchange, or `all`.
    text : str
        What it says.
    values : mapping
        The same as numbers and texts.
    since : date
    until : date or None
        Last day of it that is known: the day before the next row; None if there is none.
    source : str
    """

    rule: str
    scope: str
    text: str
    values: Mapping[str, Any]
    since: date
    until: date | None
    source: str


def rules_on(day: date, board: str | None = None, symbol: str | None = None) -> list[Entry]:
    """Return every rule in force on a day.

    Parameters
    ----------
    day : date
    board : str, optional
        Only rules that concern shares of this board; one of `BOARDS`.
    symbol : str, optional
        Only rules that concern this symbol, in canonical form.

    Raises
    ------
    InvalidRequest
        If there is no such board, or both are given.

    Examples
    --------
    >>> [limit] = [e for e in rules_on(date(2024, 6, 3), symbol="688981.SH") if e.rule == "price limit"]
    >>> limit.scope, limit.text, str(limit.since)
    ('star', '±20 %, rounded half up', '2019-07-22')
    """
    if board is not None and symbol is not None:
        raise InvalidRequest(f"ask for a board or a symbol, not both; was given {board!r} and {symbol!r}")
    wanted = _scopes_of_symbol(symbol) if symbol else _scopes_of_board(board) if board else None
    return [entry for entry in _every_rule(day) if wanted is None or entry.scope in wanted]


def _scopes_of_board(board: str) -> set[str]:
    if board not in BOARDS:
        raise InvalidRequest(f"no board is called {board!r}; there are: {', '.join(BOARDS)}")
    exchanges = [exchange.value for exchange in _EXCHANGES[Board(board)]]
    return {"all", board, *exchanges, *(f"{board}_{exchange.lower()}" for exchange in exchanges)}


def _scopes_of_symbol(symbol: str) -> set[str]:
    board = boards_of([symbol])[0]
    return {"all", board or FUND, exchange_of(symbol).value, tick_scope(symbol, board)}


def _every_rule(day: date) -> Iterator[Entry]:
    for title, tables, name, describe in _topics():
        for scope, table in tables[name].items():
            row = table.on(day)
            if row is not None:
                change = table.change_after(day)
                until = None if change is None else date.fromordinal(change.toordinal() - 1)
                yield Entry(title, scope or "all", describe(row), row.values, row.since, until, row.source)


def _topics() -> list[tuple[str, Tables, str, Callable[[DatedRow], str]]]:
    """Return the title of each rule, its tables and name, and how a row reads, in the order of the book."""
    limits, sessions, fees = limit_tables(), session_tables(), fee_tables()
    return [
        ("price limit", limits, "price_limit", _price_limit),
        ("price limit, ST", limits, "special_limit", lambda row: f"±{_percent(row['ratio'])}"),
        ("new listing", limits, "free_days", _free_days),
        ("issue price", limits, "first_day", _first_day),
        ("delisting", limits, "delisting_free_days", _free_days),
        ("tick", tick_tables(), "tick", lambda row: f"{row['tick']} {row['currency']}"),
        ("lot", lot_tables(), "lot", _lot),
        ("price cage", price_cage_tables(), "price_cage", _price_cage),
        ("session", sessions, "session", _session),
        ("after hours", sessions, "after_hours", lambda row: f"{row['span']} at the close"),
        ("settlement", settlement_tables(), "settlement", lambda row: f"T+{row['days']}"),
        ("stamp duty", fees, "stamp_duty", _both_sides),
        ("transfer fee", fees, "transfer_fee", _both_sides),
        ("commission", fees, "commission", _commission),
        ("handling fee", fees, "handling_fee", _inside),
        ("regulatory fee", fees, "regulatory_fee", _inside),
        ("dividend tax", {"": {ALL: dividend_tax_table()}}, "", _dividend_tax),
    ]


def _percent(ratio: float) -> str:
    """Write a fraction as a percentage.

    Examples
    --------
    >>> _percent(0.1), _percent(0.0000341)
    ('10 %', '0.00341 %')
    """
    return f"{ratio * 100:.6f}".rstrip("0").rstrip(".") + " %"


def _days(count: int) -> str:
    return "first day" if count == 1 else f"first {count} days"


def _price_limit(row: DatedRow) -> str:
    rounding = {Rounding.HALF_UP: "rounded half up", Rounding.INWARD: "cut off inward"}[row["rounding"]]
    return f"±{_percent(row['ratio'])}, {rounding}"


def _free_days(row: DatedRow) -> str:
    return f"{_days(row['days'])} without limit"


def _first_day(row: DatedRow) -> str:
    if not row["up"]:
        return "no bound"
    return f"first day -{_percent(row['down'])} to +{_percent(row['up'])} of it"


def _lot(row: DatedRow) -> str:
    market = f", {row['most_market']:,} at market" if row["most_market"] != row["most"] else ""
    return f"{row['smallest']} by {row['step']}, most {row['most']:,}{market}"


def _price_cage(row: DatedRow) -> str:
    least = f" or {row['ticks']} ticks" if row["ticks"] else ""
    return f"{_percent(row['ratio'])}{least} off the best"


def _session(row: DatedRow) -> str:
    parts = [f"call {row['opening_call']}", row["morning"], row["afternoon"]]
    return ", ".join(parts + ([f"call {row['closing_call']}"] if row["closing_call"] else []))


def _both_sides(row: DatedRow) -> str:
    if row["buy"] == row["sell"]:
        return f"{_percent(row['buy'])} on either side"
    return f"buys {_percent(row['buy'])}, sales {_percent(row['sell'])}"


def _commission(row: DatedRow) -> str:
    return f"at most {_percent(row['ceiling'])}, at least {row['minimum']:g} yuan"


def _inside(row: DatedRow) -> str:
    return f"{_percent(row['rate'])}, in commission"


def _dividend_tax(row: DatedRow) -> str:
    *ended, last = row["rates"]
    held = [
        f"{_percent(rate)} up to {_months(months)}" for rate, months in zip(ended, row["months"], strict=True)
    ]
    return ", ".join([*held, f"then {_percent(last)}" if held else _percent(last)])


def _months(months: float) -> str:
    return {1: "a month", 12: "a year"}.get(int(months), f"{months:g} months")
