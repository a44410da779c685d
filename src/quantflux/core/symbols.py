"""Security codes: one canonical form, every vendor's spelling in and out.

The canonical form is six ASCII digits, a dot and the exchange: `600519.SH`, `000001.SZ`, `430047.BJ`. A
code without an exchange is placed by `CODE_RULES`, the exchanges' own number ranges; what no rule covers
(funds, bonds and indices share ranges between exchanges) must name its exchange. Text is matched whole and
in ASCII only, so that a symbol can become part of a path, a query or a log line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quantflux.core.errors import InvalidRequest, Unsupported

SYMBOL_PATTERN = r"^[0-9]{6}\.(SH|SZ|BJ)\z"
"""Canonical symbols, for RE2 (Arrow): ASCII digits only; `\\z`, for `$` lets a trailing newline through."""


class Exchange(StrEnum):
    """The three stock exchanges of the mainland."""

    SSE = "SSE"
    SZSE = "SZSE"
    BSE = "BSE"

    @property
    def suffix(self) -> str:
        """The canonical ending of its symbols."""
        return _SUFFIX_OF[self]


_SUFFIX_OF = {Exchange.SSE: "SH", Exchange.SZSE: "SZ", Exchange.BSE: "BJ"}
_EXCHANGE_OF = {suffix: exchange for exchange, suffix in _SUFFIX_OF.items()}


class Board(StrEnum):
    """The boards of the three exchanges; each has its own price limits and lots. `other` is what is no share."""

    MAIN = "main"
    CHINEXT = "chinext"
    STAR = "star"
    BSE = "bse"
    B_SHARE = "b_share"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class CodeRule:
    """One range of share codes.

    Attributes
    ----------
    prefix : str
        First digits of the code.
    since, until : date or None
        First day on which such a code could trade, and first day on which none can any more; None means since
        the exchange opened, and still in use. Vendors relabel history, so a code is placed whatever the day.
    """

    prefix: str
    exchange: Exchange
    board: Board
    note: str
    since: date | None = None
    until: date | None = None

    def in_use(self, day: date) -> bool:
        """Whether the exchange gave quotes under such a code on `day`."""
        return (self.since is None or self.since <= day) and (self.until is None or day < self.until)


_BSE_OPENED, _BSE_RECODED = date(2021, 11, 15), date(2025, 10, 9)

CODE_RULES = (
    CodeRule("600", Exchange.SSE, Board.MAIN, "Shanghai A"),
    CodeRule("601", Exchange.SSE, Board.MAIN, "Shanghai A"),
    CodeRule("603", Exchange.SSE, Board.MAIN, "Shanghai A"),
    CodeRule("605", Exchange.SSE, Board.MAIN, "Shanghai A"),
    CodeRule("688", Exchange.SSE, Board.STAR, "STAR market", date(2019, 7, 22)),
    CodeRule("689", Exchange.SSE, Board.STAR, "STAR depositary receipts", date(2020, 10, 29)),
    CodeRule("900", Exchange.SSE, Board.B_SHARE, "Shanghai B, quoted in US dollars", date(1992, 2, 21)),
    CodeRule("000", Exchange.SZSE, Board.MAIN, "Shenzhen A"),
    CodeRule("001", Exchange.SZSE, Board.MAIN, "Shenzhen A"),
    CodeRule(
        "002",
        Exchange.SZSE,
        Board.MAIN,
        "the SME board, part of the main board since 2021",
        date(2004, 6, 25),
    ),
    CodeRule("003", Exchange.SZSE, Board.MAIN, "Shenzhen A"),
    CodeRule(
        "200", Exchange.SZSE, Board.B_SHARE, "Shenzhen B, quoted in Hong Kong dollars", date(1992, 2, 28)
    ),
    CodeRule("300", Exchange.SZSE, Board.CHINEXT, "ChiNext", date(2009, 10, 30)),
    CodeRule("301", Exchange.SZSE, Board.CHINEXT, "ChiNext"),
    CodeRule("302", Exchange.SZSE, Board.CHINEXT, "ChiNext"),
    CodeRule("43", Exchange.BSE, Board.BSE, "Beijing, from the third board", _BSE_OPENED, _BSE_RECODED),
    CodeRule("81", Exchange.BSE, Board.BSE, "Beijing depositary receipts", _BSE_OPENED),
    CodeRule("83", Exchange.BSE, Board.BSE, "Beijing, from the third board", _BSE_OPENED, _BSE_RECODED),
    CodeRule("87", Exchange.BSE, Board.BSE, "Beijing, from the third board", _BSE_OPENED, _BSE_RECODED),
    CodeRule("88", Exchange.BSE, Board.BSE, "Beijing, from the third board", _BSE_OPENED, _BSE_RECODED),
    CodeRule(
        "92",
        Exchange.BSE,
        Board.BSE,
        "Beijing's own range, for every share since 2025-10-09",
        date(2024, 4, 22),
    ),
)
"""Ranges of share codes. A first digit alone decides nothing: 900xxx is Shanghai B, 920xxx is Beijing."""

_RULE_BY_PREFIX = {rule.prefix: rule for rule in CODE_RULES}

_MARKETS = {
    **dict.fromkeys(("SH", "SS", "SSE", "SHSE", "XSHG"), "SH"),
    **dict.fromkeys(("SZ", "SZSE", "XSHE"), "SZ"),
    **dict.fromkeys(("BJ", "BSE", "XBSE"), "BJ"),
}
"""Exchange names as vendors write them, upper-cased."""

_CANONICAL = re.compile(r"[0-9]{6}\.(?:SH|SZ|BJ)")
_CODE_FIRST = re.compile(r"([0-9]{6})(?:\.([A-Z]{2,4}))?")
_MARKET_FIRST = re.compile(r"([A-Z]{2,4})\.?([0-9]{6})")
_LONGEST = 11  # SHSE.600519, 600519.XSHG
_VALID = "valid are 600519.SH, sh600519, sz.000001, 600519.XSHG or a six-digit share code such as 600519"


def is_canonical(text: str) -> bool:
    """Whether `text` is a symbol in canonical form.

    Examples
    --------
    >>> is_canonical("600519.SH"), is_canonical("600519.SH\\n"), is_canonical("sh600519")
    (True, False, False)
    """
    return _CANONICAL.fullmatch(text) is not None


def parse_symbol(text: str | int) -> str:
    """Return the canonical form of a security code.

    Parameters
    ----------
    text : str or int
        `600519.SH`, `sh600519`, `SH.600519`, `600519.XSHG`, `600519.SS` ..., in any case; a bare share code;
        or a number from a file that lost its leading zeros (1 is 000001.SZ).

    Raises
    ------
    InvalidRequest
        If it is none of these, if no exchange can be told from a bare code, or if the exchange named cannot
        list that code.

    Examples
    --------
    >>> [parse_symbol(s) for s in ("sh600519", "000001", "920047", "000300.XSHG", 2)]
    ['600519.SH', '000001.SZ', '920047.BJ', '000300.SH', '000002.SZ']
    """
    if isinstance(text, (int, np.integer)) and not isinstance(text, bool):
        return _parse_number(int(text))
    if not isinstance(text, str):
        raise InvalidRequest(f"a symbol is text or a whole number, was {_shown(text)}; {_VALID}")
    if len(text) > _LONGEST or not text.isascii():
        raise InvalidRequest(f"{_shown(text)} is not a symbol; {_VALID}")
    return _parse_text(text)


def _parse_number(number: int) -> str:
    if not 1 <= number <= 999_999:
        raise InvalidRequest(f"a numeric code lies in 1 .. 999999, was {_shown(number)}; {_VALID}")
    return _parse_text(f"{number:06d}")


@lru_cache(maxsize=16_384)  # every listed share of three exchanges, in two spellings
def _parse_text(text: str) -> str:
    upper = text.upper()
    if match := _CODE_FIRST.fullmatch(upper):
        code, market = match.groups()
    elif match := _MARKET_FIRST.fullmatch(upper):
        market, code = match.groups()
    else:
        raise InvalidRequest(f"{_shown(text)} is not a symbol; {_VALID}")
    rule = _rule(code)
    if market is None:
        if rule is None:
            raise InvalidRequest(
                f"{code} is in no range of share codes, so its exchange must be named: "
                f"{code}.SH, {code}.SZ or {code}.BJ"
            )
        return f"{code}.{rule.exchange.suffix}"
    suffix = _MARKETS.get(market)
    if suffix is None:
        raise InvalidRequest(f"{_shown(text)} names no exchange we know; known: {', '.join(_MARKETS)}")
    if rule is not None and suffix != rule.exchange.suffix and not _is_index(code, suffix):
        raise InvalidRequest(
            f"{_shown(text)} contradicts itself: codes {rule.prefix}... belong to {rule.exchange} "
            f"({rule.note}); did you mean {code}.{rule.exchange.suffix}?"
        )
    return f"{code}.{suffix}"


def _rule(code: str) -> CodeRule | None:
    return _RULE_BY_PREFIX.get(code[:3]) or _RULE_BY_PREFIX.get(code[:2])


def _is_index(code: str, suffix: str) -> bool:
    """Shanghai numbers its indices 000xxx, the range of Shenzhen's shares: 000300.SH is the CSI 300."""
    return suffix == "SH" and code.startswith("000")


def _shown(value: object) -> str:
    """Return a value for a message: escaped, and never longer than a line."""
    text = ascii(value)
    return text if len(text) <= 40 else f"{text[:30]}... ({len(text)} characters)"


def parse_symbols(values: Sequence[str | int] | np.ndarray | pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return the canonical form of many codes; each distinct spelling is parsed once.

    Parameters
    ----------
    values : sequence, numpy array or Arrow array of str or int, length n

    Returns
    -------
    pyarrow.StringArray of length n

    Raises
    ------
    InvalidRequest
        Naming the first five bad values and how many there are, nulls included.

    Examples
    --------
    >>> parse_symbols(["sh600519", "000001", "sh600519"]).to_pylist()
    ['600519.SH', '000001.SZ', '600519.SH']
    """
    if isinstance(values, np.ndarray) and values.dtype.kind == "U":
        values = values.tolist()
    try:
        array = values if isinstance(values, (pa.Array, pa.ChunkedArray)) else pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise InvalidRequest(f"symbols must be all text or all whole numbers: {error}; {_VALID}") from error
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if len(array) == 0:
        return pa.array([], pa.string())
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    encoded = pc.dictionary_encode(array, null_encoding="encode")
    parsed, problems = [], []
    for value in encoded.dictionary.to_pylist():
        try:
            parsed.append(parse_symbol(value))
        except InvalidRequest as error:
            problems.append((value, error))
    if problems:
        first = "; ".join(_shown(value) for value, _ in problems[:5])
        raise InvalidRequest(
            f"{len(problems)} distinct symbols are not valid: {first}. First: {problems[0][1]}"
        )
    return pa.array(parsed, pa.string()).take(encoded.indices)


def exchange_of(symbol: str) -> Exchange:
    """Return the exchange of a canonical symbol.

    Examples
    --------
    >>> exchange_of("900901.SH"), exchange_of("920047.BJ")
    (<Exchange.SSE: 'SSE'>, <Exchange.BSE: 'BSE'>)
    """
    return _EXCHANGE_OF[_canonical(symbol)[7:]]


def is_share(symbol: str) -> bool:
    """Whether a canonical symbol lies in a range of share codes; False for indices, funds and bonds.

    Examples
    --------
    >>> is_share("000001.SZ"), is_share("000001.SH")
    (True, False)
    """
    rule = _rule(_canonical(symbol))
    return rule is not None and rule.exchange.suffix == symbol[7:]


def board_of(symbol: str) -> Board:
    """Return the board of a share.

    Raises
    ------
    InvalidRequest
        If the symbol is not canonical, or is an index, fund or bond.

    Examples
    --------
    >>> [board_of(s).value for s in ("600519.SH", "300750.SZ", "688981.SH", "920047.BJ", "200011.SZ")]
    ['main', 'chinext', 'star', 'bse', 'b_share']
    """
    rule = _rule(_canonical(symbol))
    if rule is None or rule.exchange.suffix != symbol[7:]:
        raise InvalidRequest(f"{symbol} is in no range of share codes, so it has no board")
    return rule.board


def _canonical(symbol: str) -> str:
    if not is_canonical(symbol):
        raise InvalidRequest(
            f"{_shown(symbol)} is not a canonical symbol such as 600519.SH; parse_symbol makes one"
        )
    return symbol


def to_tushare(symbol: str) -> str:
    """Return Tushare's spelling, which is the canonical one: `600519.SH`."""
    return _canonical(symbol)


def to_akshare(symbol: str) -> str:
    """Return the bare code that AKShare's Eastmoney functions take: `600519`."""
    return _canonical(symbol)[:6]


def to_sina(symbol: str) -> str:
    """Return the spelling of Sina and Tencent, and of AKShare's functions over them: `sh600519`."""
    return symbol[7:].lower() + _canonical(symbol)[:6]


def to_baostock(symbol: str) -> str:
    """Return BaoStock's spelling, `sh.600519`. It serves Shanghai and Shenzhen only."""
    _refuse_beijing(symbol, "BaoStock")
    return f"{symbol[7:].lower()}.{symbol[:6]}"


def to_joinquant(symbol: str) -> str:
    """Return the spelling of JoinQuant and of ISO market codes: `600519.XSHG`."""
    return f"{_canonical(symbol)[:6]}.{_ISO_MARKET[symbol[7:]]}"


_ISO_MARKET = {"SH": "XSHG", "SZ": "XSHE", "BJ": "XBSE"}


def to_yahoo(symbol: str) -> str:
    """Return Yahoo's spelling, `600519.SS` or `000001.SZ`. It serves Shanghai and Shenzhen only."""
    _refuse_beijing(symbol, "Yahoo")
    return symbol.replace(".SH", ".SS")


def _refuse_beijing(symbol: str, vendor: str) -> None:
    if exchange_of(symbol) is Exchange.BSE:
        raise Unsupported(
            f"{vendor} has no Beijing exchange, so no spelling of {symbol}; it serves SH and SZ"
        )
