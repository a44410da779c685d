"""Indicators of technical analysis, each defined by other operators.

What holds for all of them:

* **Inputs** are given, as in `rsi(close, 14)` and `atr(high, low, close, 14)`. Prices should be adjusted, so that a
  dividend is no fall.
* **Gaps.** Missing rows are days on which the symbol did not trade. An indicator is missing on them. One that runs over
  all rows so far (Wilder's and exponential means, running sums) passes over them, as charting software does, which
  shows traded days alone; what it calls the previous price is the last one known, so that the jump over a suspension
  counts. A window of so many rows must be full: an indicator with windows is missing until a gap has left it.
* **Start.** Wilder's and exponential means are started by the simple mean of their first `window` numbers, as in
  TA-Lib. Chinese charting software starts with the first number; the two agree to nine digits after 11 windows of an
  exponential mean and 21 of Wilder's. KDJ starts with the first number: that is its definition.
* **Division by zero** is missing, such as the RSI of a price that never moved, where TA-Lib says 0.

Where TA-Lib and Chinese charting software differ otherwise, the docstring says which of them is followed.
"""

from quantflux.expressions.operators.technical import (
    averages,
    bands,
    directional,
    oscillators,
    pressure,
    volume,
)

__all__ = ["averages", "bands", "directional", "oscillators", "pressure", "volume"]
