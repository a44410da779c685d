"""Symbols: every vendor's spelling in, one canonical form out, and nothing hostile through."""

from __future__ import annotations

import re
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quantflux.core.errors import InvalidRequest, Unsupported
from quantflux.core.symbols import (
    CODE_RULES,
    SYMBOL_PATTERN,
    Board,
    Exchange,
    board_of,
    exchange_of,
    is_canonical,
    is_share,
    parse_symbol,
    parse_symbols,
    to_akshare,
    to_baostock,
    to_joinquant,
    to_sina,
    to_tushare,
    to_yahoo,
)

CANONICAL = re.compile(r"[0-9]{6}\.(SH|SZ|BJ)", re.ASCII)

_MOULDS = (
    "{}\n", "\n{}", "{}\r", "{}\r\n", "{}\0", "\0{}", "{} ", " {}", "\t{}", "{}\x0b", "{}\x7f",
    "{}\u2028", "{}\u00a0", "{}\ufeff", "\ufeff{}", "{}\u200b", "\u202e{}", "{}/", "/{}", "../{}",
    "{}/..", "a/../{}", "{}/../../b", "..\\{}", "{};", "{}'", "'{}'", '"{}"', "{}' OR '1'='1",
    "{}'; DROP MEASUREMENT m; --", "{}--", "{}#", "{}%00", "%2e%2e{}", "{}%0a", "{}?", "{}*", "[{}]",
    "({})", "{}|id", "$({})", "`{}`", "{}&", "<{}>", "{},000001", "{}=1", "{}:1", "~{}", "-{}", "+{}",
    "{}.", ".{}", "{}..SH", "{}.SH.SH", "{0}{0}", "{0} {0}", "0x{}", "{}e1", "{}L",
)  # fmt: skip
HOSTILE = [
    *(mould.format(code) for mould in _MOULDS for code in ("600519", "600519.SH", "sh600519")),
    "", " ", ".", "..", "...", "../..", "/etc/passwd", "C:\\x", "nul", "CON", "a/../../b", "%2e%2e%2f",
    "\u2025", "\u2025\uff0f", "．．／", "６００５１９", "600519.ＳＨ", "６00519.SH", "٦٠٠٥١٩.SH",
    "६००५१९.SH", "𝟞𝟘𝟘𝟝𝟙𝟡.SH", "60051²", "sh60051９", "ſh600519", "SẞH600519", "600519.ſh",
    "600519.SH" * 30, "6" * 300, "6" * 100_000, "5", "60051", "6005190", "6005.19", "SH", "SH.", ".SH",
    "600519.S", "600519.HK", "600519.US", "600519.XNYS", "00700.HK", "AAPL", "600519SH", "sh-600519",
    "sh_600519", "sh:600519", "sh..600519", "600519,SH", "600519-SH", "None",
    "nan", "NaN", "null", "True", "600519.0", "6.00519e5", "1_000_000", "600_519", "510300", "399001",
    "123456", "900", "400001", "999999", "600519.SZ", "000001.BJ", "300750.SH", "920047.SH", "900901.BJ",
    "430047.SZ", "sz600519", "bj000001",
]  # fmt: skip


def test_the_hostile_list_is_long_and_has_no_repeats() -> None:
    assert len(HOSTILE) == len(set(HOSTILE)) >= 200


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_refused_with_a_short_printable_message(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_symbol(text)

    message = str(caught.value)
    assert len(message) < 300
    assert message.isascii()
    assert message.isprintable()


@settings(deadline=None, max_examples=2000)
@given(
    st.text(max_size=14)
    | st.text("0123456789shzbjSHZBJxgeE.", max_size=14)
    | st.from_regex(r"(?i)(s[hz]|bj)?\.?\d{6}")
)
@example("600519.SH\n")
def test_whatever_parses_is_canonical_and_parses_to_itself(text: str) -> None:
    try:
        symbol = parse_symbol(text)
    except InvalidRequest:
        return

    assert CANONICAL.fullmatch(symbol)
    assert is_canonical(symbol)
    assert parse_symbol(symbol) == symbol
    assert symbol[:6] in text


@settings(deadline=None, max_examples=500)
@given(st.text(max_size=12) | st.from_regex(r"\d{6}\.(SH|SZ|BJ)\n?"))
def test_arrow_and_python_agree_on_what_is_canonical(text: str) -> None:
    assert pc.match_substring_regex(pa.array([text]), SYMBOL_PATTERN)[0].as_py() == is_canonical(text)


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("600519.SH", "600519.SH"),
        ("600519.sh", "600519.SH"),
        ("sh600519", "600519.SH"),
        ("SH600519", "600519.SH"),
        ("Sh.600519", "600519.SH"),
        ("600519", "600519.SH"),
        ("600519.XSHG", "600519.SH"),
        ("600519.xshg", "600519.SH"),
        ("600519.SS", "600519.SH"),
        ("600519.SSE", "600519.SH"),
        ("SHSE.600519", "600519.SH"),
        ("sz.000001", "000001.SZ"),
        ("000001.XSHE", "000001.SZ"),
        ("000001.SZSE", "000001.SZ"),
        ("430047", "430047.BJ"),
        ("bj430047", "430047.BJ"),
        ("430047.XBSE", "430047.BJ"),
        ("920047.BSE", "920047.BJ"),
        ("000001.SH", "000001.SH"),
        ("sh000300", "000300.SH"),
        ("399001.SZ", "399001.SZ"),
        ("510300.SH", "510300.SH"),
        (1, "000001.SZ"),
        (600519, "600519.SH"),
        (np.int64(2), "000002.SZ"),
    ],
)
def test_vendors_spellings_are_understood(text: str | int, symbol: str) -> None:
    assert parse_symbol(text) == symbol


@pytest.mark.parametrize(
    "value", [0, -1, 1_000_000, 10**400, True, None, 1.0, float("nan"), b"600519", ["600519"]]
)
def test_what_is_neither_text_nor_a_code_is_refused(value: object) -> None:
    with pytest.raises(InvalidRequest):
        parse_symbol(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "exchange", "board"),
    [
        ("600000", Exchange.SSE, Board.MAIN),
        ("601398", Exchange.SSE, Board.MAIN),
        ("603288", Exchange.SSE, Board.MAIN),
        ("605499", Exchange.SSE, Board.MAIN),
        ("688981", Exchange.SSE, Board.STAR),
        ("689009", Exchange.SSE, Board.STAR),
        ("900901", Exchange.SSE, Board.B_SHARE),
        ("000001", Exchange.SZSE, Board.MAIN),
        ("001979", Exchange.SZSE, Board.MAIN),
        ("002594", Exchange.SZSE, Board.MAIN),
        ("003816", Exchange.SZSE, Board.MAIN),
        ("200011", Exchange.SZSE, Board.B_SHARE),
        ("300750", Exchange.SZSE, Board.CHINEXT),
        ("301269", Exchange.SZSE, Board.CHINEXT),
        ("302132", Exchange.SZSE, Board.CHINEXT),
        ("430047", Exchange.BSE, Board.BSE),
        ("810001", Exchange.BSE, Board.BSE),
        ("835185", Exchange.BSE, Board.BSE),
        ("873169", Exchange.BSE, Board.BSE),
        ("889001", Exchange.BSE, Board.BSE),
        ("920047", Exchange.BSE, Board.BSE),
    ],
)
def test_bare_codes_are_placed_by_the_exchanges_ranges(code: str, exchange: Exchange, board: Board) -> None:
    symbol = parse_symbol(code)

    assert (exchange_of(symbol), board_of(symbol)) == (exchange, board)
    assert is_share(symbol)


def test_no_range_hides_another() -> None:
    prefixes = [rule.prefix for rule in CODE_RULES]

    assert len(set(prefixes)) == len(prefixes)
    assert not [(a, b) for a in prefixes for b in prefixes if a != b and b.startswith(a)]


def test_old_beijing_codes_end_where_the_new_ones_take_over() -> None:
    old = next(rule for rule in CODE_RULES if rule.prefix == "83")
    new = next(rule for rule in CODE_RULES if rule.prefix == "92")

    assert old.in_use(date(2025, 9, 30))
    assert not old.in_use(date(2025, 10, 9))
    assert not old.in_use(date(2021, 11, 12))
    assert new.in_use(date(2025, 10, 9))


@pytest.mark.parametrize("symbol", ["000300.SH", "399001.SZ", "510300.SH", "000001.BJ"])
def test_what_is_no_share_has_no_board(symbol: str) -> None:
    assert not is_share(symbol)
    with pytest.raises(InvalidRequest, match="no board"):
        board_of(symbol)


@pytest.mark.parametrize(
    "function", [board_of, exchange_of, is_share, to_tushare, to_akshare, to_sina, to_baostock, to_yahoo]
)
@pytest.mark.parametrize("text", ["sh600519", "600519", "600519.SH\n", "", "../../600519.SH"])
def test_questions_about_a_symbol_take_the_canonical_form_only(function: object, text: str) -> None:
    with pytest.raises(InvalidRequest, match="canonical"):
        function(text)  # type: ignore[operator]


@pytest.mark.parametrize("spell", [to_tushare, to_akshare, to_sina, to_baostock, to_yahoo, to_joinquant])
@pytest.mark.parametrize("symbol", ["600519.SH", "000001.SZ", "300750.SZ", "900901.SH", "200011.SZ"])
def test_every_vendors_spelling_reads_back(spell: object, symbol: str) -> None:
    assert parse_symbol(spell(symbol)) == symbol  # type: ignore[operator]


def test_vendors_spell_as_their_documents_say() -> None:
    spellings = [
        spell("600519.SH") for spell in (to_tushare, to_akshare, to_sina, to_baostock, to_joinquant, to_yahoo)
    ]

    assert spellings == ["600519.SH", "600519", "sh600519", "sh.600519", "600519.XSHG", "600519.SS"]
    assert to_sina("920047.BJ") == "bj920047"
    assert to_joinquant("920047.BJ") == "920047.XBSE"


@pytest.mark.parametrize("spell", [to_baostock, to_yahoo])
def test_vendors_without_beijing_say_so(spell: object) -> None:
    with pytest.raises(Unsupported, match=r"920047\.BJ"):
        spell("920047.BJ")  # type: ignore[operator]


_TEXTS = ["sh600519", "000001", "sh600519", "920047.XBSE"]
_PARSED = ["600519.SH", "000001.SZ", "600519.SH", "920047.BJ"]


@pytest.mark.parametrize(
    "values",
    [
        _TEXTS,
        np.array(_TEXTS),
        np.array(_TEXTS, dtype=object),
        pa.array(_TEXTS),
        pa.array(_TEXTS, pa.large_string()),
        pa.array(_TEXTS).dictionary_encode(),
        pa.chunked_array([_TEXTS[:1], _TEXTS[1:]]),
        pa.chunked_array(
            [pa.array(_TEXTS[:2]).dictionary_encode(), pa.array(_TEXTS[2:]).dictionary_encode()]
        ),
    ],
    ids=[
        "list",
        "numpy-text",
        "numpy-object",
        "arrow",
        "large",
        "dictionary",
        "chunked",
        "chunked-dictionary",
    ],
)
def test_many_symbols_parse_from_any_container(values: object) -> None:
    parsed = parse_symbols(values)  # type: ignore[arg-type]

    assert parsed.type == pa.string()
    assert parsed.to_pylist() == _PARSED


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.sampled_from([rule.prefix for rule in CODE_RULES]).map(lambda p: p.ljust(6, "1")), max_size=50
    )
)
def test_many_equal_one_by_one(codes: list[str]) -> None:
    expected = [parse_symbol(code) for code in codes]

    assert parse_symbols(codes).to_pylist() == expected
    assert parse_symbols([int(code) for code in codes]).to_pylist() == expected


@pytest.mark.parametrize(
    "values", [[], np.array([], dtype="U6"), pa.array([], pa.string()), pa.chunked_array([], pa.string())]
)
def test_no_symbols_parse_to_none(values: object) -> None:
    assert parse_symbols(values).to_pylist() == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "values", [["600519", None], ["600519", "../x"], ["600519", 5], pa.array([None], pa.string()), [1.5]]
)
def test_one_bad_value_refuses_them_all(values: object) -> None:
    with pytest.raises(InvalidRequest):
        parse_symbols(values)  # type: ignore[arg-type]


def test_the_refusal_counts_and_shows_bad_values() -> None:
    with pytest.raises(InvalidRequest, match=r"7 distinct symbols are not valid: 'bad0'; .*'bad4'\. First"):
        parse_symbols([f"bad{i}" for i in range(7)] * 3)
