"""A day split into minutes adds up to the day, whatever the day looks like."""

from __future__ import annotations

import numpy as np
import pytest

from quantflux.data.sources.synthetic.minutes import split_day


def days(seed: int, rows: int, lots: tuple[int, int], share: tuple[float, float]) -> dict[str, np.ndarray]:
    """Daily bars in cents; `share` is where in low..high the average price lies."""
    rng = np.random.default_rng(seed)
    low = rng.integers(200, 3000, rows)
    high = low + rng.integers(0, 200, rows)
    opening, close = (rng.integers(low, high + 1) for _ in range(2))
    volume = rng.integers(*lots, rows) * 100
    average = low + (high - low) * rng.uniform(*share, rows)
    amount = np.clip(np.round(average * volume).astype(np.int64), low * volume, high * volume)
    return {"open": opening, "high": high, "low": low, "close": close, "volume": volume, "amount": amount}


@pytest.mark.parametrize(
    ("lots", "share"),
    [
        pytest.param((400, 200_000), (0.3, 0.7), id="ordinary"),
        pytest.param((400, 200_000), (0.1, 0.9), id="lopsided"),
        pytest.param((30, 120), (0.4, 0.6), id="hardly traded"),
        pytest.param((30, 400), (0.2, 0.8), id="both"),
        pytest.param((5_000_000, 90_000_000), (0.4, 0.6), id="giants"),
    ],
)
def test_minutes_add_up(lots: tuple[int, int], share: tuple[float, float]) -> None:
    whole = days(11, 300, lots, share)

    minutes = split_day(np.random.default_rng(5), whole)

    traded = minutes["volume"] > 0
    rows = np.arange(len(traded))
    last = traded.shape[1] - 1 - traded[:, ::-1].argmax(axis=1)
    assert (minutes["volume"].sum(axis=1) == whole["volume"]).all()
    assert (minutes["amount"].sum(axis=1) == whole["amount"]).all()
    assert (minutes["open"][rows, traded.argmax(axis=1)] == whole["open"]).all()
    assert (minutes["close"][rows, last] == whole["close"]).all()
    assert (np.where(traded, minutes["high"], 0).max(axis=1) == whole["high"]).all()
    assert (np.where(traded, minutes["low"], 1 << 40).min(axis=1) == whole["low"]).all()
    assert (minutes["volume"] % 100 == 0).all() and (minutes["volume"] >= 0).all()
    assert (minutes["amount"] <= minutes["high"] * minutes["volume"]).all()
    assert (minutes["amount"] >= minutes["low"] * minutes["volume"]).all()
