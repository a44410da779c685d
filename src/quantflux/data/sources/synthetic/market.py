"""The synthetic market as a source of tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from quantflux.core.calendar import TradingCalendar
from quantflux.core.errors import InvalidRequest
from quantflux.data.schema import INSTRUMENTS
from quantflux.data.sources.synthetic.actions import actions_table
from quantflux.data.sources.synthetic.bars import DailyBars, basic_table, daily_table, dress
from quantflux.data.sources.synthetic.drivers import Drivers, draw_drivers
from quantflux.data.sources.synthetic.flows import chip_table, moneyflow_table
from quantflux.data.sources.synthetic.minutes import minute_table, split_day
from quantflux.data.sources.synthetic.paths import Paths, boards_of, walk
from quantflux.data.sources.synthetic.statements import draw_business, statement_tables
from quantflux.data.sources.synthetic.streams import Stream, generator
from quantflux.data.sources.synthetic.universe import (
    BLOCK,
    INDUSTRIES,
    MOST_COMPANIES,
    Companies,
    draw_companies,
)

_TOGETHER = 32
"""Companies whose minutes are drawn from one random stream."""


@dataclass(frozen=True)
class _Block:
    companies: Companies
    paths: Paths
    bars: DailyBars

    def first(self, count: int) -> _Block:
        """Return the first `count` companies: blocks are drawn whole, so that none depends on how many are asked."""
        return _Block(self.companies.first(count), self.paths.first(count), self.bars.first(count))


class SyntheticMarket:
    """An invented A-share market: same seed, same market, bit for bit.

    Parameters
    ----------
    seed : int
    companies : int
        How many companies, at most 6,144. More companies or fewer do not change the ones they share.
    start, end : date
        Its trading days are those of the Shanghai exchange from `start` to `end`, both inclusive.

    Examples
    --------
    >>> market = SyntheticMarket(seed=7, companies=3, start=date(2024, 1, 2), end=date(2024, 1, 31))
    >>> sum(table.num_rows for table in market.daily_tables()) <= 3 * 22
    True
    """

    label = "SYNTHETIC"

    def __init__(self, seed: int, companies: int, start: date, end: date) -> None:
        if not 1 <= companies <= MOST_COMPANIES:
            raise InvalidRequest(
                f"a synthetic market has 1 to {MOST_COMPANIES} companies, was asked for {companies}"
            )
        self.seed = seed
        self.count = companies
        self.sessions: NDArray[np.datetime64] = TradingCalendar.for_exchange("SSE").sessions(start, end)
        if len(self.sessions) < 2:
            raise InvalidRequest(
                f"a synthetic market needs at least 2 trading days, {start} .. {end} has fewer"
            )

    @cached_property
    def _drivers(self) -> Drivers:
        return draw_drivers(self.seed, len(self.sessions))

    def _blocks(self) -> Iterator[_Block]:
        for block in range(-(-self.count // BLOCK)):
            yield self._block(block).first(self._kept(block))

    def _walk(self, block: int) -> tuple[Companies, Paths]:
        companies = draw_companies(self.seed, block, self.sessions)
        return companies, walk(self.seed, block, companies, self._drivers, self.sessions)

    def _block(self, block: int) -> _Block:
        companies, paths = self._walk(block)
        return _Block(companies, paths, dress(self.seed, block, companies, paths))

    def _kept(self, block: int) -> int:
        """How many companies of a block belong to this market."""
        return min(self.count - block * BLOCK, BLOCK)

    def daily_tables(self) -> Iterator[pa.Table]:
        """Yield `stock_daily_data` rows, a block of companies at a time, each sorted by symbol and date."""
        for part in self._blocks():
            yield daily_table(part.companies, part.paths, part.bars, self.sessions)

    def tables(self) -> Iterator[tuple[pa.Table, pa.Table]]:
        """Yield `stock_daily_data` and `stock_daily_basic` rows of the same block together."""
        for number, part in enumerate(self._blocks()):
            sales = draw_business(self.seed, number, part.companies).sales
            block = (part.companies, part.paths, part.bars, self.sessions)
            yield daily_table(*block), basic_table(*block, sales)

    def flow_tables(self) -> Iterator[tuple[pa.Table, pa.Table]]:
        """Yield `stock_moneyflow` and `stock_chip` rows, a block of companies at a time."""
        for number, part in enumerate(self._blocks()):
            block = (part.companies, part.paths, part.bars, self.sessions)
            yield moneyflow_table(self.seed, number, *block), chip_table(*block)

    def corporate_actions(self) -> pa.Table:
        """Return the `corporate_actions` rows: the dividends and splits behind every step of the factors."""
        parts = []
        for block in range(-(-self.count // BLOCK)):
            companies, paths = self._walk(block)
            kept = self._kept(block)
            parts.append(actions_table(companies.first(kept), paths.first(kept), self.sessions))
        return pa.concat_tables(parts).sort_by([("symbol", "ascending"), ("ex_date", "ascending")])

    def statement_tables(self) -> Iterator[dict[str, pa.Table]]:
        """Yield rows of the three statements by dataset, a block of companies at a time.

        They begin three years before the first session and hold what was announced by the last one.
        """
        for number, part in enumerate(self._blocks()):
            business = draw_business(self.seed, number, part.companies)
            yield statement_tables(self.seed, number, part.companies, business, part.paths, self.sessions)

    def minute_tables(self, companies: int, days: int) -> Iterator[pa.Table]:
        """Yield `stock_minute_data` rows, a session at a time, of the last `days` sessions.

        Parameters
        ----------
        companies : int
            The first so many companies, at most the market's.
        days : int
            Sessions, counted back from the end.
        """
        if not 1 <= companies <= self.count:
            raise InvalidRequest(
                f"minutes are made for 1 to {self.count} companies, was asked for {companies}"
            )
        first = max(len(self.sessions) - days, 0)
        blocks = [self._block(b) for b in range(-(-companies // BLOCK))]
        for session in range(first, len(self.sessions)):
            parts = [
                self._minutes(blocks[number // BLOCK], number, session, companies)
                for number in range(0, companies, _TOGETHER)
            ]
            yield pa.concat_tables(parts).sort_by([("symbol", "ascending"), ("bar_time", "ascending")])

    def _minutes(self, part: _Block, first: int, session: int, companies: int) -> pa.Table:
        """Return one session of the companies from number `first` on, `_TOGETHER` of them or up to `companies`."""
        rng = generator(self.seed, Stream.MINUTES, first, session)
        names = ("open", "high", "low", "close", "volume", "amount")
        group = slice(first % BLOCK, first % BLOCK + _TOGETHER)
        whole = split_day(rng, {n: getattr(part.bars, n)[session, group] for n in names})
        live = np.flatnonzero(part.bars.traded[session, group])
        live = live[live < companies - first]
        dates = np.repeat(self.sessions[session], len(live))
        return minute_table(part.companies.symbols[group][live], dates, {n: whole[n][live] for n in names})

    def instruments(self) -> pa.Table:
        """Return the `instruments` rows: a row for each change of status of each company."""
        rows: list[dict[str, object]] = []
        for block in range(-(-self.count // BLOCK)):
            companies = draw_companies(self.seed, block, self.sessions).first(self._kept(block))
            boards = boards_of(companies)
            for i in range(len(companies)):
                rows.extend(self._history(companies, i, str(boards[i])))
        return pa.Table.from_pylist(rows, schema=INSTRUMENTS.schema).sort_by(
            [("symbol", "ascending"), ("valid_from", "ascending")]
        )

    def _history(self, companies: Companies, i: int, board: str) -> Iterator[dict[str, object]]:
        """Yield one company's rows: listed, special treatment, back to normal, delisted.

        Companies listed before the span have no known listing date: theirs is null, valid from the first session.
        """
        total = len(self.sessions)
        listed, delisted = int(companies.listed[i]), int(companies.delisted[i])
        if listed >= total:
            return
        start, until = int(companies.st_from[i]), int(companies.st_until[i])
        changes = {max(listed, 0): "normal"}
        if start < total:
            changes[start] = "st"
            changes[until] = "normal"
        if delisted < total:
            changes[delisted] = "delisted"
        name = str(companies.names[i])
        day = [s.astype(object) for s in self.sessions]
        for session, status in sorted(changes.items()):
            if session >= total:
                continue
            yield {
                "symbol": str(companies.symbols[i]),
                "valid_from": day[session],
                "instrument_id": f"SYN-{companies.symbols[i]}",
                "name": f"ST{name}" if status == "st" else name,
                "board": board,
                "industry": INDUSTRIES[int(companies.industry[i])],
                "status": status,
                "list_date": day[listed] if listed >= 0 else None,
                "delist_date": day[delisted] if delisted < total else None,
            }
