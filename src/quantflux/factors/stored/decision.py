"""What has to be computed again, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from quantflux.data.contract import MarketStore
from quantflux.data.panels import day_from, day_number
from quantflux.data.schema import TimeKind, datasets
from quantflux.factors.stored.folder import Meta

_BY_ROW_DATE = frozenset(name for name, d in datasets().items() if d.panel and d.kind is TimeKind.DAY)
"""Datasets of which a row changes values of its own day and later ones only."""


class Course(StrEnum):
    """How values were, or would be, brought up to date."""

    CURRENT = "current"
    APPENDED = "appended"
    RESTARTED = "restarted"
    COMPUTED = "computed"


@dataclass(frozen=True, slots=True)
class Decision:
    """A course and its reason.

    Attributes
    ----------
    keep_rows : int
        Rows of stored values that stay; the computation goes on from the state after them, or starts anew at 0.
    reason : str
        In words, for people.
    """

    course: Course
    keep_rows: int
    reason: str


def decided(
    meta: Meta | None, engine: str, versions: Mapping[str, tuple[str, int]], store: MarketStore
) -> Decision:
    """Return what has to be done about stored values.

    Parameters
    ----------
    meta : Meta or None
        What is stored; None if nothing is.
    engine : str
        What would compute them now; see `Meta`.
    versions : mapping of str to (identity, version)
        The datasets as they are now.
    store : MarketStore
        Is asked what changed.
    """
    if meta is None:
        return Decision(Course.COMPUTED, 0, "nothing was stored yet")
    if meta.engine != engine:
        return Decision(
            Course.COMPUTED, 0, "what is stored was computed in another way, by another release of quantflux"
        )
    if meta.versions == versions:
        shown = ", ".join(f"{name} {version}" for name, (_, version) in versions.items())
        return Decision(Course.CURRENT, len(meta.days), f"nothing changed: {shown}")
    first, why = _first_change(meta, versions, store)
    return Decision(Course.COMPUTED, 0, why) if first is None else _since(meta, first, why)


def _since(meta: Meta, first: int, why: str) -> Decision:
    """Return what to do when values from a day (since 1970) on may differ."""
    row = int(np.searchsorted(np.array(meta.days), first))
    if row == len(meta.days) and not why:
        return Decision(Course.CURRENT, row, "versions rose, but no row changed")
    kept = max((state.rows for state in meta.states if state.rows <= row), default=0)
    if kept == 0:
        return Decision(Course.COMPUTED, 0, f"{why}; no state from before that is kept")
    if kept == len(meta.days):
        return Decision(Course.APPENDED, kept, why)
    last = day_from(meta.days[kept - 1])
    return Decision(Course.RESTARTED, kept, f"{why}; goes on from the state after {last}")


def _first_change(
    meta: Meta, versions: Mapping[str, tuple[str, int]], store: MarketStore
) -> tuple[int | None, str]:
    """Return the first day (since 1970) whose values may differ, None if any may; and what changed, if anything."""
    last = meta.days[-1]
    dirty: list[tuple[int, str]] = []
    for name, (identity, version) in versions.items():
        before, known = meta.versions[name]
        if (before, known) == (identity, version):
            continue
        if before != identity:
            return None, f"{name} was made anew"
        if version < known:
            return None, f"{name} went back from version {known} to {version}"
        if name not in _BY_ROW_DATE:
            return (
                None,
                f"{name} changed (version {known} to {version}), whose rows take effect on other days",
            )
        for span in store.changes(datasets()[name], known).spans:
            first = day_number(span.first)
            what = "has new rows" if first > last else "changed"
            dirty.append((first, f"{name} {what} from {span.first} on"))
    return min(dirty, default=(last + 1, ""))
