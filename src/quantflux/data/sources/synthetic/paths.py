"""The walk of prices: one step a session for a whole block of companies.

Prices are integer cents, so that rounding, limits and adjustment factors are exact. The *fair value* of a company
moves without bounds; its *traded close* follows inside the day's price limit and catches up on later days, which
is how runs of limit-up and limit-down days arise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantflux.data.sources.synthetic.drivers import PLANTED, STYLES, Drivers
from quantflux.data.sources.synthetic.limits import NO_LIMIT, limit_percent
from quantflux.data.sources.synthetic.streams import Stream, generator
from quantflux.data.sources.synthetic.universe import BOARDS, Companies

_FLOOR = 50  # cents: a company that falls below half a yuan stays there
_ALPHAS = {alpha.name: alpha for alpha in PLANTED}


@dataclass(frozen=True)
class Paths:
    """What happened to a block of companies; arrays are (T, N) unless said otherwise.

    Attributes
    ----------
    traded : bool
        Whether there is a bar: listed and not suspended.
    close, pre_close, limit_up, limit_down : int64, cents
        Raw close, previous close after ex-rights adjustment, and the day's limits.
    adj_factor : float64
        Cumulative multiplicative factor, 1 on the first session.
    share_factor : float64
        Shares in issue relative to the start.
    cash : int64, cents
        Dividend a share with that ex-date; 0 on other days.
    new_shares : float64
        New shares a share with that ex-date; 0 on other days.
    attention : float64
        Persistent log deviation of turnover from its usual level.
    book : float64
        Book value per share in raw terms, yuan.
    noise : float64
        Size of the day's own move in units of daily volatility.
    """

    traded: NDArray[np.bool_]
    close: NDArray[np.int64]
    pre_close: NDArray[np.int64]
    limit_up: NDArray[np.int64]
    limit_down: NDArray[np.int64]
    adj_factor: NDArray[np.float64]
    share_factor: NDArray[np.float64]
    cash: NDArray[np.int64]
    new_shares: NDArray[np.float64]
    attention: NDArray[np.float64]
    book: NDArray[np.float64]
    noise: NDArray[np.float64]

    def first(self, count: int) -> Paths:
        """Return the first `count` companies."""
        return Paths(**{name: getattr(self, name)[:, :count] for name in Paths.__dataclass_fields__})


@dataclass(frozen=True)
class _Events:
    """Dividends (fraction of the price) and splits (new shares per old one) by session."""

    dividend: NDArray[np.float64]
    split: NDArray[np.float64]


def walk(
    seed: int, block: int, companies: Companies, drivers: Drivers, sessions: NDArray[np.datetime64]
) -> Paths:
    """Walk all sessions for one block of companies."""
    rng = generator(seed, Stream.PATHS, block)
    total, width = len(sessions), len(companies)
    traded = _traded(rng, companies, total)
    events = _events(rng, total, len(companies))
    attention = _attention(rng, total, width)
    shocks = rng.standard_t(5, (total, width)) * np.sqrt(3 / 5)
    moves = _common_moves(companies, drivers)
    percent = limit_percent(companies, sessions)
    progress = np.arange(total) / max(total - 1, 1)
    strength = {name: alpha.strength_at(progress) for name, alpha in _ALPHAS.items()}

    volatility = companies.volatility
    attention_level = (np.log(companies.turnover) + 4.4) / 0.45
    log_book = np.log(companies.first_price * companies.book_to_price)
    book_growth = np.clip(companies.return_on_equity, -0.1, 0.3) / 244
    fair = np.log(companies.first_price)
    close = np.maximum(np.round(companies.first_price * 100).astype(np.int64), _FLOOR)
    factor, share = np.ones(width), np.ones(width)
    short, long = np.zeros(width), np.zeros(width)  # exponential averages of the excess return

    out = _empty(total, width)
    for t in range(total):
        size = volatility * drivers.turbulence[t]
        log_book += book_growth
        value = np.clip((log_book - fair + 0.9) / 0.5, -3, 3)
        alpha = (
            -strength["reversal"][t] * np.clip(short / (0.224 * volatility), -3, 3)
            + strength["momentum"][t] * np.clip(long / (0.063 * volatility), -3, 3)
            - strength["attention"][t] * np.clip(attention_level + attention[t] / 0.35, -3, 3) / 1.4
            + strength["value"][t] * value
        )
        own = size * shocks[t]
        excess = alpha * volatility + own
        fair = fair + moves[t] + drivers.styles[t, STYLES.index("value")] * value + excess
        short += (excess - short) * (2 / 21)
        long += (excess - long) * (2 / 251)

        previous = close
        pre_close, cash, issued = _ex_rights(previous, events.dividend[t], events.split[t])
        factor = factor * (previous / pre_close)
        share = share * issued
        ratio = percent[t]
        up = np.where(ratio == NO_LIMIT, 1 << 40, (2 * pre_close * (100 + ratio) + 100) // 200)
        down = np.where(ratio == NO_LIMIT, 1, (2 * pre_close * (100 - ratio) + 100) // 200)
        target = np.round(np.exp(fair) / factor * 100).astype(np.int64)
        live = traded[t]
        close = np.where(live, np.clip(np.maximum(target, _FLOOR), down, up), pre_close)

        out.close[t], out.pre_close[t], out.limit_up[t], out.limit_down[t] = close, pre_close, up, down
        out.adj_factor[t], out.share_factor[t] = factor, share
        out.cash[t], out.new_shares[t] = cash, (issued - 1).round(6)
        out.book[t] = np.exp(log_book) / factor
        out.noise[t] = own / size
    out.traded[:] = traded
    out.attention[:] = attention
    return out


def _empty(total: int, width: int) -> Paths:
    def numbers() -> NDArray[np.float64]:
        return np.empty((total, width))

    def cents() -> NDArray[np.int64]:
        return np.empty((total, width), np.int64)

    return Paths(
        np.empty((total, width), np.bool_), cents(), cents(), cents(), cents(),
        numbers(), numbers(), cents(), numbers(), numbers(), numbers(), numbers(),
    )  # fmt: skip


def _ex_rights(
    close: NDArray[np.int64], dividend: NDArray[np.float64], split: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return the previous close after cash and bonus shares, as the exchange publishes it, the cash in cents, and
    how many shares one became.

    A split of a cheap share would leave a price of cents, so it is skipped.
    """
    cash = np.round(close * dividend)
    ratio = np.where(close > 1_500, split, 1.0)
    return np.maximum(np.round((close - cash) / ratio), 1).astype(np.int64), cash.astype(np.int64), ratio


def _traded(rng: np.random.Generator, companies: Companies, total: int) -> NDArray[np.bool_]:
    """Listed, and not in a suspension: about two a decade, of a week on average."""
    width = len(companies)
    day = np.arange(total)[:, None]
    listed = (day >= companies.listed) & (day < companies.delisted)
    starts = rng.random((total, width)) < 0.0008
    length = rng.geometric(0.2, (total, width))
    until = np.maximum.accumulate(np.where(starts, day + length, 0), axis=0)
    suspended = (day < until) & (day > companies.listed + 20)
    return np.asarray(listed & ~suspended)


def _events(rng: np.random.Generator, total: int, width: int) -> _Events:
    """Two companies in three pay a dividend each year, most in early summer; one in twenty splits."""
    dividend, split = np.zeros((total, width)), np.ones((total, width))
    for first in range(0, total, 244):
        day = first + np.clip(rng.normal(125, 25, width), 5, 238).astype(np.int64)
        pays = (rng.random(width) < 0.65) & (day < total)
        yields = rng.uniform(0.005, 0.04, width)
        splits = pays & (rng.random(width) < 0.07)
        ratio = rng.choice([1.2, 1.3, 1.5, 2.0], width)
        who = np.flatnonzero(pays)
        dividend[day[who], who] = yields[who]
        who = np.flatnonzero(splits)
        split[day[who], who] = ratio[who]
    dividend[0], split[0] = 0.0, 1.0
    return _Events(dividend, split)


def _attention(rng: np.random.Generator, total: int, width: int) -> NDArray[np.float64]:
    """Slow swings of interest in a company, about 0.35 in log turnover."""
    shocks = rng.standard_normal((total, width)) * 0.085
    out = np.empty((total, width))
    level = rng.standard_normal(width) * 0.35
    for t in range(total):
        level = 0.97 * level + shocks[t]
        out[t] = level
    return out


def _common_moves(companies: Companies, drivers: Drivers) -> NDArray[np.float64]:
    """Market, industry and static style parts of each company's return, (T, N)."""
    exposure = np.zeros((len(companies), len(STYLES)))
    capital = np.log(companies.shares * companies.first_price)
    exposure[:, STYLES.index("size")] = (capital - 23.0) / 1.2
    exposure[:, STYLES.index("volatility")] = (companies.volatility / 0.02 - 1) / 0.3
    exposure[:, STYLES.index("liquidity")] = (np.log(companies.turnover) + 4.4) / 0.5
    parts = drivers.market[:, None] * companies.beta + drivers.industry[:, companies.industry]
    return np.asarray(parts + drivers.styles @ exposure.clip(-3, 3).T)


def boards_of(companies: Companies) -> NDArray[np.str_]:
    """Return each company's board name."""
    return np.array([b.name for b in BOARDS])[companies.board]
