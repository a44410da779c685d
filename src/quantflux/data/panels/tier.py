"""The panel tier: field panels of a store's datasets, built when first needed and kept at the store's version.

How an answer comes about, for the days asked for:

1. Ask the store for the dataset's version (at most every `check_seconds`); if the manifest is of another one, drop
   the segments that `changes(since)` touches: `DatasetPanels._fresh`, `Shelf.at`.
2. Build the segments that are missing, one builder at a time over all processes: `Shelf.complete`.
3. Map them, once per process, and hand them out as a `Snapshot`: `DatasetPanels._opened`.

The tier is a cache. Whatever its own files do, be it that the folder is deleted, a file is cut short, the disk is
full or read-only, the caller gets either a snapshot with the right values or None, and then reads the store. Errors
of the store itself pass through.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Sequence
from pathlib import Path

from quantflux.core.clock import Clock
from quantflux.core.errors import QuantfluxError
from quantflux.data.contract import MarketStore, Span
from quantflux.data.panels.build import SegmentMovedError
from quantflux.data.panels.eviction import held_bytes
from quantflux.data.panels.layout import Layout, day_from
from quantflux.data.panels.manifest import Manifest, State
from quantflux.data.panels.segment import DamagedSegmentError, Segment, open_segment
from quantflux.data.panels.shelf import Shelf, TierFullError
from quantflux.data.panels.snapshot import Snapshot
from quantflux.data.schema import Dataset, datasets

_ATTEMPTS = 3  # other writers and evictions may get in between; after that the store answers
_REST_SECONDS = 30.0  # after its files failed, the tier leaves a dataset to the store for so long
_TOUCH_SECONDS = 60.0  # how exactly the time of a segment's last use is noted

_log = logging.getLogger(__name__)


class DatasetPanels:
    """The panels of one dataset, as this process sees them. Safe to share between threads."""

    def __init__(self, store: MarketStore, shelf: Shelf, clock: Clock, check_seconds: float) -> None:
        self.layout = shelf.layout
        self._store = store
        self._shelf = shelf
        self._clock = clock
        self._check_seconds = check_seconds
        self._lock = threading.RLock()
        self._manifest: Manifest | None = None
        self._span: Span | None = None
        self._checked = -math.inf
        self._expired = False
        self._resting_until = -math.inf
        self._open: dict[str, Segment] = {}
        self._touched: dict[str, float] = {}
        self._snapshots: dict[tuple[str, ...], Snapshot] = {}
        self._too_large: set[tuple[str, ...]] = set()

    def snapshot(self, first: int | None, last: int | None) -> Snapshot | None:
        """Return the panels of these days (since 1970, inclusive, None for open), or None if the tier cannot."""
        with self._lock:
            if self._clock.monotonic() < self._resting_until:
                return None
            try:
                return self._snapshot(first, last)
            except QuantfluxError:
                raise  # the store's own; some are OSErrors too
            except OSError as problem:
                self._rest(problem)
                return None

    def _snapshot(self, first: int | None, last: int | None) -> Snapshot | None:
        for _ in range(_ATTEMPTS):
            manifest = self._fresh()
            keys = self._keys(first, last)
            if keys in self._too_large:
                return None
            try:
                result = self._snapshots.get(keys) or self._assembled(manifest, keys)
            except (SegmentMovedError, FileNotFoundError) as moved:
                _log.info("panels of %s moved on while being opened: %s", self.layout.dataset.name, moved)
                self._adopt(None)
                continue
            except TierFullError as full:
                _log.warning("the store answers: %s", full)
                self._too_large.add(keys)
                return None
            if self._keys(first, last) != keys:
                continue  # the dataset grew between `_fresh` and `complete`: these are not all of its segments
            if result is not None:
                self._touch(result.segments)
            return result
        _log.warning("panels of %s change too fast; the store answers", self.layout.dataset.name)
        return None

    def _fresh(self) -> Manifest:
        """Return a manifest at the store's present version."""
        now = self._clock.monotonic()
        manifest = self._manifest
        if manifest is not None and not self._expired and now - self._checked < self._check_seconds:
            return manifest
        self._expired = False  # before the version is read: a write after that expires it again
        version = self._store.version(self.layout.dataset)
        if manifest is None or not self._shelf.shows(manifest, version):
            manifest = self._shelf.at(version)
            self._adopt(manifest)
        self._checked = now
        return manifest

    def _keys(self, first: int | None, last: int | None) -> tuple[str, ...]:
        if self._span is None:
            return ()
        low = self._span.first if first is None else max(self._span.first, day_from(first))
        high = self._span.last if last is None else min(self._span.last, day_from(last))
        return tuple(self.layout.keys(Span(low, high))) if low <= high else ()

    def _assembled(self, manifest: Manifest, keys: tuple[str, ...]) -> Snapshot | None:
        """Return a new snapshot of these segments; None if one of them can only be served by the store."""
        if not all(key in manifest.segments for key in keys):
            manifest = self._shelf.complete(keys)
            self._adopt(manifest)
        if any(manifest.segments[key].state is State.INEXACT for key in keys):
            return None
        result = Snapshot(self.layout, manifest.version, self._opened(manifest, keys))
        self._snapshots[keys] = result
        return result

    def _opened(self, manifest: Manifest, keys: Sequence[str]) -> list[Segment]:
        """Map the segments of a manifest; one that is damaged is dropped, to be built again."""
        result = []
        for key in keys:
            entry = manifest.segments[key]
            if entry.state is not State.READY:
                continue
            if entry.folder not in self._open:
                try:
                    self._open[entry.folder] = open_segment(
                        self._shelf.folder.path / entry.folder, self.layout
                    )
                except (FileNotFoundError, DamagedSegmentError) as problem:
                    _log.warning("panel segment %s will be built again: %s", entry.folder, problem)
                    self._shelf.drop_folder(entry.folder)
                    raise SegmentMovedError(entry.folder) from problem
            result.append(self._open[entry.folder])
        return result

    def _adopt(self, manifest: Manifest | None) -> None:
        """Make a manifest this process's own, and let go of the segments it does not name."""
        named = {entry.folder for entry in manifest.segments.values()} if manifest is not None else set()
        self._open = {folder: segment for folder, segment in self._open.items() if folder in named}
        self._touched = {folder: when for folder, when in self._touched.items() if folder in named}
        self._snapshots = {}
        self._too_large = set()
        self._span = self._store.span(self.layout.dataset) if manifest is not None else None
        self._manifest = manifest

    def _touch(self, segments: Sequence[Segment]) -> None:
        now = self._clock.monotonic()
        for segment in segments:
            if now - self._touched.get(segment.name, -math.inf) >= _TOUCH_SECONDS:
                self._touched[segment.name] = now
                self._shelf.folder.touch(segment.name)

    def _rest(self, problem: Exception) -> None:
        _log.warning(
            "panels of %s rest for %g s while the store answers: %s",
            self.layout.dataset.name,
            _REST_SECONDS,
            problem,
        )
        self._resting_until = self._clock.monotonic() + _REST_SECONDS
        self._adopt(None)

    def state(self) -> tuple[str, int] | None:
        """Return what the panels show: of which store's dataset, and which version. None while they rest."""
        with self._lock:
            if self._clock.monotonic() < self._resting_until:
                return None
            try:
                manifest = self._fresh()
            except QuantfluxError:
                raise
            except OSError as problem:
                self._rest(problem)
                return None
            return manifest.source, manifest.version

    def at_hand(self, first: int | None, last: int | None) -> bool:
        """Whether `snapshot` has the panels of these days open already, so that it answers without waiting."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            checked = self._clock.monotonic() - self._checked < self._check_seconds
            return checked and not self._expired and self._keys(first, last) in self._snapshots
        finally:
            self._lock.release()

    def expire(self) -> None:
        """Ask the store for its version at the next read, however recently that was done."""
        self._expired = True

    def catch_up(self) -> int | None:
        """Bring the panels to the store's version now: drop what changed, to be built when it is next needed.

        Returns the version, or None while the tier rests because its files failed.
        """
        with self._lock:
            self.expire()
            try:
                return self._fresh().version
            except QuantfluxError:
                raise
            except OSError as problem:
                self._rest(problem)
                return None

    def verify(self) -> list[str]:
        """Check every byte of every segment; drop the damaged ones, and return their keys."""
        with self._lock:
            damaged = self._shelf.damaged()
            if damaged:
                self._shelf.drop(damaged)
                self._adopt(None)
            return damaged


class PanelTier:
    """Panels of every dataset of one store, in one folder that any number of processes share.

    Parameters
    ----------
    store : MarketStore
    root : Path
        Folder of the tier. It may be deleted at any time.
    clock : Clock
    max_bytes : int or None
        What the panels may take on disk; the least recently used go first. A query that needs more than this at
        once is answered by the store. None: no bound.
    check_seconds : float
        A store is asked for its version at most this often. 0 asks on every read, so that another process's write
        is seen at once; writes through the same `DataAccessLayer` are always seen at once.
    source : str
        Names the store's place (a path, a URL). Panels of another source in the same folder are discarded.
    """

    def __init__(
        self,
        store: MarketStore,
        root: Path,
        *,
        clock: Clock,
        max_bytes: int | None = None,
        check_seconds: float = 0.0,
        source: str = "",
    ) -> None:
        self.root = root
        self._store = store
        self._clock = clock
        self._max_bytes = max_bytes
        self._check_seconds = check_seconds
        self._source = f"{store.name}:{source}"
        self._datasets: dict[str, DatasetPanels] = {}
        self._lock = threading.Lock()

    def of(self, dataset: Dataset) -> DatasetPanels | None:
        """Return the panels of a dataset, or None if it is of a kind that has none."""
        if not dataset.panel:
            return None
        panels = self._datasets.get(dataset.name)
        if panels is None:
            with self._lock:
                shelf = Shelf(self._store, Layout(dataset), self.root, self._source, self._max_bytes)
                panels = DatasetPanels(self._store, shelf, self._clock, self._check_seconds)
                panels = self._datasets.setdefault(dataset.name, panels)
        return panels

    def verify(self) -> dict[str, list[str]]:
        """Check every byte of all panels; drop damaged segments and return their keys by dataset."""
        panels = {name: self.of(dataset) for name, dataset in datasets().items()}
        found = {name: panel.verify() for name, panel in panels.items() if panel is not None}
        return {name: keys for name, keys in found.items() if keys}

    def stored_bytes(self) -> int:
        """Return the bytes that all panels take on disk."""
        return held_bytes(self.root) if self.root.is_dir() else 0
