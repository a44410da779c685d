"""Minute bars that add up to their daily bar exactly: open, high, low, close, volume and amount.

For each daily bar:

1. a random bridge from open to close, squeezed into low..high, touching both;
2. volume in lots by a U-shaped curve with noise; the bars that carry open, high, low and close always trade;
   volume is tilted towards dearer or cheaper bars until the day's average price is met;
3. amount lies inside each bar's own low..high and sums to the day's.

Minutes without a trade have no bar, as in real feeds.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from quantflux.data.schema import MINUTE, MINUTE_LABELS

_MINUTES = len(MINUTE_LABELS)
_CLOCK = np.arange(_MINUTES)
# A U over each half of the day: heaviest at the open, a smaller rise into the close, quiet before lunch.
_SHAPE = (
    0.55
    + 2.4 * np.exp(-_CLOCK / 18)
    + 0.5 * np.exp(-np.abs(_CLOCK - 120) / 10)
    + 1.3 * np.exp((_CLOCK - 239) / 14)
)


def split_day(rng: np.random.Generator, bars: dict[str, NDArray[np.int64]]) -> dict[str, NDArray[np.int64]]:
    """Split R daily bars into 240 minutes each.

    Parameters
    ----------
    rng : numpy.random.Generator
    bars : dict of ndarray of int64, shape (R,)
        open, high, low, close in cents, volume in shares (a multiple of 100), amount in cents.

    Returns
    -------
    dict of ndarray of int64, shape (R, 240)
        The same names; minutes with volume 0 did not trade.
    """
    rows = len(bars["close"])
    marks = _closes(rng, bars)
    opens = np.concatenate([bars["open"][:, None], marks[:, :-1]], axis=1)
    wiggle = np.abs(rng.standard_normal((2, rows, _MINUTES)) * (0.06 * (bars["high"] - bars["low"]))[:, None])
    low, high = bars["low"][:, None], bars["high"][:, None]
    highs = np.minimum(np.maximum(opens, marks) + np.round(wiggle[0]).astype(np.int64), high)
    lows = np.maximum(np.minimum(opens, marks) - np.round(wiggle[1]).astype(np.int64), low)
    row = np.arange(rows)
    top, bottom = marks.argmax(axis=1), marks.argmin(axis=1)
    highs[row, top], lows[row, bottom] = bars["high"], bars["low"]

    must_trade = np.zeros((rows, _MINUTES), dtype=bool)
    for column in (0, -1, top, bottom):
        must_trade[row, column] = True
    volume = _volumes(rng, bars, (lows + highs) / 2, must_trade)
    amount, volume = _amounts(bars, lows, highs, volume, must_trade)
    return {"open": opens, "high": highs, "low": lows, "close": marks, "volume": volume, "amount": amount}


def _closes(rng: np.random.Generator, bars: dict[str, NDArray[np.int64]]) -> NDArray[np.int64]:
    """A bridge from open to close inside low..high, in cents."""
    rows = len(bars["close"])
    steps = rng.standard_normal((rows, _MINUTES)).cumsum(axis=1)
    along = (_CLOCK + 1) / _MINUTES
    bridge = (steps - steps[:, -1:] * along) / np.sqrt(_MINUTES)
    line = bars["open"][:, None] + (bars["close"] - bars["open"])[:, None] * along
    width = (bars["high"] - bars["low"])[:, None]
    path = np.round(line + 0.9 * width * bridge).astype(np.int64)
    path = np.clip(path, bars["low"][:, None], bars["high"][:, None])
    path[:, -1] = bars["close"]
    return np.asarray(path)


def _volumes(
    rng: np.random.Generator,
    bars: dict[str, NDArray[np.int64]],
    price: NDArray[np.float64],
    must: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Lots per minute by the U shape, tilted so that the average price comes near the day's."""
    weight = _SHAPE * np.exp(0.45 * rng.standard_normal(price.shape))
    width = np.maximum(bars["high"] - bars["low"], 1)[:, None]
    score = (price - price.mean(axis=1, keepdims=True)) / width
    wanted = (bars["amount"] / bars["volume"])[:, None]
    least, most = np.full((len(price), 1), -60.0), np.full((len(price), 1), 60.0)
    for _ in range(40):  # bisection on the tilt, all rows at once
        tilt = (least + most) / 2
        tilted = weight * np.exp(tilt * score - np.abs(tilt))
        average = (tilted * price).sum(axis=1, keepdims=True) / tilted.sum(axis=1, keepdims=True)
        least, most = np.where(average < wanted, tilt, least), np.where(average < wanted, most, tilt)
    tilted = weight * np.exp(tilt * score - np.abs(tilt))
    lots = bars["volume"] // 100
    spare = lots - must.sum(axis=1)
    edges = np.floor(np.cumsum(tilted, axis=1) / tilted.sum(axis=1, keepdims=True) * spare[:, None] + 1e-9)
    edges[:, -1] = spare
    return np.asarray((np.diff(edges, axis=1, prepend=0.0).astype(np.int64) + must) * 100)


def _amounts(
    bars: dict[str, NDArray[np.int64]],
    lows: NDArray[np.int64],
    highs: NDArray[np.int64],
    volume: NDArray[np.int64],
    must: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Amounts within each bar's range that sum to the day's; volume moves between bars where that cannot be."""
    volume = _reach(bars["amount"], lows, highs, volume, must * 100)
    floor, ceiling = lows * volume, highs * volume
    room = (ceiling - floor).astype(np.float64)
    missing = bars["amount"] - floor.sum(axis=1)
    share = missing / np.maximum(room.sum(axis=1), 1.0)
    edges = np.floor(np.cumsum(room, axis=1) * share[:, None] + 1e-6).astype(np.int64)
    extra = np.diff(edges, axis=1, prepend=0)
    amount = floor + np.clip(extra, 0, ceiling - floor)
    _settle(amount, floor, ceiling, bars["amount"])
    return amount, volume


def _reach(
    wanted: NDArray[np.int64],
    lows: NDArray[np.int64],
    highs: NDArray[np.int64],
    volume: NDArray[np.int64],
    least: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Move volume to the dearest or cheapest bar in the rows whose amount is out of reach."""
    volume = volume.copy()
    short = np.flatnonzero((highs * volume).sum(axis=1) < wanted)
    over = np.flatnonzero((lows * volume).sum(axis=1) > wanted)
    for row, target in ((r, highs[r].argmax()) for r in short):
        _move(volume[row], highs[row], least[row], int(target), wanted[row], rising=True)
    for row, target in ((r, lows[r].argmin()) for r in over):
        _move(volume[row], lows[row], least[row], int(target), wanted[row], rising=False)
    return volume


def _move(
    volume: NDArray[np.int64],
    price: NDArray[np.int64],
    least: NDArray[np.int64],
    target: int,
    wanted: int,
    *,
    rising: bool,
) -> None:
    """Shift lots of one row, in place, from the worst-priced bars to bar `target` until `wanted` is within reach."""
    order = np.argsort(price if rising else -price, kind="stable")
    for bar in order:
        gap = int(wanted - (price * volume).sum()) * (1 if rising else -1)
        gain = int(price[target] - price[bar]) * (1 if rising else -1)
        if gap <= 0 or gain <= 0:
            return
        spare = int(volume[bar] - least[bar])
        lots = min(-(-gap // (gain * 100)), spare // 100)
        volume[bar] -= lots * 100
        volume[target] += lots * 100


def _settle(
    amount: NDArray[np.int64], floor: NDArray[np.int64], ceiling: NDArray[np.int64], wanted: NDArray[np.int64]
) -> None:
    """Spread the last cents of rounding over bars that have room, in place."""
    for row in np.flatnonzero(amount.sum(axis=1) != wanted):
        left = int(wanted[row] - amount[row].sum())
        limit = ceiling[row] if left > 0 else floor[row]
        for bar in np.flatnonzero(limit != amount[row]):
            room = int(limit[bar] - amount[row, bar])
            step = min(left, room) if left > 0 else max(left, room)
            amount[row, bar] += step
            left -= step
            if not left:
                break


def minute_table(
    symbols: NDArray[np.str_], dates: NDArray[np.datetime64], minutes: dict[str, NDArray[np.int64]]
) -> pa.Table:
    """Return minute bars of R (symbol, date) rows, already in key order, as rows of `stock_minute_data`."""
    row, bar = np.nonzero(minutes["volume"])
    stamps = dates[row].astype("datetime64[us]") + MINUTE_LABELS[bar].astype("timedelta64[m]")
    local = pa.array(stamps.astype("datetime64[us]"))
    names = pa.DictionaryArray.from_arrays(row.astype(np.int32), symbols.tolist()).cast(pa.string())
    prices = {n: minutes[n][row, bar] / 100 for n in ("open", "high", "low", "close")}
    values = {"volume": minutes["volume"][row, bar], "amount": minutes["amount"][row, bar] / 100}
    times = pc.assume_timezone(local, "Asia/Shanghai")
    return pa.table({"symbol": names, "bar_time": times} | prices | values, schema=MINUTE.schema)
