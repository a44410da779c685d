"""Keeps the values of factors at the data's version.

1. `decided` compares the versions of the datasets behind the stored values with today's: nothing changed, rows came
   behind, or something changed in the past (`MarketStore.changes` says from which day on).
2. Rows that came behind are computed from the state after the last row. After a change in the past, computation
   goes on from the last state before it (`appending.CHECKPOINT_ROWS`). Otherwise everything is computed. In each case
   the values equal a full computation bit for bit.
3. New values are appended, states are written, and `meta.json` is replaced: readers see all of it or nothing.
"""

from __future__ import annotations

import errno
import hashlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

from quantflux import __version__
from quantflux.core.errors import (
    NotFound,
    QuantfluxError,
    StoreCorrupt,
    StoreFull,
    StoreUnavailable,
    VersionConflict,
)
from quantflux.core.folder_lock import folder_lock
from quantflux.core.panel import Panel
from quantflux.core.symbols import is_share
from quantflux.data.access import DataAccessLayer
from quantflux.data.contract import HasIdentity
from quantflux.data.panels import day_from
from quantflux.data.schema import DAILY, datasets
from quantflux.expressions.nodes import Node
from quantflux.expressions.program.program import Program
from quantflux.expressions.program.quote import left_of, quote
from quantflux.expressions.program.state import State
from quantflux.factors.fields import Field, FieldSet, StandIns, field_named, load_fields
from quantflux.factors.fields.catalogue import AdjustedPrice, AveragePrice, Column
from quantflux.factors.stored.appending import Hooks, append, width_of
from quantflux.factors.stored.decision import Course, Decision, decided
from quantflux.factors.stored.folder import ITEM, Meta, SetFolder
from quantflux.factors.stored.segments import StoredValues

_ATTEMPTS = 3

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Update:
    """What bringing a set up to date did."""

    decision: Decision
    rows_computed: int


class ValueKeeper:
    """Stored values of any number of sets of factors, in one folder that processes may share.

    Parameters
    ----------
    data : DataAccessLayer
    root : Path
        May be deleted at any time; the values are computed again.
    source : str
        Names the store's place (a path, a URL). Values of another source are other values.
    threads : int, optional
        All processors unless given.
    max_bytes : int, optional
        What the values may take on disk; the sets that were used longest ago go first. No bound unless given.
    """

    def __init__(
        self,
        data: DataAccessLayer,
        root: Path,
        *,
        source: str = "",
        threads: int | None = None,
        max_bytes: int | None = None,
    ) -> None:
        self._data = data
        self._root = root
        self._source = f"{data.store.name}:{source}"
        self._threads = threads
        self._max_bytes = max_bytes

    def decide(self, expressions: Mapping[str, Node]) -> Decision:
        """Return what an update would do, and why.

        What only loading the data shows, such as the first adjustment factor of a symbol, is not foreseen.
        """
        program = _program(tuple(expressions.items()))
        return self._decided(self._folder(expressions), program)[1]

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
        StoreUnavailable
            If the values cannot be written (`StoreFull`: for want of room); what was stored before is untouched.
        VersionConflict
            If the data were written to again and again meanwhile.
        """
        program = _program(tuple(expressions.items()))
        folder = self._folder(expressions)
        with _disk_errors(folder.path), _alone(folder.path):
            for _ in range(_ATTEMPTS):
                meta, decision, now = self._decided(folder, program)
                if meta is not None and decision.course is Course.CURRENT:
                    if meta.versions != now:
                        meta = replace(meta, versions=now)
                        folder.prepare(meta)
                        folder.publish(meta)
                    folder.touch()
                    return Update(decision, 0)
                done = self._computed(program, folder, meta, decision, now, max_memory, hooks or Hooks())
                if done is not None:
                    self._make_room()
                    return done
        raise VersionConflict(
            f"the data were written to during each of {_ATTEMPTS} attempts; try again later"
        )

    def current(self, expressions: Mapping[str, Node]) -> StoredValues | None:
        """Return the values of a set if they are up to date as they are; waits for nobody who computes."""
        folder = self._folder(expressions)
        meta, decision, now = self._decided(folder, _program(tuple(expressions.items())))
        if meta is None or decision.course is not Course.CURRENT or meta.versions != now:
            return None
        with _disk_errors(folder.path):
            folder.touch()
        return StoredValues(folder, meta)

    def values(
        self, expressions: Mapping[str, Node], *, max_memory: int | None = None, hooks: Hooks | None = None
    ) -> StoredValues:
        """Return the values of a set, brought up to date first. Raises what `update` does."""
        folder = self._folder(expressions)
        for _ in range(_ATTEMPTS):
            if (there := self.current(expressions)) is not None:
                return there
            self.update(expressions, max_memory=max_memory, hooks=hooks)
            try:
                with _disk_errors(folder.path):
                    meta = folder.load()
                    if meta is not None:
                        return StoredValues(folder, meta)
            except StoreCorrupt as moved:  # by a later update, between two lines
                _log.info("reading stored values again: %s", moved)
        raise VersionConflict(f"the values were replaced during each of {_ATTEMPTS} attempts to read them")

    def stored_sets(self) -> list[tuple[Meta, int]]:
        """Return what is stored, and the bytes of each set."""
        found = []
        for folder in self._folders():
            try:
                meta = folder.load()
            except StoreCorrupt:
                continue  # counts as nothing, and is computed anew when it is next asked for
            if meta is not None:
                found.append((meta, folder.bytes()))
        return found

    def _folders(self) -> list[SetFolder]:
        if not self._root.is_dir():
            return []
        return [SetFolder(path) for path in sorted(self._root.iterdir()) if path.is_dir()]

    def _folder(self, expressions: Mapping[str, Node]) -> SetFolder:
        lines = [self._source, *(f"{name}={node.digest}" for name, node in expressions.items())]
        return SetFolder(self._root / hashlib.sha256("\n".join(lines).encode()).hexdigest()[:24])

    def _versions(self, program: Program) -> dict[str, tuple[str, int]]:
        wanted = {DAILY.name, *(field_named(f).source.dataset.name for f in program.fields)}
        store = self._data.store
        return {
            name: (
                store.identity(datasets()[name]) if isinstance(store, HasIdentity) else "",
                store.version(datasets()[name]),
            )
            for name in sorted(wanted)
        }

    def _decided(
        self, folder: SetFolder, program: Program
    ) -> tuple[Meta | None, Decision, dict[str, tuple[str, int]]]:
        """Return what is stored and sound, what to do about it, and the versions that it should reflect."""
        now = self._versions(program)
        try:
            meta = folder.load()
            if meta is not None:
                folder.check(meta)
        except StoreCorrupt as damage:
            return None, _despite(damage), now
        return meta, decided(meta, _engine(program), now, self._data.store), now

    def _computed(
        self,
        program: Program,
        folder: SetFolder,
        meta: Meta | None,
        decision: Decision,
        now: Mapping[str, tuple[str, int]],
        max_memory: int | None,
        hooks: Hooks,
    ) -> Update | None:
        """Compute what is missing; None if the data changed after the decision."""
        kept, state = None, None
        if meta is not None and decision.keep_rows:
            entry = next(s for s in meta.states if s.rows == decision.keep_rows)
            try:
                kept, state = meta.cut(entry), folder.read_state(entry)
            except StoreCorrupt as damage:
                decision = _despite(damage)
        fresh = self._loaded(program, kept)
        if kept is not None and (moved := _moved_stand_ins(kept, fresh)):
            decision, kept, state = Decision(Course.COMPUTED, 0, moved), None, None
            fresh = self._loaded(program, None)
        if any(now[name][1] != version for name, version in fresh.dataset_versions.items()):
            return None
        base = Meta(_engine(program), program.names) if kept is None else kept
        base = replace(base, versions=now, stand_ins=_stand_ins(base, fresh), reason=decision.reason)
        try:
            if len(fresh.panel):
                after = self._appended(program, folder, base, fresh.panel, state, max_memory, hooks)
            else:
                after = base
                folder.prepare(after)
            folder.publish(after)
        except BaseException:
            with suppress(OSError, StoreCorrupt):
                folder.sweep(folder.load())  # what was written on the way
            raise
        return Update(decision, len(fresh.panel))

    def _loaded(self, program: Program, kept: Meta | None) -> FieldSet:
        """Load the fields of the rows behind those that stay."""
        fields = [field_named(name) for name in program.fields]
        for dataset in {DAILY, *(f.source.dataset for f in fields)}:
            panels = None if self._data.panels is None else self._data.panels.of(dataset)
            if panels is not None:
                panels.expire()  # they may be older than the versions just read
        start = None if kept is None else day_from(kept.days[-1]) + timedelta(days=1)
        symbols = None
        if kept is not None and not all(_needs_a_bar(field) for field in fields):
            # Symbols without a bar since then count, too, where a rank is among all that have a value.
            symbols = [symbol for symbol in self._data.symbols() if is_share(symbol)]
        fresh = load_fields(self._data, program.fields, symbols, start=start)
        if kept is None and 0 in fresh.panel.shape:
            raise NotFound(f"{DAILY.name} holds no bar of a share, so there is nothing to compute from")
        return fresh

    def _appended(
        self,
        program: Program,
        folder: SetFolder,
        base: Meta,
        panel: Panel,
        state: State | None,
        max_memory: int | None,
        hooks: Hooks,
    ) -> Meta:
        symbols = sorted({*base.symbols, *panel.symbols.tolist()})
        if len(symbols) > panel.shape[1]:
            panel = panel.reindex(symbols=symbols)
        # Once where results arrive, and once more where they are moved to the columns of an older segment.
        row_bytes = ITEM * width_of(len(symbols)) * len(program.names) * (1 if state is None else 2)
        estimate = quote(
            program,
            *panel.shape,
            threads=self._threads,
            max_bytes=left_of(max_memory),
            row_bytes=row_bytes,
        )
        hooks.quoted(estimate)
        program.compile(hooks.compiled)
        return append(folder, base, program, panel, state, estimate, hooks)

    def _make_room(self) -> None:
        """Delete the sets that were used longest ago, until the rest keeps within its bound.

        One that is being computed is locked, and stays; so does the caller's own.
        """
        if self._max_bytes is None:
            return
        sizes = {folder.path: folder.bytes() for folder in self._folders()}
        excess = sum(sizes.values()) - self._max_bytes
        for folder in sorted(self._folders(), key=SetFolder.last_used):
            if excess <= 0:
                break
            with folder_lock(folder.path, wait=False) as ours:
                if ours:
                    folder.delete()
                    excess -= sizes.get(folder.path, 0)
                    _log.info("deleted factor values that were used longest ago: %s", folder.path)
        if excess > 0:
            _log.warning(
                "the factor values in %s take %d bytes more than the %d they may",
                self._root,
                excess,
                self._max_bytes,
            )


@lru_cache(maxsize=16)
def _program(expressions: tuple[tuple[str, Node], ...]) -> Program:
    return Program(dict(expressions))


def _engine(program: Program) -> str:
    return f"{program.digest} {__version__}"


def _needs_a_bar(field: Field) -> bool:
    """Whether a field has values on days with a bar of the symbol alone."""
    return isinstance(field.source, AdjustedPrice | AveragePrice) or (
        isinstance(field.source, Column) and field.source.dataset is DAILY
    )


def _despite(damage: StoreCorrupt) -> Decision:
    _log.warning("stored values are damaged, and will be computed anew: %s", damage)
    return Decision(Course.COMPUTED, 0, f"what is stored is damaged: {damage}")


def _moved_stand_ins(kept: Meta, fresh: FieldSet) -> str:
    """Return why values from before the loaded rows differ now though no row there changed; empty if none does."""
    if kept.stand_ins.typical_price != fresh.stand_ins.typical_price:
        return "whether any bar has an amount, on which vwap rests, is another answer now"
    before, after = set(kept.stand_ins.unadjusted), set(fresh.stand_ins.unadjusted)
    seen = set(kept.symbols) & set(fresh.panel.symbols.tolist())
    moved = sorted(seen & (before ^ after))
    if not moved:
        return ""
    more = f" and {len(moved) - 1} more" if len(moved) > 1 else ""
    return (
        f"whether {moved[0]}{more} has any adj_factor, on which all of its prices rest, is another answer now"
    )


def _stand_ins(kept: Meta, fresh: FieldSet) -> StandIns:
    """Return what was taken for missing data over all rows."""
    seen = set(fresh.panel.symbols.tolist())
    elsewhere = [symbol for symbol in kept.stand_ins.unadjusted if symbol not in seen]
    return replace(fresh.stand_ins, unadjusted=(*elsewhere, *fresh.stand_ins.unadjusted))


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let one process at a time compute a set; the others wait, and then find it current."""
    with folder_lock(path, wait=False) as ours:
        if ours:
            yield
            return
    _log.info("these factors are being computed already; waiting for that")
    with folder_lock(path):
        yield


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    """Say in our terms what the file system refuses."""
    try:
        yield
    except QuantfluxError:
        raise  # some are OSErrors too
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise (StoreFull if full else StoreUnavailable)(
            f"factor values cannot be kept in {path}: {error.strerror or error}"
        ) from error
