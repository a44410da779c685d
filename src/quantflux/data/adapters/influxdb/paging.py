"""Cuts a read into pages of bounded size, so that neither the server nor we hold more than one page at a time.

Pages follow the order of the key: groups of symbols; a single symbol too long for a page is cut by time. Their
sizes are estimates from above: trading days between the bounds, 240 bars a day for minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date

from quantflux.data.adapters.influxdb.layout import DAY_NS
from quantflux.data.adapters.influxdb.statements import Page, nanoseconds
from quantflux.data.contract import Query
from quantflux.data.schema import TimeKind

PAGE_ROWS = 500_000
"""About 60 MB of JSON and 40 MB of Arrow for daily bars."""

MOST_SYMBOLS = 8_000
"""More than the exchanges have ever listed: below this many rows a symbol, a read of all symbols is one page."""

SYMBOLS_A_STATEMENT = 500
"""Longer lists of bound symbols cost the server more to plan than another call."""


def pages(
    query: Query, today: date, known_symbols: Callable[[], Sequence[str]], rows_a_key: int = 1
) -> Iterator[Page]:
    """Yield the pages of a read, in key order.

    Parameters
    ----------
    query : Query
    today : date
        Where an open end is taken to be, for the estimate only.
    known_symbols : function
        Called only if all symbols were asked for and they do not fit into one page.
    rows_a_key : int
        How many rows share a symbol and time: more than one for datasets with extra keys.
    """
    start, end = query.bounds
    low = None if start is None else nanoseconds(start)
    high = None if end is None else nanoseconds(end)
    from_ = nanoseconds(query.dataset.earliest) if low is None else low
    until = nanoseconds(today) + DAY_NS if high is None else high
    rows = _rows_of_a_symbol(query, from_, until) * rows_a_key
    if query.symbols is None and rows * MOST_SYMBOLS <= PAGE_ROWS:
        yield Page(None, low, high)
        return
    symbols = sorted(set(known_symbols() if query.symbols is None else query.symbols))
    group = max(1, min(SYMBOLS_A_STATEMENT, PAGE_ROWS // rows))
    for i in range(0, len(symbols), group):
        chosen = tuple(symbols[i : i + group])
        yield from _cut(Page(chosen, low, high), from_, until, -(-rows * len(chosen) // PAGE_ROWS))


def _rows_of_a_symbol(query: Query, low: int, high: int) -> int:
    days = max(0, (high - low) // DAY_NS) * 5 // 7 + 2
    return int(days * (240 if query.dataset.kind is TimeKind.MINUTE else 1))


def _cut(page: Page, low: int, high: int, parts: int) -> Iterator[Page]:
    """Yield a page of one symbol in `parts` stretches of whole days; the outer ends stay as open as they were."""
    days = max(1, (high - low) // DAY_NS)
    parts = min(parts, days) if page.symbols is not None and len(page.symbols) == 1 else 1
    cuts = [(low // DAY_NS + days * k // parts) * DAY_NS for k in range(1, parts)]
    lows = [page.low, *cuts]
    highs = [*(cut - 1 for cut in cuts), page.high]
    for first, last in zip(lows, highs, strict=True):
        yield Page(page.symbols, first, last)
