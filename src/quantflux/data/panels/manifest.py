"""Which segments of a dataset exist, and the file that says so.

`manifest.json` names the version of the dataset that its segments reflect, and the segments. It is replaced whole,
so a reader sees the old list or the new one. Whoever changes it holds the folder's lock; readers need none.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from quantflux.core.folder_lock import folder_lock
from quantflux.data.panels.segment import META

FORMAT = 1
MANIFEST = "manifest.json"


class State(StrEnum):
    """What is known of a segment."""

    READY = "ready"
    EMPTY = "empty"
    INEXACT = "inexact"
    """Holds integers beyond 2**53: only the store can serve it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One segment: its folder (empty unless ready) and bytes of values."""

    state: State
    folder: str = ""
    bytes: int = 0


@dataclass(frozen=True)
class Manifest:
    """The segments of a dataset, by key, at one version.

    Attributes
    ----------
    source : str
        Which store they came from: another store's panels must not be mistaken for this one's.
    """

    source: str
    version: int
    segments: dict[str, Entry] = field(default_factory=dict)

    def having(self, key: str, entry: Entry) -> Manifest:
        """Return it with one segment more."""
        return replace(self, segments={**self.segments, key: entry})

    def without(self, keys: Iterable[str], version: int | None = None) -> Manifest:
        """Return it without some segments, at a newer version if one is given."""
        gone = set(keys)
        kept = {key: entry for key, entry in self.segments.items() if key not in gone}
        return replace(self, segments=kept, version=self.version if version is None else version)


class DatasetFolder:
    """Where the segments of one dataset lie."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Manifest | None:
        """Return the manifest; None if there is none, or none that can be read."""
        try:
            raw = json.loads((self.path / MANIFEST).read_bytes())
            if raw.pop("format") != FORMAT:
                return None
            segments = {
                k: Entry(State(e["state"]), e["folder"], e["bytes"]) for k, e in raw["segments"].items()
            }
            return Manifest(raw["source"], raw["version"], segments)
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def save(self, manifest: Manifest) -> None:
        """Publish a manifest. Call with the lock held. One that a power cut tears reads as none."""
        temporary = self.path / f"{MANIFEST}.new"
        temporary.write_text(json.dumps({"format": FORMAT, **asdict(manifest)}), encoding="utf-8")
        temporary.replace(self.path / MANIFEST)

    def sweep(self, manifest: Manifest) -> None:
        """Delete segment folders that the manifest does not name: replaced ones, and what killed builders left."""
        named = {entry.folder for entry in manifest.segments.values()}
        for child in self.path.iterdir():
            if child.is_dir() and child.name not in named:
                shutil.rmtree(child, ignore_errors=True)

    def last_used(self, entry: Entry) -> float:
        """Return when a segment was last used, in seconds since 1970; 0 if it is gone."""
        try:
            return (self.path / entry.folder / META).stat().st_mtime
        except OSError:
            return 0.0

    def touch(self, folder: str) -> None:
        """Note that a segment is in use. Without the right to, eviction just knows less."""
        with contextlib.suppress(OSError):
            os.utime(self.path / folder / META)

    def lock(self, *, wait: bool = True) -> contextlib.AbstractContextManager[bool]:
        """Hold the folder; see `folder_lock`."""
        return folder_lock(self.path, wait=wait)
