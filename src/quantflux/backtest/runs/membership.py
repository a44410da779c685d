"""Which names a run may hold on which day."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

import numpy as np

from quantflux.backtest.arena import Arena
from quantflux.backtest.runs.run_file import Universe
from quantflux.core.errors import InvalidRequest, UnknownSymbol
from quantflux.core.lists import a_day, a_symbol, read_list


def chosen_names(
    universe: Universe, arena: Arena, folder: Path, condition: np.ndarray | None = None
) -> np.ndarray:
    """Return where a name may be chosen, by what was known at the close of the day.

    Parameters
    ----------
    universe : Universe
    arena : Arena
    folder : Path
        Where its file is looked for.
    condition : array of float64, shape (T, N), optional
        Values of `universe.where`, true above zero; NaN is not.

    Returns
    -------
    array of bool, shape (T, N)

    Raises
    ------
    UnknownSymbol
        If a symbol of the list, or every one of the file, has no bar in the span.
    InvalidRequest
        If nothing may be chosen on any day.
    """
    chosen = arena.traded.copy()
    if universe.seasoned:
        chosen &= arena.seasoned
    if not universe.special_treatment and arena.special is not None:
        chosen &= ~arena.special
    if universe.symbols:
        known = arena.venue.symbols.tolist()
        if unknown := sorted(set(universe.symbols).difference(known)):
            raise UnknownSymbol(unknown, "the span of universe.symbols", get_close_matches(unknown[0], known))
        chosen &= np.isin(arena.venue.symbols, universe.symbols)
    if universe.file:
        chosen &= members(folder / universe.file, arena)
    if condition is not None:
        chosen &= condition > 0  # false for NaN
    if not chosen[arena.begin :].any():
        raise InvalidRequest(
            f"the universe is empty on each of the {len(chosen) - arena.begin} days"
            + (
                ", as no name has traded on 60 days before; set universe.seasoned = false"
                * (not arena.seasoned.any())
            )
        )
    return chosen


def members(path: Path, arena: Arena) -> np.ndarray:
    """Return where a name was a member by a file; bool of shape (T, N).

    The file has a column `symbol`, and may have `since`, the first day, and `until`, the first day no more; a name may
    stand on several lines. Names without a bar in the span are passed over.
    """
    listed = read_list(path, {"symbol": a_symbol}, {"since": a_day, "until": a_day})
    column_of = {symbol: column for column, symbol in enumerate(arena.venue.symbols.tolist())}
    inside = np.zeros(arena.traded.shape, dtype=bool)
    days = arena.venue.times
    for symbol, since, until in zip(listed["symbol"], listed["since"], listed["until"], strict=True):
        if (column := column_of.get(symbol)) is not None:
            first = 0 if since is None else int(np.searchsorted(days, since))
            stop = len(days) if until is None else int(np.searchsorted(days, until))
            inside[first:stop, column] = True
    if not inside.any():
        raise UnknownSymbol(sorted(set(listed["symbol"])), f"the span of {path}")
    return inside
