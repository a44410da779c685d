"""The rule book: which rules concern whom."""

from __future__ import annotations

from datetime import date

import pytest

from quantflux.core.errors import InvalidRequest
from quantflux.rules.book import BOARDS, rules_on

DAY = date(2024, 6, 3)


def scopes(**asked: str) -> set[str]:
    return {entry.scope for entry in rules_on(DAY, **asked)}


def test_a_board_has_its_own_rules_those_of_its_exchanges_and_those_of_all() -> None:
    assert scopes(board="star") == {"star", "SSE", "all"}
    assert scopes(board="main") == {"main", "SSE", "SZSE", "all"}
    assert scopes(board="b_share") == {"b_share", "b_share_sse", "b_share_szse", "SSE", "SZSE", "all"}


def test_a_symbol_has_the_rules_of_its_own_exchange_alone() -> None:
    assert scopes(symbol="600519.SH") == {"main", "SSE", "all"}
    assert scopes(symbol="200011.SZ") == {"b_share", "b_share_szse", "SZSE", "all"}
    assert scopes(symbol="510300.SH") == {"fund", "SSE", "all"}


def test_every_rule_concerns_some_board_or_funds() -> None:
    everything = {(entry.rule, entry.scope) for entry in rules_on(DAY)}
    told = {(e.rule, e.scope) for board in BOARDS for e in rules_on(DAY, board=board)}

    assert everything - told == {("tick", "fund"), ("settlement", "fund")}


def test_a_board_that_is_none_is_refused() -> None:
    with pytest.raises(
        InvalidRequest, match="no board is called 'nasdaq'; there are: main, chinext, star, bse, b_share"
    ):
        rules_on(DAY, board="nasdaq")
    with pytest.raises(InvalidRequest, match="a board or a symbol, not both"):
        rules_on(DAY, board="main", symbol="600519.SH")
