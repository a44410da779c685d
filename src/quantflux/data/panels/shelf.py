"""The segments of one dataset on disk: brings them to a version, builds what is missing, keeps to the size allowed.

Every process that uses the same folder sees the same segments. Changes happen under the folder's lock, one process at
a time; the others wait, then find the work done.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from quantflux.data.contract import HasIdentity, MarketStore, Span
from quantflux.data.panels.build import SegmentMovedError, build_segment
from quantflux.data.panels.eviction import make_room
from quantflux.data.panels.layout import Layout
from quantflux.data.panels.manifest import DatasetFolder, Entry, Manifest, State
from quantflux.data.panels.segment import DamagedSegmentError, open_segment

_log = logging.getLogger(__name__)


class TierFullError(Exception):
    """A query needs more segments at once than the tier may hold."""


class Shelf:
    """The segments of one dataset.

    Parameters
    ----------
    root : Path
        The tier's folder; the dataset has one of its name in it.
    source : str
        Names the store, so that panels of another store are not taken for its own.
    max_bytes : int or None
        What the values under `root` may take, all datasets together.
    """

    def __init__(
        self, store: MarketStore, layout: Layout, root: Path, source: str, max_bytes: int | None
    ) -> None:
        self.layout = layout
        self.folder = DatasetFolder(root / layout.dataset.name)
        self._root = root
        self._store = store
        self._source = source
        self._max_bytes = max_bytes

    def at(self, version: int) -> Manifest:
        """Return the manifest at the store's present version, which was `version` a moment ago.

        Segments that may have changed since are dropped from it.
        """
        found = self.folder.load()
        if found is not None and self.shows(found, version):
            return found
        with self.folder.lock():
            return self._catch_up()

    def shows(self, manifest: Manifest, version: int) -> bool:
        """Whether a manifest is of the store's dataset as it is now, and at this version."""
        return manifest.version == version and manifest.source == self._origin()

    def _origin(self) -> str:
        """Name the dataset that panels must have come from: a place, and there what was made when."""
        if isinstance(self._store, HasIdentity):
            return f"{self._source}:{self._store.identity(self.layout.dataset)}"
        return self._source

    def _catch_up(self) -> Manifest:
        version, origin = self._store.version(self.layout.dataset), self._origin()
        found = self.folder.load()
        if found is None or found.source != origin or found.version > version:
            manifest = Manifest(origin, version)
        elif found.version == version:
            return found
        else:
            changes = self._store.changes(self.layout.dataset, found.version)
            manifest = found.without(self._touched(found, changes.spans), changes.version)
        return self._publish(manifest)

    def _touched(self, manifest: Manifest, spans: Sequence[Span]) -> list[str]:
        own = {key: self.layout.span_of(key) for key in manifest.segments}
        return [key for key, span in own.items() if any(span.overlaps(other) for other in spans)]

    def _publish(self, manifest: Manifest) -> Manifest:
        self.folder.save(manifest)
        self.folder.sweep(manifest)
        return manifest

    def complete(self, keys: Sequence[str]) -> Manifest:
        """Return the manifest at the store's present version, with these segments built.

        Raises
        ------
        SegmentMovedError
            If the store was written to meanwhile: ask again.
        TierFullError
            If they are more than the tier may hold.
        OSError
            If the disk fails.
        """
        with self.folder.lock():
            manifest = self._catch_up()
            for key in keys:
                if key not in manifest.segments:
                    manifest = self._add(manifest, key, keys)
            return manifest

    def _add(self, manifest: Manifest, key: str, wanted: Sequence[str]) -> Manifest:
        entry = build_segment(self._store, self.layout, key, self.folder.path)
        changes = self._store.changes(self.layout.dataset, manifest.version)
        if any(self.layout.span_of(key).overlaps(span) for span in changes.spans):
            self.folder.sweep(manifest)
            raise SegmentMovedError(
                f"{self.layout.dataset.name} {key} was written to while it was being read"
            )
        manifest = manifest.having(key, entry)
        self.folder.save(manifest)
        if self._max_bytes is None or make_room(self._root, self._max_bytes, self.folder, wanted):
            return self.folder.load() or manifest
        self._publish(manifest.without([key]))
        raise TierFullError(
            f"{len(wanted)} segments of {self.layout.dataset.name} need more than {self._max_bytes} bytes"
        )

    def drop(self, keys: Sequence[str]) -> None:
        """Forget segments and delete their files."""
        with self.folder.lock():
            manifest = self.folder.load()
            if manifest is not None:
                self._publish(manifest.without(keys))

    def drop_folder(self, name: str) -> None:
        """Forget the segment in a folder, unless it was replaced already."""
        manifest = self.folder.load()
        if manifest is not None:
            self.drop([key for key, entry in manifest.segments.items() if entry.folder == name])

    def damaged(self) -> list[str]:
        """Read every segment and return the keys of those whose bytes are not what was written."""
        manifest = self.folder.load()
        entries = manifest.segments if manifest is not None else {}
        return [
            key for key, entry in entries.items() if entry.state is State.READY and not self._sound(entry)
        ]

    def _sound(self, entry: Entry) -> bool:
        try:
            open_segment(self.folder.path / entry.folder, self.layout)
        except (OSError, DamagedSegmentError) as problem:
            _log.warning("panel segment %s is damaged: %s", entry.folder, problem)
            return False
        return True
