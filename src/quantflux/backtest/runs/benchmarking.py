"""What a run is held against, and the industries that its report shows."""

from __future__ import annotations

import numpy as np

from quantflux.backtest.arena import Arena
from quantflux.backtest.benchmarks import cap_weighted, equal_weighted
from quantflux.backtest.execution import Fill
from quantflux.backtest.policies import Schedule, decision_rows
from quantflux.backtest.run import Run
from quantflux.backtest.runs.preparation import Prepared
from quantflux.core.errors import InvalidRequest, NotFound
from quantflux.core.gaps import carried_forward
from quantflux.data.access import DataAccessLayer
from quantflux.data.schema import DAILY, INSTRUMENTS
from quantflux.factors.fields import load_fields
from quantflux.factors.universe import Industries


def benchmark_of(data: DataAccessLayer, prepared: Prepared, run: Run) -> dict[str, np.ndarray]:
    """Return the value of a run's benchmark at each close, shape (T,), by its name; nothing for `none`.

    The market holds the names of the run's universe, set anew at the run's first decision and at the end of each month.

    Raises
    ------
    NotFound
        If an index has no bars, or none at the run's first decision.
    InvalidRequest
        If market values are needed and not there.
    """
    wanted = prepared.run.benchmark
    if wanted == "none":
        return {}
    venue = prepared.arena.venue
    if wanted not in ("equal", "cap"):
        return {wanted: _index(data, wanted, prepared.arena, run.first)}
    if wanted == "cap" and venue.capitalisation is None:
        raise InvalidRequest(
            'benchmark "cap" needs market values, and stock_daily_basic holds no rows here; use "equal"'
        )
    later = decision_rows(venue.times, Schedule.MONTHLY)
    rows = np.union1d([run.first], later[later > run.first])
    market = equal_weighted if wanted == "equal" else cap_weighted
    fill = Fill(prepared.run.execution.fill)
    return {wanted: market(venue, prepared.chosen, rows, fill=fill, capital=run.capital).equity}


def _index(data: DataAccessLayer, symbol: str, arena: Arena, first: int) -> np.ndarray:
    times = arena.venue.times
    if symbol not in data.symbols(DAILY):
        raise NotFound(f"benchmark {symbol} has no daily bars here; import them, or use equal, cap or none")
    bars = data.panel(["close"], symbols=[symbol], start=times[0].item(), end=times[-1].item())
    if symbol not in bars.symbols:
        raise NotFound(f"benchmark {symbol} has no bars from {times[0]} to {times[-1]}")
    levels = carried_forward(bars.reindex(times=times)["close"])[:, 0]
    if np.isnan(levels[first]):
        since = times[~np.isnan(levels)][0]
        raise NotFound(
            f"benchmark {symbol} has bars from {since} only, the first decision is on {times[first]}"
        )
    return np.asarray(levels)


def industries_of(data: DataAccessLayer, arena: Arena) -> Industries | None:
    """Return the industries of the arena's names on its days; None where no instruments are stored."""
    if INSTRUMENTS.name not in arena.versions or data.store.span(DAILY) is None:
        return None
    times, symbols = arena.venue.times, arena.venue.symbols
    loaded = load_fields(data, ["industry"], symbols.tolist(), times[0].item(), times[-1].item())
    codes = loaded.panel.reindex(times=times, symbols=symbols)["industry"]
    return Industries(np.where(np.isnan(codes), -1, codes).astype(np.int16), loaded.labels["industry"])
