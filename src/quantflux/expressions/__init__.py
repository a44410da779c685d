"""One language for factors: expressions, their text, and an engine that computes them over panels.

An expression is made of fields by operators and functions, or read from text; both give the same object.

>>> from quantflux.expressions import Field, functions as fn, parse, to_text
>>> close, volume = Field("close"), Field("volume")
>>> factor = fn.rank(fn.ts_corr(close, volume, 10)) * -1
>>> factor is parse("rank(ts_corr(close, volume, 10)) * -1")
True
>>> to_text(parse("Mean($close, 20) / $close"))
'ts_mean(close, 20, least=1) / close'
"""

from quantflux.expressions import functions, operators
from quantflux.expressions.nodes import Constant, Field, Node
from quantflux.expressions.text import parse, to_text

__all__ = ["Constant", "Field", "Node", "functions", "operators", "parse", "to_text"]
