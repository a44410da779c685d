"""Keeps the values of factors at the data's version.

1. `_decided` compares the versions of the datasets behind the stored values with today's: nothing changed, rows came
   behind, or something changed in the past (`MarketStore.changes` says from which day on).
2. Rows that came behind are computed from the state after the last row. After a change in the past, computation
   goes on from the last state before it; states are kept every `CHECKPOINT_ROWS` rows. Otherwise everything is
   computed. In each case the values equal a full computation bit for bit.
3. New values are appended, the new state is written, and `meta.json` is replaced: readers see all of it or nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from quantflux.core.errors import InvalidRequest, StoreCorrupt, VersionConflict
from quantflux.core.panel import Panel
from quantflux.data.access import DataAccessLayer
from quantflux.data.contract import HasIdentity
from quantflux.data.panels import day_from
from quantflux.data.schema import DAILY, TimeKind, datasets
from quantflux.expressions.nodes import Node
from quantflux.expressions.program.flow import PanelSource
from quantflux.expressions.program.program import Program
from quantflux.expressions.program.quote import Quote, left_of, quote
from quantflux.expressions.program.run import run
from quantflux.expressions.program.state import State
from quantflux.expressions.text import to_text
from quantflux.factors.fields import field_named, load_fields
from quantflux.factors.stored.decision import Course, Decision
from quantflux.factors.stored.folder import LOCK, Meta, SegmentEntry, SegmentWriter, SetFolder, assembled

CHECKPOINT_ROWS = 250
"""A state is kept after each year of days, about."""

KEPT_STATES = 4
"""How many of those; an older change means computing everything."""

_ATTEMPTS = 3

_log = logging.getLogger(__name__)

_EPOCH = date(1970, 1, 1).toordinal()

_BY_ROW_DATE = frozenset(name for name, d in datasets().items() if d.panel and d.kind is TimeKind.DAY)
"""Datasets of which a row changes values of its own day and later ones only."""


@dataclass(frozen=True)
class Update:
    """What bringing a set up to date did."""

    decision: Decision
    rows_computed: int
    quote: Quote | None


@dataclass(frozen=True)
class Hooks:
    """How a long computation speaks and listens."""

    quoted: Callable[[Quote], None] = lambda _: None
    compiled: Callable[[int, int], None] = lambda done, total: None
    progress: Callable[[int, int], None] = lambda done, total: None
    cancelled: Callable[[], bool] = lambda: False


class ValueKeeper:
    """Stored values of any number of sets of factors, in one folder that processes may share.

    Parameters
    ----------
    data : DataAccessLayer
    root : Path
        May be deleted at any time; the values are computed again.
    threads : int, optional
        All processors unless given.
    """

    def __init__(self, data: DataAccessLayer, root: Path, *, threads: int | None = None) -> None:
        self._data = data
        self._root = root
        self._threads = threads

    def decide(self, expressions: Mapping[str, Node]) -> Decision:
        """Return what an update would do, and why."""
        program = Program(expressions)
        folder = self._folder(expressions)
        return self._decided(program, folder.load(), self._versions(program))

    def update(
        self, expressions: Mapping[str, Node], *, max_memory: int | None = None, hooks: Hooks | None = None
    ) -> Update:
        """Bring the values of a set up to date.

        Parameters
        ----------
        max_memory : int, optional
            Most bytes that the process may hold meanwhile.

        Raises
        ------
        InvalidRequest
            If the memory does not suffice.
        Cancelled
            If `hooks.cancelled` said so; what was stored before is untouched.
        NotFound
            If there are no bars, or a field has no data.
        """
        told = hooks or Hooks()
        program = Program(expressions)
        folder = self._folder(expressions)
        with _locked(folder.path):
            for _ in range(_ATTEMPTS):
                meta, now = folder.load(), self._versions(program)
                decision = self._decided(program, meta, now)
                if decision.course is Course.CURRENT:
                    return Update(decision, 0, None)
                try:
                    done = self._computed(program, folder, meta, decision, now, max_memory, told)
                except StoreCorrupt as damage:
                    _log.warning("computing stored values anew: %s", damage)
                    folder.clear()
                    continue
                if done is not None:
                    return done
        raise VersionConflict(
            f"the data were written to during each of {_ATTEMPTS} attempts; try again later"
        )

    def values(
        self,
        expressions: Mapping[str, Node],
        names: list[str],
        start: date | None = None,
        end: date | None = None,
        symbols: tuple[str, ...] | None = None,
    ) -> Panel:
        """Return stored values; call `update` first.

        Returns
        -------
        Panel
            float32 fields by name.
        """
        folder = self._folder(expressions)
        meta = folder.load()
        if meta is None:
            raise InvalidRequest("these factors have not been computed yet")
        days = np.array(meta.days, dtype=np.int64).astype("datetime64[D]")
        low = 0 if start is None else int(np.searchsorted(days, np.datetime64(start)))
        high = len(days) if end is None else int(np.searchsorted(days, np.datetime64(end), "right"))
        axis = meta.symbols if symbols is None else symbols
        rows = slice(low, max(low, high))
        arrays = assembled(folder, meta, [meta.names.index(n) for n in names], rows, axis)
        return Panel(days[rows], list(axis), dict(zip(names, arrays, strict=True)))

    def stored_sets(self) -> list[tuple[Meta, int]]:
        """Return what is stored, and the bytes of each set."""
        found = []
        for path in sorted(self._root.iterdir()) if self._root.is_dir() else []:
            folder = SetFolder(path)
            meta = folder.load()
            if meta is not None:
                found.append((meta, folder.bytes()))
        return found

    def holding(self, digest: str) -> Meta | None:
        """Return a stored set that has an expression."""
        return next((meta for meta, _ in self.stored_sets() if digest in meta.digests), None)

    def _folder(self, expressions: Mapping[str, Node]) -> SetFolder:
        lines = [f"{name}={node.digest}" for name, node in expressions.items()]
        return SetFolder(self._root / hashlib.sha256("\n".join(lines).encode()).hexdigest()[:24])

    def _versions(self, program: Program) -> dict[str, tuple[str, int]]:
        wanted = {DAILY.name, *(field_named(f).source.dataset.name for f in program.fields)}
        store = self._data.store
        return {
            name: (
                store.identity(datasets()[name]) if isinstance(store, HasIdentity) else "",
                self._data.version(name),
            )
            for name in sorted(wanted)
        }

    def _decided(self, program: Program, meta: Meta | None, now: dict[str, tuple[str, int]]) -> Decision:
        if meta is None or not meta.days:
            return Decision(Course.COMPUTED, 0, "no values are stored yet")
        if meta.program != program.digest:
            return Decision(
                Course.COMPUTED,
                0,
                "the engine computes these expressions in another way than when they were stored",
            )
        if meta.versions == now:
            shown = ", ".join(f"{name} {version}" for name, (_, version) in now.items())
            return Decision(Course.CURRENT, len(meta.days), f"nothing changed: {shown}")
        first_dirty, why = self._first_change(meta, now)
        return _restarted(meta, first_dirty, why)

    def _first_change(self, meta: Meta, now: dict[str, tuple[str, int]]) -> tuple[int | None, str]:
        """Return the first day (since 1970) whose values may differ, None if any may; and what changed."""
        last = meta.days[-1]
        dirty: list[tuple[int, str]] = []
        for name, (identity, version) in now.items():
            before = meta.versions.get(name)
            if before == (identity, version):
                continue
            if before is None or before[0] != identity:
                return None, f"{name} was made anew"
            if name not in _BY_ROW_DATE:
                return (
                    None,
                    f"{name} changed (version {before[1]} to {version}), whose rows take effect on other days",
                )
            spans = self._data.store.changes(datasets()[name], before[1]).spans
            for span in spans:
                first = span.first.toordinal() - _EPOCH
                behind = first > last
                what = "has new days from" if behind else "changed from"
                dirty.append((first, f"{name} {what} {span.first} on"))
        if not dirty:
            return last + 1, "versions rose without a change of rows"
        return min(dirty)

    def _computed(
        self,
        program: Program,
        folder: SetFolder,
        meta: Meta | None,
        decision: Decision,
        now: dict[str, tuple[str, int]],
        max_memory: int | None,
        hooks: Hooks,
    ) -> Update | None:
        """Compute what is missing; None if the data changed after the decision."""
        kept = None if meta is None or decision.keep_rows == 0 else meta.cut(decision.keep_rows)
        start = None if kept is None else day_from(kept.days[-1]) + timedelta(days=1)
        fresh = load_fields(self._data, program.fields, start=start)
        panel = fresh.panel
        if kept is not None:
            panel = panel.reindex(symbols=sorted({*kept.symbols, *panel.symbols.tolist()}))
        if any(now[name][1] != version for name, version in fresh.dataset_versions.items() if name in now):
            return None
        base = kept or Meta(
            program.digest,
            program.names,
            tuple(to_text(node) for node in program.expressions.values()),
            tuple(node.digest for node in program.expressions.values()),
        )
        rows, columns = panel.shape
        estimate = quote(
            program,
            rows,
            columns,
            threads=self._threads,
            max_bytes=left_of(max_memory),
            row_bytes=4 * columns * len(program.names),
        )
        hooks.quoted(estimate)
        program.compile(hooks.compiled)
        begin = None if kept is None else _moved(folder.read_state(decision.keep_rows), kept, panel)
        entry, writer = _open_segment(folder, base, panel, estimate.shape.chunk)
        checkpoints: list[int] = []

        def keep(state: State) -> None:
            folder.write_state(state)
            checkpoints.append(state.rows)

        try:
            state = run(
                program,
                PanelSource(panel, program.fields),
                writer,
                shape=estimate.shape,
                state=begin,
                progress=hooks.progress,
                cancelled=hooks.cancelled,
                checkpoint=keep,
                checkpoint_rows=CHECKPOINT_ROWS,
            )
        finally:
            writer.close()
        keep(state)
        folder.save(_after(base, entry, writer.rows, panel, now, checkpoints, decision.reason))
        saved = folder.load()
        if saved is None:
            raise StoreCorrupt(f"{folder.path} does not read back", str(folder.path))
        folder.sweep(saved)
        return Update(decision, rows, estimate)


def _last_row(panel: Panel, symbols: Sequence[str], *, first: bool = False) -> int:
    """Return a checksum of the last row (or the first) of a panel's fields, for these symbols."""
    if len(panel) == 0:
        return 0
    row = (
        panel.select(start=panel.times[0], end=panel.times[0])
        if first
        else panel.select(start=panel.times[-1])
    )
    row = row.reindex(symbols=list(symbols))
    return zlib.crc32(b"".join(np.ascontiguousarray(row[name]).tobytes() for name in sorted(row)))


def _moved(state: State, kept: Meta, panel: Panel) -> State:
    """Return a state on the columns of a panel that has all of its symbols."""
    before = np.array(kept.symbols, dtype=np.str_)
    return state.on_columns(np.searchsorted(panel.symbols, before), len(panel.symbols))


def _open_segment(
    folder: SetFolder, base: Meta, panel: Panel, chunk: int
) -> tuple[SegmentEntry, SegmentWriter]:
    """Return the segment that takes the panel's rows: the last one, if it can be gone on with, or a new one."""
    symbols = tuple(panel.symbols.tolist())
    factors = len(base.names)
    last = base.segments[-1] if base.segments else None
    if last is not None and last.symbols == symbols and folder.file_rows(last, factors) == last.rows:
        entry = last
    else:
        number = 1 + max((int(p.stem.split("-")[1]) for p in folder.path.glob("values-*.f4")), default=0)
        entry = SegmentEntry(f"values-{number}.f4", 0, symbols)
    return entry, SegmentWriter(folder.path / entry.name, entry.rows, factors, len(symbols), chunk)


def _after(
    base: Meta,
    entry: SegmentEntry,
    rows: int,
    panel: Panel,
    versions: dict[str, tuple[str, int]],
    checkpoints: list[int],
    reason: str,
) -> Meta:
    others = tuple(s for s in base.segments if s.name != entry.name)
    segments = (*others, replace(entry, rows=rows)) if rows else others
    days = (*base.days, *panel.times.astype("datetime64[D]").astype(np.int64).tolist())
    every = sorted({*base.states, *checkpoints})
    regular = [r for r in every if r % CHECKPOINT_ROWS == 0 and r != every[-1]]
    states = (*regular[-KEPT_STATES:], every[-1])
    after = replace(base, versions=versions, days=days, segments=segments, states=states, reason=reason)
    return replace(after, last_row=_last_row(panel, after.symbols)) if len(panel) else after


def _restarted(meta: Meta, first_dirty: int | None, why: str) -> Decision:
    """Return from which state to go on when values from a day (since 1970) on may differ; None: all may."""
    if first_dirty is None:
        return Decision(Course.COMPUTED, 0, why)
    row = int(np.searchsorted(np.array(meta.days), first_dirty))
    if row == len(meta.days) and row in meta.states:
        return Decision(Course.APPENDED, row, why)
    usable = [rows for rows in meta.states if rows <= row]
    if not usable:
        return Decision(Course.COMPUTED, 0, f"{why}; no state from before that is kept")
    kept = max(usable)
    return Decision(
        Course.RESTARTED, kept, f"{why}; goes on from the state after {day_from(meta.days[kept - 1])}"
    )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time compute a set; the others wait, and then find it current."""
    path.mkdir(parents=True, exist_ok=True)
    handle = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
