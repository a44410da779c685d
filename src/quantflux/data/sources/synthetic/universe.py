"""The companies of the synthetic market."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from quantflux.data.sources.synthetic.streams import Stream, generator

BLOCK = 512
"""Companies are drawn in blocks of this many, each from its own random stream, so that asking for more companies
never changes the ones already there."""

INDUSTRIES = (
    "银行", "非银金融", "房地产", "建筑", "钢铁", "有色金属", "煤炭", "石油石化", "电力", "交通运输", "机械",
    "汽车", "家电", "食品饮料", "纺织服装", "医药", "电子", "计算机", "通信", "传媒", "电力设备", "国防军工",
    "基础化工", "农业",
)  # fmt: skip
"""Industry names, after the usual first-level classifications."""


@dataclass(frozen=True, slots=True)
class BoardShape:
    """A board: how many companies of each block it has, its exchange, its code prefixes and the day it opened."""

    name: str
    per_block: int
    exchange: str
    prefixes: tuple[str, ...]
    opened: date

    def code(self, number: int) -> str:
        """Return the six-digit code of the board's company `number`, counted from 0."""
        prefix, within = divmod(number, 999)
        return f"{self.prefixes[prefix]}{within + 1:03d}"


BOARDS = (
    BoardShape("main", 174, "SH", ("600", "601", "603", "605"), date(1990, 12, 19)),
    BoardShape("main", 138, "SZ", ("000", "001", "002", "003"), date(1990, 12, 19)),
    BoardShape("chinext", 113, "SZ", ("300", "301"), date(2009, 10, 30)),
    BoardShape("star", 51, "SH", ("688",), date(2019, 7, 22)),
    BoardShape("bse", 36, "BJ", ("920",), date(2021, 11, 15)),
)

MOST_COMPANIES = 12 * BLOCK
"""Codes run out after this many."""


@dataclass(frozen=True)
class Companies:
    """One block of companies; every array has one entry per company.

    Attributes
    ----------
    board : int
        Index into `BOARDS`.
    listed, delisted : int
        First session with a bar and first session without; -1 means before the span and T means never.
    st_from, st_until : int
        Sessions under special treatment, half open; both T means never.
    shares : float
        Shares in issue at the start.
    """

    symbols: NDArray[np.str_]
    names: NDArray[np.str_]
    board: NDArray[np.int64]
    industry: NDArray[np.int64]
    listed: NDArray[np.int64]
    delisted: NDArray[np.int64]
    st_from: NDArray[np.int64]
    st_until: NDArray[np.int64]
    shares: NDArray[np.float64]
    first_price: NDArray[np.float64]
    volatility: NDArray[np.float64]
    beta: NDArray[np.float64]
    turnover: NDArray[np.float64]
    book_to_price: NDArray[np.float64]
    return_on_equity: NDArray[np.float64]

    def first(self, count: int) -> Companies:
        """Return the first `count` of them."""
        return Companies(**{name: getattr(self, name)[:count] for name in Companies.__dataclass_fields__})

    def __len__(self) -> int:
        return len(self.symbols)

    def board_rows(self, name: str) -> NDArray[np.bool_]:
        """Return which companies are on a board."""
        return np.isin(self.board, [i for i, b in enumerate(BOARDS) if b.name == name])


def draw_companies(seed: int, block: int, sessions: NDArray[np.datetime64]) -> Companies:
    """Draw the companies of a block.

    Parameters
    ----------
    sessions : ndarray of datetime64[D], shape (T,)
        The trading days of the market.
    """
    rng = generator(seed, Stream.COMPANIES, block)
    board = rng.permutation(np.repeat(np.arange(len(BOARDS)), [b.per_block for b in BOARDS]))
    industry = rng.integers(len(INDUSTRIES), size=BLOCK)
    names = np.array([f"合成{INDUSTRIES[i][:2]}{block * BLOCK + n + 1:04d}" for n, i in enumerate(industry)])
    size = rng.standard_normal(BLOCK)
    listed, delisted = _lifetimes(rng, board, sessions)
    st_from, st_until = _special_treatment(rng, listed, delisted, len(sessions))
    return Companies(
        symbols=_symbols(block, board),
        names=names,
        board=board,
        industry=industry,
        listed=listed,
        delisted=delisted,
        st_from=st_from,
        st_until=st_until,
        shares=np.asarray(np.round(np.exp(20.3 + size), -4), dtype=np.float64),
        first_price=np.exp(rng.normal(2.55, 0.65, BLOCK)) + 1.5,
        volatility=0.019 * np.exp(rng.normal(0, 0.25, BLOCK) - 0.08 * size),
        beta=rng.normal(1.0, 0.18, BLOCK),
        turnover=np.exp(rng.normal(-4.4, 0.45, BLOCK) - 0.25 * size),
        book_to_price=np.exp(rng.normal(-0.9, 0.5, BLOCK)),
        return_on_equity=rng.normal(0.07, 0.07, BLOCK),
    )


def _symbols(block: int, board: NDArray[np.int64]) -> NDArray[np.str_]:
    symbols = np.empty(BLOCK, dtype="U9")
    for index, shape in enumerate(BOARDS):
        rows = np.flatnonzero(board == index)
        first = block * shape.per_block
        symbols[rows] = [f"{shape.code(first + n)}.{shape.exchange}" for n in range(len(rows))]
    return symbols


def _lifetimes(
    rng: np.random.Generator, board: NDArray[np.int64], sessions: NDArray[np.datetime64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """About one company in eight lists inside the span; one in forty leaves it."""
    total = len(sessions)
    opened = np.array([np.searchsorted(sessions, np.datetime64(b.opened)) for b in BOARDS])[board]
    new = rng.random(BLOCK) < 0.12
    debut = rng.integers(1, max(total, 2), BLOCK)
    # A board that opened inside the span has no older companies: they list within its first year or later.
    debut = np.where(opened > 0, opened + (debut % max(total - int(opened.max()), 240)), debut)
    listed = np.where(new | (opened > 0), np.minimum(debut, total), -1)
    leaves = (rng.random(BLOCK) < 0.025) & (listed < total - 300)
    exit_day = np.maximum(listed, 0) + 250 + rng.integers(0, max(total, 1), BLOCK)
    return listed, np.where(leaves, np.minimum(exit_day, total), total)


def _special_treatment(
    rng: np.random.Generator, listed: NDArray[np.int64], delisted: NDArray[np.int64], total: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """One company in twenty-five is under special treatment for some months; those that leave are so before."""
    chosen = (rng.random(BLOCK) < 0.04) & (listed < total - 400)
    start = np.maximum(listed, 0) + 250 + rng.integers(0, max(total - 250, 1), BLOCK)
    length = rng.integers(120, 480, BLOCK)
    st_from = np.where(chosen, np.minimum(start, total), total)
    st_until = np.where(chosen, np.minimum(start + length, total), total)
    leaving = delisted < total
    st_from = np.where(leaving, np.maximum(delisted - 180, np.maximum(listed, 0) + 1), st_from)
    return st_from, np.where(leaving, delisted, st_until)
