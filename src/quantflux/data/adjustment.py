"""Multipliers that make prices comparable over dividends and splits, from the stored factors.

`adj_factor` is cumulative and multiplicative: it grows at each ex-date, and price x factor is continuous there.
Backward adjustment is price x factor. Forward adjustment divides by the factor known on the anchor day, so that day's
prices stay as traded. A day whose factor is not stored has no adjusted price (NaN): a factor is never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import numpy as np

from quantflux.core.errors import InvalidRequest
from quantflux.data.blocks import BlockReader
from quantflux.data.contract import AsOf, MarketStore, Query
from quantflux.data.panels import Block, day_from
from quantflux.data.request import Adjust
from quantflux.data.schema import DAILY
from quantflux.data.sessions import Floats

PRICES = ("open", "high", "low", "close")
"""The fields that adjustment changes."""

FACTOR = "adj_factor"


class Adjuster:
    """Adjusts blocks of daily or minute bars."""

    def __init__(self, store: MarketStore, reader: BlockReader) -> None:
        self._store = store
        self._reader = reader
        self._last: tuple[tuple[str, int] | None, dict[str, float]] = (None, {})

    def adjusted(self, block: Block, mode: Adjust, anchor: date | None, as_of: AsOf | None) -> Block:
        """Return the block with adjusted prices.

        Raises
        ------
        InvalidRequest
            If a symbol has no factor stored at all, or none on or before the anchor day.
        """
        if mode is Adjust.NONE or not block.symbols or not len(block.days):
            return block
        factors = self._factors(block, as_of)
        anchors = self._anchors(block.symbols, anchor if mode is Adjust.FORWARD else None, as_of)
        multiplier = factors / anchors if mode is Adjust.FORWARD else factors
        if block.values[block.presence].ndim == 3:
            multiplier = multiplier[:, :, None]
        changed = {name: values * multiplier for name, values in block.values.items() if name in PRICES}
        return replace(block, values={**block.values, **changed}, rows=block.present)

    def _factors(self, block: Block, as_of: AsOf | None) -> Floats:
        """Return the factor of each day and symbol of a block; NaN where none is stored."""
        if FACTOR in block.values:
            return block.values[FACTOR]
        first, last = day_from(block.days[0]), day_from(block.days[-1])
        daily = self._reader.lookup(Query(DAILY, block.symbols, first, last, (FACTOR,)), as_of)
        result = np.full((len(block.days), len(block.symbols)), np.nan)
        _, own, theirs = np.intersect1d(block.days, daily.days, assume_unique=True, return_indices=True)
        result[own] = daily.values[FACTOR][theirs]
        return result

    def _anchors(self, symbols: tuple[str, ...], anchor: date | None, as_of: AsOf | None) -> Floats:
        """Return each symbol's last factor on or before the anchor day, or its last one of all."""
        if anchor is not None or as_of is not None:
            known = self._search(symbols, anchor, as_of)
        else:
            state = self._reader.state(DAILY)
            kept = self._last
            if kept[0] != state:
                kept = self._last = (state, {})
            known = kept[1]
            missing = tuple(s for s in symbols if s not in known)
            if missing:
                known.update(self._search(missing, None, None))
        self._refuse_missing([s for s in symbols if s not in known], anchor)
        return np.array([known[s] for s in symbols])

    def _search(
        self, symbols: tuple[str, ...], anchor: date | None, as_of: AsOf | None
    ) -> Mapping[str, float]:
        """Look for the last factors year by year, latest first: for a listed share the first year has it."""
        found: dict[str, float] = {}
        span = self._store.span(DAILY)
        if span is None:
            return found
        end = span.last if anchor is None else min(anchor, span.last)
        while end >= span.first and (left := tuple(s for s in symbols if s not in found)):
            start = date(end.year, 1, 1)
            block = self._reader.lookup(Query(DAILY, left, start, end, (FACTOR,)), as_of)
            found.update(_last_of(block))
            end = date(end.year - 1, 12, 31)
        return found

    def _refuse_missing(self, symbols: list[str], anchor: date | None) -> None:
        if not symbols:
            return
        shown = ", ".join(symbols[:5]) + (f" and {len(symbols) - 5} more" if len(symbols) > 5 else "")
        when = "" if anchor is None else f" on or before {anchor.isoformat()}"
        raise InvalidRequest(
            f"no adjustment factors are stored for {shown}{when}: {DAILY.name}.{FACTOR} is null there; "
            "ask with adjust='none', leave them out, or import the factors"
        )


def _last_of(block: Block) -> dict[str, float]:
    found: dict[str, float] = {}
    for row in block.values[FACTOR][::-1]:
        for i in np.flatnonzero(~np.isnan(row)).tolist():
            found.setdefault(block.symbols[i], float(row[i]))
        if len(found) == len(block.symbols):
            break
    return found
