"""Panels that are hard to get right: gaps, late listings, delistings, ties, constants, zeros, and all magnitudes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from quantflux.core.panel import Panel
from tests.expressions.strategies import FIELDS

Array = np.ndarray
Rng = np.random.Generator


def panel_of(fields: dict[str, Array]) -> Panel:
    """Return a panel of arrays, with days and symbols made up."""
    rows, columns = next(iter(fields.values())).shape
    days = np.datetime64("2020-01-01") + np.arange(rows)
    return Panel(days, [f"{j:06d}.SZ" for j in range(columns)], fields)


def tame_panel(seed: int, rows: int = 160, columns: int = 7) -> Panel:
    """Return prices and volumes as of a market, with gaps, one late listing and one delisting, and industries."""
    rng = np.random.default_rng(seed)
    close = rng.uniform(5, 80, columns) * np.exp(rng.normal(0, 0.02, (rows, columns)).cumsum(axis=0))
    opened = close * np.exp(rng.normal(0, 0.01, close.shape))
    fields = {
        "open": opened,
        "high": np.maximum(opened, close) * (1 + rng.exponential(0.006, close.shape)),
        "low": np.minimum(opened, close) * (1 - rng.exponential(0.006, close.shape)),
        "close": close,
        "volume": np.round(rng.lognormal(11, 0.6, close.shape)) * 100,
    }
    missing = _gaps(rng, rows, columns)
    fields = {name: np.where(missing, np.nan, np.round(x, 2)) for name, x in fields.items()}
    codes = np.where(np.arange(columns) % 7 == 6, np.nan, np.arange(columns) % 3)
    fields["industry"] = np.tile(codes, (rows, 1))
    return panel_of(fields)


def hard_panel(seed: int, rows: int = 140, columns: int = 5) -> Panel:
    """Return five fields whose columns are each of another kind, with gaps of their own and common ones; industries."""
    rng = np.random.default_rng(seed)
    missing = _gaps(rng, rows, columns)
    fields = {}
    for name in FIELDS:
        kinds = rng.choice(len(_KINDS), columns, p=np.array(_CHANCES) / sum(_CHANCES))
        x = np.column_stack([_KINDS[kind](rng, rows) for kind in kinds])
        own = rng.random(x.shape) < rng.choice([0.0, 0.02, 0.3])
        fields[name] = np.where(missing | own, np.nan, x)
    codes = [0.0, 1.0, 2.0, 65535.0, 65536.0, 0.5, -1.0, np.nan]  # the last four are no groups
    fields["industry"] = rng.choice(codes, (rows, columns), p=[0.3, 0.3, 0.2, 0.04, 0.04, 0.04, 0.04, 0.04])
    return panel_of(fields)


def whole_panel(seed: int, rows: int = 90, columns: int = 6) -> Panel:
    """Return small whole numbers with many ties and gaps, of which sums are exact."""
    rng = np.random.default_rng(seed)
    missing = _gaps(rng, rows, columns)
    return panel_of(
        {name: np.where(missing, np.nan, rng.integers(-4, 9, missing.shape).astype(float)) for name in FIELDS}
    )


def _gaps(rng: Rng, rows: int, columns: int) -> Array:
    """Return where nobody trades: single days, runs of days, before the listing and after the delisting."""
    missing = rng.random((rows, columns)) < 0.03
    for j in range(columns):
        if rng.random() < 0.5:
            start = int(rng.integers(0, rows))
            missing[start : start + int(rng.integers(2, 40)), j] = True
    if columns > 1:
        late, gone = rng.choice(columns, 2, replace=False)
        missing[: int(rng.integers(1, rows)), late] = True
        missing[int(rng.integers(rows // 2, rows)) :, gone] = True
    if rng.random() < 0.2:
        missing[:, rng.integers(columns)] = True
    return missing


def _prices(rng: Rng, rows: int) -> Array:
    return np.round(rng.uniform(2, 90) * np.exp(rng.normal(0, 0.03, rows).cumsum()), 2)


def _returns(rng: Rng, rows: int) -> Array:
    return rng.normal(0, 0.02, rows)


def _volumes(rng: Rng, rows: int) -> Array:
    return np.round(rng.lognormal(14, 2, rows))


def _ties(rng: Rng, rows: int) -> Array:
    return rng.integers(-2, 4, rows).astype(float)


def _zeros(rng: Rng, rows: int) -> Array:
    return np.where(rng.random(rows) < 0.8, 0.0, rng.normal(size=rows))


def _constant(rng: Rng, rows: int) -> Array:
    return np.full(rows, rng.choice([0.0, 1.0, 17.31, -0.1, 1e9, 0.3]))


def _levels(rng: Rng, rows: int) -> Array:
    """Constant on several levels, for weeks each."""
    return np.repeat(rng.choice([0.1, 7.3, 1e7, -2.5], rows // 20 + 1), 20)[:rows]


def _offset(rng: Rng, rows: int) -> Array:
    """Small moves far from zero."""
    return 10.0 ** rng.integers(3, 8) + rng.normal(0, 10.0 ** rng.integers(-7, 0), rows)


def _outliers(rng: Rng, rows: int) -> Array:
    return np.where(rng.random(rows) < 0.04, 10.0 ** rng.integers(6, 40), 1.0) * rng.normal(1, 0.1, rows)


def _tiny(rng: Rng, rows: int) -> Array:
    return rng.normal(0, 1, rows) * 10.0 ** rng.choice([-12, -30, -80, -160, -310])


def _huge(rng: Rng, rows: int) -> Array:
    return rng.normal(0, 1, rows) * 10.0 ** rng.choice([12, 30, 60, 75, 160, 300])


def _wild(rng: Rng, rows: int) -> Array:
    """Every magnitude there is."""
    return rng.choice([-1.0, 1.0], rows) * 10.0 ** rng.uniform(-300, 300, rows)


_KINDS: tuple[Callable[[Rng, int], Array], ...] = (
    _prices, _returns, _volumes, _ties, _zeros, _constant, _levels, _offset, _outliers, _tiny, _huge, _wild,
)  # fmt: skip
_CHANCES = (25, 15, 10, 12, 6, 5, 5, 8, 6, 3, 3, 2)
