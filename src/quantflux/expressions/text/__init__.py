"""Expressions as text: reading (`parse`) and writing (`to_text`).

The language is closed. It has numbers, fields, the operators of `grammar`, calls of the functions in
`quantflux.expressions.operators` with arguments by position or name, and nothing else; text is never executed.

::

    rank(ts_corr(close, volume, 10)) * -1
    ts_mean(close, 20, least=15) / close - 1
    close > delay(close, 1) and volume > ts_mean(volume, 5) ? 1 : 0
    Mean($close, 20) / Ref($close, 1)                          Qlib's spelling

A name that is not called is a field, or a named expression if the caller of `parse` knows one. See `grammar` for how
tightly operators bind, `names` for the other names of functions, `qlib` for Qlib's, `limits` for what is too much.
"""

from quantflux.expressions.text.parser import Dialect, parse
from quantflux.expressions.text.printer import to_text
from quantflux.expressions.text.vocabulary import Names

__all__ = ["Dialect", "Names", "parse", "to_text"]
