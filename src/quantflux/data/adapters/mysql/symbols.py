"""How v1 spells a symbol: as we do, except in the minute tables that Baostock filled."""

from __future__ import annotations

from quantflux.data.adapters.mysql.tables import Table

_BEIJING = ("4", "8", "92")
"""First digits of Beijing's codes, which v1 stored as if they were Shanghai's."""


def stored(symbol: str, table: Table) -> str:
    """Return a canonical symbol as the table spells it.

    Examples
    --------
    >>> from quantflux.data.adapters.mysql.tables import BAOSTOCK_MINUTE
    >>> stored("430047.BJ", BAOSTOCK_MINUTE)
    'sh.430047'
    """
    if not table.baostock:
        return symbol
    code, _, exchange = symbol.partition(".")
    return f"{'sz' if exchange == 'SZ' else 'sh'}.{code}"


def canonical(code: str, table: Table) -> str:
    """Return the canonical symbol of a stored code. What is no code stays as it is.

    Examples
    --------
    >>> from quantflux.data.adapters.mysql.tables import BAOSTOCK_MINUTE
    >>> [canonical(code, BAOSTOCK_MINUTE) for code in ("sz.000001", "sh.430047", "sh.600519")]
    ['000001.SZ', '430047.BJ', '600519.SH']
    """
    if not table.baostock:
        return code
    market, dot, digits = code.partition(".")
    if market == "sh" and digits.startswith(_BEIJING):
        return f"{digits}.BJ"
    return f"{digits}.{market.upper()}" if dot else code
