"""Reads the formulas that v1's users wrote for custom factors, which v1 stored and never computed.

They are taken for expressions. What v1's tables called otherwise is put in quantflux's words first: `ma20` is the mean
of 20 closes, `vol` the volume. What still is no expression is refused, with the reason.
"""

from __future__ import annotations

import re

_OTHERWISE = {
    "vol": "volume",
    "pre_close": "delay(close, 1)",
    "change_c": "(close - delay(close, 1))",
    "pct_chg": "(100 * (close / delay(close, 1) - 1))",
    "pct_change": "(100 * (close / delay(close, 1) - 1))",
    "macd_dif": "macd(close, 12, 26)",
    "macd_dea": "macd_signal(close, 12, 26, 9)",
    "kdj_k": "kdj_k(high, low, close, 9, 3)",
    "kdj_d": "kdj_d(high, low, close, 9, 3, 3)",
    "kdj_j": "kdj_j(high, low, close, 9, 3, 3)",
    "boll_upper": "boll_upper(close, 20, 2)",
    "boll_mid": "boll_middle(close, 20)",
    "boll_lower": "boll_lower(close, 20, 2)",
    "cci": "cci(high, low, close, 14)",
}
_PATTERNED = ((r"ma(\d{1,3})", "ts_mean(close, {})"), (r"rsi_(\d{1,3})", "rsi(close, {})"))
_WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def expression_of(formula: str) -> str:
    """Return a formula of v1 as the text of an expression.

    A name that is called, as in `macd(close, 12, 26)`, is left as it is.

    Examples
    --------
    >>> expression_of("(close - ma20) / ma20")
    '(close - ts_mean(close, 20)) / ts_mean(close, 20)'
    >>> expression_of("ts_mean(vol, 5)")
    'ts_mean(volume, 5)'
    """

    def said(match: re.Match[str]) -> str:
        word = match[0]
        if formula[match.end() :].lstrip().startswith("("):
            return word
        for pattern, meant in _PATTERNED:
            if found := re.fullmatch(pattern, word):
                return meant.format(int(found[1]))
        return _OTHERWISE.get(word, word)

    return _WORD.sub(said, formula)
